//! Ranges of time in filters.

use async_graphql::InputObject;
use chrono::{DateTime, Utc};

use crate::error::ApiError;

/// A range of time. Omit one end for an open range: `{from: "2026-11-01T00:00:00Z"}`.
#[derive(Debug, Clone, InputObject)]
pub struct TimeRangeInput {
    /// The beginning of the range, which is part of it.
    pub from: Option<DateTime<Utc>>,
    /// The end of the range, which is not part of it.
    pub to: Option<DateTime<Utc>>,
}

/// A range of time, open where an end is missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct TimeRange {
    /// The first moment.
    pub from: Option<DateTime<Utc>>,
    /// The first moment after it.
    pub to: Option<DateTime<Utc>>,
}

impl TimeRange {
    /// The range of a filter; all of time if there is none.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` at `field` if it ends before it begins.
    pub fn parse(range: Option<TimeRangeInput>, field: &str) -> Result<Self, ApiError> {
        let Some(TimeRangeInput { from, to }) = range else { return Ok(Self::default()) };
        match (from, to) {
            (Some(from), Some(to)) if to < from => {
                let (from, to) = (from.to_rfc3339(), to.to_rfc3339());
                let message =
                    format!("{to} is before {from}, the beginning of the range; it must be the same or later");
                Err(ApiError::bad_input(format!("{field}.to"), message))
            }
            _ => Ok(Self { from, to }),
        }
    }

    /// Whether it has no end.
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    /// Whether `moment` is within it.
    pub fn contains(&self, moment: DateTime<Utc>) -> bool {
        self.from.is_none_or(|from| from <= moment) && self.to.is_none_or(|to| moment < to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_that_ends_before_it_begins_is_refused() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0);
        let range = |from, to| TimeRange::parse(Some(TimeRangeInput { from, to }), "filter.submittedAt");
        assert_eq!(range(at(1), at(1)).unwrap(), TimeRange { from: at(1), to: at(1) });
        assert_eq!(range(None, at(1)).unwrap().from, None);
        let (some, moment) = (range(at(1), at(3)).unwrap(), |seconds| at(seconds).unwrap());
        assert_eq!([0, 1, 2, 3].map(|second| some.contains(moment(second))), [false, true, true, false]);
        assert!(TimeRange::default().is_everything() && TimeRange::default().contains(moment(0)));
        let refused = range(at(1), at(0)).unwrap_err();
        insta::assert_snapshot!(format!("{}: {refused}", refused.field.as_deref().unwrap_or_default()), @"filter.submittedAt.to: 1970-01-01T00:00:00+00:00 is before 1970-01-01T00:00:01+00:00, the beginning of the range; it must be the same or later");
    }
}
