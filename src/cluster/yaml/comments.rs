//! The comments of a text.

use granit_parser::{Event, Parser};

use super::problem::Place;
use super::reader::{Unreadable, place, unreadable};

/// The comments of a text that [`read`](super::read) accepts and that begin with `word`, each with its position and
/// without `#`. What looks like a comment in a string is none.
///
/// # Errors
/// The text cannot be read.
pub fn comments(text: &str, word: &str) -> Result<Vec<(Place, String)>, Unreadable> {
    // Most texts have none, and need not be parsed once more.
    if !text.contains(word) {
        return Ok(Vec::new());
    }
    let options = granit_parser::options! { emit_comments: true };
    let mut found = Vec::new();
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| unreadable(&error))?;
        if let Event::Comment(comment, _) = event
            && comment.trim_start().starts_with(word)
        {
            found.push((place(&span.start), comment.into_owned()));
        }
    }
    Ok(found)
}
