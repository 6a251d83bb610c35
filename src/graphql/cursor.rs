//! Opaque cursors for keyset pagination: the sort value and the ID of a row.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Datelike, Utc};
use uuid::Uuid;

/// The value of the column that a list is sorted by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SortValue {
    /// A time, with the microsecond precision of PostgreSQL.
    Time(DateTime<Utc>),
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
}

/// The position of a row in a list: its sort value, and its ID to distinguish rows with equal values.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Position {
    /// The value sorted by.
    pub value: SortValue,
    /// The row's id.
    pub id: Uuid,
}

impl Position {
    /// The position in a list sorted by time.
    pub fn at(time: DateTime<Utc>, id: Uuid) -> Self {
        Self { value: SortValue::Time(time), id }
    }

    /// The position in a list sorted by text.
    pub fn of(text: impl Into<String>, id: Uuid) -> Self {
        Self { value: SortValue::Text(text.into()), id }
    }

    /// The position in a list sorted by number.
    pub fn numbered(number: i64, id: Uuid) -> Self {
        Self { value: SortValue::Number(number), id }
    }

    /// The cursor for the client.
    pub fn encode(&self) -> String {
        let id = self.id.simple();
        URL_SAFE_NO_PAD.encode(match &self.value {
            SortValue::Time(time) => format!("t{id}{}", time.timestamp_micros()),
            SortValue::Text(text) => format!("s{id}{text}"),
            SortValue::Number(number) => format!("n{id}{number}"),
        })
    }

    /// The position of a cursor; `None` if the cursor is invalid or no row can have the position.
    pub fn decode(cursor: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        let (kind, rest) = text.split_at_checked(1)?;
        let (id, value) = rest.split_at_checked(32)?;
        let id = Uuid::try_parse(id).ok()?;
        let value = match kind {
            "t" => {
                let time = DateTime::from_timestamp_micros(value.parse().ok()?)?;
                // The range of RFC 3339. PostgreSQL's own range is narrower than chrono's.
                SortValue::Time(Some(time).filter(|time| (1..=9999).contains(&time.year()))?)
            }
            // PostgreSQL cannot store U+0000.
            "s" => SortValue::Text(Some(value).filter(|text| !text.contains('\0'))?.to_owned()),
            "n" => SortValue::Number(value.parse().ok()?),
            _ => return None,
        };
        Some(Self { value, id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_position_comes_back(bits: u128, text in "[^\\x00]{0,20}", micros in -62_000_000_000_000_000i64..250_000_000_000_000_000) {
            let id = Uuid::from_u128(bits);
            for position in [
                Position::of(text, id),
                Position::numbered(micros, id),
                Position::at(DateTime::from_timestamp_micros(micros).unwrap(), id),
            ] {
                prop_assert_eq!(Position::decode(&position.encode()), Some(position));
            }
        }

        #[test]
        fn what_no_row_can_have_is_no_position(bits: u128, micros: i64, text in ".{0,5}\\x00.{0,5}") {
            let id = Uuid::from_u128(bits);
            prop_assert_eq!(Position::decode(&Position::of(text, id).encode()), None);
            if let Some(time) = DateTime::from_timestamp_micros(micros) {
                let is_written = (1..=9999).contains(&time.year());
                prop_assert_eq!(Position::decode(&Position::at(time, id).encode()).is_some(), is_written);
            }
        }

        #[test]
        fn no_text_breaks_the_decoder(text in ".{0,80}") {
            let _ = Position::decode(&text);
        }
    }
}
