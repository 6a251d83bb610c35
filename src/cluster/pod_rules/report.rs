//! Where a rule is violated, and the messages about it.

use crate::cluster::safety::Violation;

/// Maximum number of violations reported per pod.
const MAX_VIOLATIONS: usize = 50;
/// Maximum number of characters of a value in a message.
const MAX_SHOWN: usize = 80;

/// A place in a pod. The path is assembled only when a violation is reported.
#[derive(Clone, Copy)]
pub(in crate::cluster) struct At<'a> {
    outer: Option<&'a At<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Field(&'a str),
    Item(usize),
    Key(&'a str),
}

impl<'a> At<'a> {
    /// The root of the path.
    pub fn root(path: &'a str) -> Self {
        Self { outer: None, step: Step::Field(path) }
    }

    /// A field of the object at this place.
    pub fn field(&'a self, name: &'a str) -> Self {
        Self { outer: Some(self), step: Step::Field(name) }
    }

    /// An item of the list at this place.
    pub fn item(&'a self, index: usize) -> Self {
        Self { outer: Some(self), step: Step::Item(index) }
    }

    /// The value under a key of the map at this place, whose keys are chosen by users.
    pub fn key(&'a self, key: &'a str) -> Self {
        Self { outer: Some(self), step: Step::Key(key) }
    }

    fn path(&self) -> String {
        let mut path = self.outer.map(At::path).unwrap_or_default();
        match self.step {
            Step::Field(name) => {
                if !path.is_empty() && !name.is_empty() {
                    path.push('.');
                }
                path.push_str(name);
            }
            Step::Item(index) => path.push_str(&format!("[{index}]")),
            Step::Key(key) => path.push_str(&key_step(key)),
        }
        path
    }
}

/// A key of a map in a path: `.cpu`, or `["nvidia.com/gpu"]` if it is not a plain word.
pub fn key_step(key: &str) -> String {
    let is_plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if is_plain && key.len() <= MAX_SHOWN { format!(".{key}") } else { format!("[{}]", quoted(key)) }
}

/// A text in a message, truncated if it is long.
pub(in crate::cluster) fn quoted(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// The required form of a text.
pub(in crate::cluster) struct Form {
    /// Whether a text has the form.
    pub fits: fn(&str) -> bool,
    /// The allowed form, phrased to follow "it must be".
    pub allowed: &'static str,
}

/// The violations found so far.
#[derive(Default)]
pub(in crate::cluster) struct Report {
    found: Vec<Violation>,
}

impl Report {
    /// Records that a rule is violated at this place; `why` is phrased to follow the path.
    pub fn say(&mut self, at: &At<'_>, why: impl Into<String>) {
        if self.found.len() < MAX_VIOLATIONS {
            self.found.push(Violation { path: at.path(), why: why.into() });
        }
    }

    /// Whether no violation was found.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Adds the violations of another report, as far as there is room.
    pub fn take(&mut self, other: Self) {
        let room = MAX_VIOLATIONS.saturating_sub(self.found.len());
        self.found.extend(other.found.into_iter().take(room));
    }

    /// Whether there is no room for more violations.
    pub fn is_full(&self) -> bool {
        self.found.len() >= MAX_VIOLATIONS
    }

    /// A text must have this form.
    pub fn form(&mut self, at: &At<'_>, text: &str, form: &Form) {
        if !(form.fits)(text) {
            self.say(at, format!("was {}; it must be {}", quoted(text), form.allowed));
        }
    }

    /// A text is required and must have this form.
    pub fn required(&mut self, at: &At<'_>, text: Option<&str>, form: &Form) {
        match text {
            Some(text) if !text.is_empty() => self.form(at, text, form),
            Some(_) | None => self.missing(at),
        }
    }

    /// A value is required.
    pub fn missing(&mut self, at: &At<'_>) {
        self.say(at, "is required");
    }

    /// A text must be one of these.
    pub fn one_of(&mut self, at: &At<'_>, text: &str, allowed: &[&str]) {
        if !allowed.contains(&text) {
            self.say(at, format!("was {}; it must be {}", quoted(text), listed(allowed)));
        }
    }

    /// A text, if it is set, must be one of these.
    pub fn choice(&mut self, at: &At<'_>, text: Option<&str>, allowed: &[&str]) {
        if let Some(text) = text {
            self.one_of(at, text, allowed);
        }
    }

    /// A number, if it is set, must be within these limits.
    pub fn range(&mut self, at: &At<'_>, number: Option<i64>, least: i64, most: i64) {
        if let Some(number) = number.filter(|number| !(least..=most).contains(number)) {
            self.say(at, format!("was {number}; it must be between {least} and {most}"));
        }
    }

    /// A number, if it is set, must not be less than this.
    pub fn at_least(&mut self, at: &At<'_>, number: Option<i64>, least: i64) {
        if let Some(number) = number.filter(|number| *number < least) {
            self.say(at, format!("was {number}; it must be at least {least}"));
        }
    }

    /// The violations.
    pub fn finish(self) -> Vec<Violation> {
        self.found
    }
}

/// `a, b or c`, each in quotation marks.
pub(in crate::cluster) fn listed(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}
