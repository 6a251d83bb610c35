//! The three kinds of cursors of the API, told apart: one that is used in the wrong place is rejected with an error that
//! says what it is.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::ApiError;

/// The kind of a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CursorKind {
    /// Of a connection: a `String`.
    List,
    /// A position in the event log: a `FeedCursor`.
    Events,
    /// A position in the log of a task: a `FeedCursor`.
    Log,
}

/// The number of hexadecimal digits of the ID in the cursor of a list.
const ID_DIGITS: usize = 32;

impl CursorKind {
    /// What the text is a cursor of; `None` if it is none.
    pub fn of(cursor: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        let (kind, rest) = text.split_at_checked(1)?;
        let starts_with_id = || rest.len() >= ID_DIGITS && rest.bytes().take(ID_DIGITS).all(|b| b.is_ascii_hexdigit());
        match kind {
            "e" if !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()) => Some(Self::Events),
            "l" if rest.starts_with('/') || rest.starts_with("2/") => Some(Self::Log),
            "t" | "s" | "n" if starts_with_id() => Some(Self::List),
            _ => None,
        }
    }

    /// What an argument that expects this kind takes.
    const fn takes(self) -> &'static str {
        match self {
            Self::List => "this list takes the cursor of one of its edges, or one of its pageInfo",
            Self::Events => "this subscription takes the cursor of one of its events, or eventCursor",
            Self::Log => "this subscription takes the cursor of one of its chunks",
        }
    }

    /// The error for a client's cursor at `argument` that is not one of `own`, which is of this kind.
    pub fn misplaced(self, argument: &'static str, cursor: &str, own: impl fmt::Display) -> ApiError {
        let shown: String = cursor.chars().take(80).collect();
        let message = match Self::of(cursor) {
            Some(other) if other != self => format!("\"{shown}\" is a cursor of {other}; {}", self.takes()),
            _ => format!("\"{shown}\" is not a cursor of {own}"),
        };
        ApiError::bad_input(argument, message)
    }
}

impl fmt::Display for CursorKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::List => "a list",
            Self::Events => "the event log",
            Self::Log => "the log of a task",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::events::Seq;
    use crate::graphql::cursor::Position;
    use crate::ids::JobId;
    use crate::jobs::logs::Place;

    proptest! {
        #[test]
        fn the_kind_of_every_cursor_is_known(seq in 0i64.., bits: u128, text in "[^\\x00]{0,20}", task: i32) {
            let id = Uuid::from_u128(bits);
            for list in [Position::of(text, id), Position::numbered(seq, id), Position::at(chrono::DateTime::UNIX_EPOCH, id)] {
                prop_assert_eq!(CursorKind::of(&list.encode()), Some(CursorKind::List));
            }
            prop_assert_eq!(CursorKind::of(&Seq(seq).cursor()), Some(CursorKind::Events));
            let log = Place::start(JobId::from_uuid(id), task).cursor();
            prop_assert_eq!(CursorKind::of(&log), Some(CursorKind::Log));
        }

        #[test]
        fn any_text_is_of_a_kind_or_of_none(text in ".{0,60}") {
            let _ = CursorKind::of(&text);
            let _ = CursorKind::of(&URL_SAFE_NO_PAD.encode(text));
        }
    }
}
