//! Which resources of a cluster are GPUs, and the share of a GPU that each stands for.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The default table: whole GPUs of each vendor, MIG slices as sevenths of one, other accelerators as whole ones, and
/// network devices as none.
pub const DEFAULT: &str = "nvidia.com/gpu=1,nvidia.com/gpu.shared=1,nvidia.com/mig-<n>g.*=<n>/7,\
                           nvidia.com/mig-*.<n>g.*=<n>/7,amd.com/gpu=1,gpu.intel.com/i915=1,gpu.intel.com/xe=1,\
                           google.com/tpu=1,habana.ai/gaudi=1,aws.amazon.com/neuron=1,rdma/*=0";

const EXPECTED: &str = "a comma-separated list of RESOURCE=SHARE, such as \
                        nvidia.com/gpu=1,nvidia.com/mig-<n>g.*=<n>/7,rdma/*=0, where SHARE is the share of a GPU; '*' \
                        matches any text, and <n> matches a number that SHARE can use";
/// The placeholder for the number in a pattern.
const NUMBER: &str = "<n>";
/// The maximum share and the maximum divisor.
const MOST: u32 = 1000;
/// The maximum common divisor of all rows: beyond it, sums could overflow.
const MOST_IN_COMMON: u64 = 1_000_000_000;

/// The resources that count as GPUs, in the order in which they are matched. Jobs cannot request devices that no row
/// matches; a resource that does not count has the share 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuResources {
    rows: Vec<Row>,
    /// A common multiple of the divisors of all rows.
    in_common: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    pattern: Vec<Token>,
    parts: Parts,
    divisor: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Text(String),
    Any,
    Number,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parts {
    These(u32),
    /// The number in the resource's name.
    Named,
}

/// The share of a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// This number of parts ...
    pub parts: u32,
    /// ... of a GPU that is divided into this many.
    pub divisor: u32,
}

impl GpuResources {
    /// The share of a GPU of this resource; `None` if the table does not contain it.
    pub fn share_of(&self, resource: &str) -> Option<Share> {
        self.rows.iter().find_map(|row| {
            let number = matched(&row.pattern, resource)?;
            let parts = match row.parts {
                Parts::These(parts) => parts,
                Parts::Named => number.unwrap_or(0),
            };
            Some(Share { parts, divisor: row.divisor })
        })
    }

    /// The names of the resources that are whole GPUs, as far as the table has names and not patterns.
    pub fn whole_ones(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().filter_map(|row| match (row.pattern.as_slice(), row.parts) {
            ([Token::Text(name)], Parts::These(parts)) if parts == row.divisor => Some(name.as_str()),
            _ => None,
        })
    }

    /// The number of whole GPUs that these resources amount to: shares are added up first, and then rounded up.
    pub fn whole<'r>(&self, amounts: impl IntoIterator<Item = (&'r str, i128)>) -> i128 {
        let in_common = i128::from(self.in_common);
        let parts_of = |(resource, amount): (&str, i128)| {
            let share = self.share_of(resource)?;
            let each = i128::from(share.parts) * (in_common / i128::from(share.divisor));
            Some(amount.saturating_mul(each))
        };
        let parts = amounts.into_iter().filter_map(parts_of).fold(0_i128, i128::saturating_add);
        parts / in_common + i128::from(parts % in_common > 0)
    }
}

impl Default for GpuResources {
    fn default() -> Self {
        DEFAULT.parse().unwrap_or(Self { rows: Vec::new(), in_common: 1 })
    }
}

/// The number in the text at the position of the placeholder in the pattern, if the text matches; each `*` matches as
/// little as possible.
fn matched(pattern: &[Token], text: &str) -> Option<Option<u32>> {
    match pattern.split_first() {
        None => text.is_empty().then_some(None),
        Some((Token::Text(start), rest)) => matched(rest, text.strip_prefix(start.as_str())?),
        Some((Token::Any, rest)) => {
            let ends = text.char_indices().map(|(index, _)| index).chain([text.len()]);
            ends.into_iter().find_map(|end| matched(rest, &text[end..]))
        }
        Some((Token::Number, rest)) => {
            let digits = text.bytes().take_while(u8::is_ascii_digit).count();
            let number = text[..digits].parse::<u32>().ok().filter(|number| (1..=MOST).contains(number))?;
            matched(rest, &text[digits..]).map(|_| Some(number))
        }
    }
}

impl FromStr for GpuResources {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rows = text.split(',').map(str::trim).filter(|row| !row.is_empty()).map(str::parse);
        let rows: Vec<Row> = rows.collect::<Result<_, String>>()?;
        let mut in_common = 1_u64;
        for row in &rows {
            let divisor = u64::from(row.divisor);
            in_common = in_common / greatest_divisor(in_common, divisor) * divisor;
            if in_common > MOST_IN_COMMON {
                return Err(EXPECTED.to_owned());
            }
        }
        // A resource that occurs twice would count by its first row, whatever the second says.
        let mut seen = BTreeMap::new();
        for row in &rows {
            let pattern = format!("{:?}", row.pattern);
            if seen.insert(pattern, ()).is_some() {
                return Err(format!("{EXPECTED}; each resource can occur only once"));
            }
        }
        Ok(Self { rows, in_common })
    }
}

fn greatest_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_divisor(b, a % b) }
}

impl FromStr for Row {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || EXPECTED.to_owned();
        let (resource, share) = text.split_once('=').ok_or_else(wrong)?;
        let (resource, share) = (resource.trim(), share.trim());
        let (parts, divisor) = share.split_once('/').unwrap_or((share, "1"));
        let pattern = tokens(resource);
        let numbers = pattern.iter().filter(|token| **token == Token::Number).count();
        let is_legal = |c: char| c.is_ascii_alphanumeric() || "-_./*<>".contains(c);
        if !resource.contains('/') || resource.starts_with('*') || numbers > 1 || !resource.chars().all(is_legal) {
            return Err(wrong());
        }
        let number = |text: &str| text.parse::<u32>().ok().filter(|number| *number <= MOST).ok_or_else(wrong);
        let parts = match parts {
            NUMBER if numbers == 1 => Parts::Named,
            NUMBER => return Err(wrong()),
            parts => Parts::These(number(parts)?),
        };
        let divisor = number(divisor)?;
        if divisor == 0 { Err(wrong()) } else { Ok(Self { pattern, parts, divisor }) }
    }
}

fn tokens(mut pattern: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    while !pattern.is_empty() {
        if let Some(rest) = pattern.strip_prefix('*') {
            tokens.push(Token::Any);
            pattern = rest;
        } else if let Some(rest) = pattern.strip_prefix(NUMBER) {
            tokens.push(Token::Number);
            pattern = rest;
        } else {
            let end = [pattern.find('*'), pattern.find(NUMBER)].into_iter().flatten().min().unwrap_or(pattern.len());
            tokens.push(Token::Text(pattern[..end].to_owned()));
            pattern = &pattern[end..];
        }
    }
    tokens
}

impl fmt::Display for GpuResources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Row { pattern, parts, divisor }) in self.rows.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "," })?;
            for token in pattern {
                f.write_str(match token {
                    Token::Text(text) => text,
                    Token::Any => "*",
                    Token::Number => NUMBER,
                })?;
            }
            match parts {
                Parts::These(parts) => write!(f, "={parts}")?,
                Parts::Named => write!(f, "={NUMBER}")?,
            }
            if *divisor != 1 {
                write!(f, "/{divisor}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gpus(amounts: &[(&str, i128)]) -> i128 {
        GpuResources::default().whole(amounts.iter().copied())
    }

    #[test]
    fn what_is_a_gpu_counts_by_its_share_and_shares_are_rounded_up_together() {
        assert_eq!(gpus(&[("nvidia.com/gpu", 2), ("cpu", 64)]), 2);
        assert_eq!(gpus(&[("nvidia.com/mig-1g.5gb", 8)]), 2);
        assert_eq!(gpus(&[("nvidia.com/mig-1g.5gb", 3), ("nvidia.com/mig-4g.20gb", 1)]), 1);
        assert_eq!(gpus(&[("nvidia.com/mig-1c.3g.20gb", 5), ("nvidia.com/mig-1g.10gb.me", 1)]), 3);
        assert_eq!(gpus(&[("nvidia.com/gpu.shared", 3), ("amd.com/gpu", 1), ("gpu.intel.com/xe", 1)]), 5);
        assert_eq!(gpus(&[("rdma/hca", 4)]), 0);
    }

    #[test]
    fn what_the_table_does_not_have_has_no_share() {
        let table = GpuResources::default();
        for stranger in ["example.com/npu", "nvidia.com/gpus", "nvidia.com/mig-xg.5gb", "nvidia.com/mig-9999999g.5gb"] {
            assert_eq!(table.share_of(stranger), None, "{stranger}");
        }
        assert_eq!(table.share_of("rdma/hca"), Some(Share { parts: 0, divisor: 1 }));
    }

    #[test]
    fn a_table_is_read_as_it_is_written() {
        assert_eq!(GpuResources::default().to_string(), DEFAULT);
        assert_eq!("".parse::<GpuResources>().unwrap().share_of("nvidia.com/gpu"), None);
        assert_eq!(
            " example.com/a = 1/3 , example.com/b=2 ".parse::<GpuResources>().unwrap().to_string(),
            "example.com/a=1/3,example.com/b=2"
        );
        for wrong in [
            "gpu=1",
            "a/b",
            "a/b=",
            "a/b=x",
            "a/b=1/0",
            "a/b=-1",
            "a/b=<n>",
            "*=1",
            "a/<n><n>=1",
            "a/b=1,a/b=2",
            "a/b=1/997,a/c=1/991,a/d=1/983,a/e=1/977",
            "a/b c=1",
        ] {
            assert!(wrong.parse::<GpuResources>().is_err(), "{wrong}");
        }
    }
}
