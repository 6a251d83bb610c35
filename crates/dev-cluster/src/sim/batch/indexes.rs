//! Sets of completion indexes, as the status of an Indexed Job writes them: `0-2,5`.

use std::collections::BTreeSet;
use std::fmt;

/// A set of completion indexes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Indexes(BTreeSet<i32>);

impl Indexes {
    /// Reads a status' text; what is not below `completions` (a Job may have been shrunk) or does not parse is left out.
    pub(super) fn parse(text: &str, completions: i32) -> Self {
        let runs = text.split(',').filter_map(|run| {
            let (first, last) = run.split_once('-').unwrap_or((run, run));
            Some((first.parse::<i32>().ok()?, last.parse::<i32>().ok()?))
        });
        Self(runs.flat_map(|(first, last)| first.max(0)..=last.min(completions - 1)).collect())
    }

    pub(super) fn contains(&self, index: i32) -> bool {
        self.0.contains(&index)
    }

    pub(super) fn insert(&mut self, index: i32) {
        self.0.insert(index);
    }

    pub(super) fn len(&self) -> i32 {
        i32::try_from(self.0.len()).unwrap_or(i32::MAX)
    }
}

impl fmt::Display for Indexes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut runs: Vec<(i32, i32)> = Vec::new();
        for &index in &self.0 {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == index => *last = index,
                _ => runs.push((index, index)),
            }
        }
        for (number, (first, last)) in runs.into_iter().enumerate() {
            let comma = if number > 0 { "," } else { "" };
            match last - first {
                0 => write!(f, "{comma}{first}")?,
                1 => write!(f, "{comma}{first},{last}")?,
                _ => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn three_in_a_row_become_a_range() {
        let text = |indexes: &[i32]| Indexes(indexes.iter().copied().collect()).to_string();
        assert_eq!(text(&[]), "");
        assert_eq!(text(&[4]), "4");
        assert_eq!(text(&[0, 1]), "0,1");
        assert_eq!(text(&[0, 1, 2, 5, 7, 8]), "0-2,5,7,8");
    }

    #[test]
    fn what_a_smaller_job_no_longer_has_is_forgotten() {
        assert_eq!(Indexes::parse("0-9", 3).to_string(), "0-2");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(set in prop::collection::btree_set(0..60i32, 0..40)) {
            let indexes = Indexes(set);
            prop_assert_eq!(Indexes::parse(&indexes.to_string(), 60), indexes);
        }

        #[test]
        fn any_text_is_read_without_panic(text in "[0-9,x-]{0,20}") {
            let _ = Indexes::parse(&text, 100);
        }
    }
}
