//! What bytes choose: they are read one after the other, and each decides one thing.

use serde_json::{Value, json};

/// Texts that are easily taken for something else.
pub const TEXTS: [&str; 36] = [
    "",
    "a",
    "A",
    "a b",
    "a.b",
    "a/b",
    "-a",
    "a-",
    "..",
    "../a",
    "/",
    "/a",
    "/a/../b",
    "{{a}}",
    "$(A)",
    "true",
    "null",
    "1",
    "-1",
    "0x1F",
    "1e3",
    "1Gi",
    "512MB",
    "500m",
    "1n",
    "9223372036854775808",
    "Always",
    "Never",
    "Foo",
    "ä",
    "\n",
    "\u{0}",
    "kubernetes.io/hostname",
    "platform.job-id",
    "default",
    "requests.cpu",
];
/// Numbers at the edges of ranges.
pub const NUMBERS: [i64; 14] =
    [0, 1, -1, 2, 299, 512, 600, 65_535, 65_536, 70_000, 2_147_483_647, 2_147_483_648, 1 << 53, i64::MAX];

/// The choices that the bytes make; when they are used up the first of every choice is taken.
pub struct Choices<'b>(pub &'b [u8]);

impl Choices<'_> {
    /// The next byte.
    pub fn next(&mut self) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first)
    }

    /// A number below `most`.
    pub fn below(&mut self, most: usize) -> usize {
        self.next() % most
    }

    /// One of these.
    pub fn of<'t, T>(&mut self, choices: &'t [T]) -> &'t T {
        let large = if choices.len() > 256 { self.next() * 256 } else { 0 };
        &choices[(large + self.next()) % choices.len()]
    }
}

/// A value that hardly belongs anywhere.
pub fn odd(choices: &mut Choices<'_>) -> Value {
    match choices.next() % 8 {
        0..=2 => json!(choices.of(&TEXTS)),
        3 | 4 => json!(choices.of(&NUMBERS)),
        5 => json!(choices.next().is_multiple_of(2)),
        6 => Value::Null,
        _ => [json!([]), json!({}), json!(["a", "a"]), json!(1.5)][choices.next() % 4].clone(),
    }
}
