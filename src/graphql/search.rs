//! Search in names: each word of the search must be the beginning of a word of the name.

use diesel::dsl::sql;
use diesel::sql_types::{Bool, Text};

use super::keyset::Condition;
use crate::error::ApiError;

/// The maximum length of a search, in characters.
const MAX_LENGTH: usize = 200;
/// The maximum number of words of a search.
const MAX_WORDS: usize = 16;

/// A search for words.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Search(Vec<String>);

impl Search {
    /// Reads the search of a filter; `None` if there is none, or if it is blank, like an empty search box.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` at `field` if the text has no letter and no digit, or is too long.
    pub fn parse(text: Option<&str>, field: &'static str) -> Result<Option<Self>, ApiError> {
        let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
        let length = text.chars().count();
        if length > MAX_LENGTH {
            let message = format!("the search has {length} characters; at most {MAX_LENGTH} are allowed");
            return Err(ApiError::bad_input(field, message));
        }
        let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        match words.len() {
            0 => {
                let message = format!("{text:?} cannot be searched for: it must have a letter or a digit");
                Err(ApiError::bad_input(field, message))
            }
            count if count > MAX_WORDS => {
                let message = format!("the search has {count} words; at most {MAX_WORDS} are allowed");
                Err(ApiError::bad_input(field, message))
            }
            _ => Ok(Some(Self(words.into_iter().map(str::to_owned).collect()))),
        }
    }

    /// The condition that the words of `name` match. `name` is an expression on the tables `T`, as it is indexed.
    pub fn matches<T: 'static>(&self, name: &'static str) -> Condition<T> {
        let start = sql::<Bool>(&format!("name_words({name}) @@ to_tsquery('pg_catalog.simple', "));
        Box::new(start.bind::<Text, _>(self.query()).sql(")"))
    }

    /// Whether the words of `label` match, like [`Search::matches`] in the database. A label is a name of ASCII letters,
    /// digits and hyphens.
    pub fn matches_label(&self, label: &str) -> bool {
        let begins = |word: &str, start: &str| word.get(..start.len()).is_some_and(|it| it.eq_ignore_ascii_case(start));
        self.0.iter().all(|start| label.split('-').any(|word| begins(word, start)))
    }

    /// As a query of PostgreSQL's text search. The words have no characters that mean something in one.
    fn query(&self) -> String {
        self.0.iter().map(|word| format!("'{word}':*")).collect::<Vec<_>>().join(" & ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Result<Option<String>, String> {
        let parsed = Search::parse(Some(text), "filter.search");
        parsed.map(|search| search.map(|search| search.query())).map_err(|error| error.to_string())
    }

    #[test]
    fn every_word_is_the_beginning_of_one() {
        assert_eq!(query("train-resnet 50").unwrap().unwrap(), "'train':* & 'resnet':* & '50':*");
        assert_eq!(query("Zürich 日本").unwrap().unwrap(), "'Zürich':* & '日本':*");
        assert_eq!(query("a'b | !c:* & (d)").unwrap().unwrap(), "'a':* & 'b':* & 'c':* & 'd':*");
    }

    #[test]
    fn a_label_matches_by_the_beginnings_of_its_words() {
        let matches = |text: &str| Search::parse(Some(text), "f").unwrap().unwrap().matches_label("train-resnet-50");
        assert!(["res 50", "TRAIN", "5", "train-resnet-50", "50 train"].into_iter().all(matches));
        assert!(!["net", "res 51", "trains", "tréin", "train-resnet-500"].into_iter().any(matches));
    }

    #[test]
    fn an_empty_search_box_does_not_filter() {
        assert_eq!((query(""), query("  ")), (Ok(None), Ok(None)));
        assert!(Search::parse(None, "filter.search").unwrap().is_none());
    }

    #[test]
    fn what_nothing_can_match_is_refused() {
        insta::assert_snapshot!(query("--").unwrap_err(), @r#""--" cannot be searched for: it must have a letter or a digit"#);
        insta::assert_snapshot!(query(&"x".repeat(201)).unwrap_err(), @"the search has 201 characters; at most 200 are allowed");
        insta::assert_snapshot!(query(&"x ".repeat(17)).unwrap_err(), @"the search has 17 words; at most 16 are allowed");
    }
}
