//! The position of an event in the log, and the opaque cursor that represents it to clients.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::cursors::CursorKind;
use crate::error::ApiError;
use crate::ids::EventId;

/// The number of an event: in commit order, with gaps, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seq(pub i64);

/// The prefix of a cursor, so that no other kind of cursor is accepted.
const MARK: &str = "e";

impl Seq {
    /// The ID of the event at this position: the log has no other, and the position never changes.
    pub fn id(self) -> EventId {
        EventId::from_uuid(uuid::Uuid::from_u128(u128::from(self.0.unsigned_abs())))
    }

    /// The cursor for clients.
    pub fn cursor(self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{MARK}{}", self.0))
    }

    /// Parses a client's cursor.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` at `after` if it is not a cursor of the event log.
    pub fn from_cursor(cursor: &str) -> Result<Self, ApiError> {
        let seq = URL_SAFE_NO_PAD
            .decode(cursor)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .and_then(|text| text.strip_prefix(MARK)?.parse().ok())
            .filter(|seq| *seq >= 0);
        seq.map(Self).ok_or_else(|| CursorKind::Events.misplaced("after", cursor, "this feed"))
    }
}

impl From<i64> for Seq {
    fn from(seq: i64) -> Self {
        Self(seq)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_seq_comes_back(seq in 0i64..) {
            prop_assert_eq!(Seq::from_cursor(&Seq(seq).cursor()).unwrap(), Seq(seq));
        }

        #[test]
        fn no_text_breaks_the_reader(text in ".{0,40}") {
            let _ = Seq::from_cursor(&text);
        }
    }
}
