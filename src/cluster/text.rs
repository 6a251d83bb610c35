//! Text from the cluster, which anyone may have written, in a form that PostgreSQL can store.

use std::borrow::Cow;

/// Marks the place where a text was truncated.
const CUT: &str = "…";

/// `text` truncated to `longest` bytes, with U+FFFD for each U+0000, which PostgreSQL stores neither in text nor in
/// JSON.
pub fn storable(text: &str, longest: usize) -> Cow<'_, str> {
    if text.len() <= longest && !text.contains('\0') {
        return Cow::Borrowed(text);
    }
    let mut cleaned = text.replace('\0', "\u{fffd}");
    if cleaned.len() > longest {
        cleaned.truncate(cleaned.floor_char_boundary(longest.saturating_sub(CUT.len())));
        cleaned.push_str(CUT);
    }
    Cow::Owned(cleaned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_can_be_stored_stays_as_it_is() {
        assert!(matches!(storable("task 0 failed: exit code 3\n", 1024), Cow::Borrowed(_)));
    }

    #[test]
    fn a_nul_is_replaced_and_a_long_text_is_cut_between_characters() {
        assert_eq!(storable("a\0b", 1024), "a\u{fffd}b");
        assert_eq!(storable("ééééé", 7), "éé…");
    }

    proptest! {
        #[test]
        fn any_text_becomes_storable(text in any::<String>(), longest in 3usize..64) {
            let stored = storable(&text, longest);
            prop_assert!(!stored.contains('\0') && stored.len() <= longest);
        }
    }
}
