//! Where the stock server deviates from the GraphQL specification of September 2025. The differential test finds each
//! of these deviations and no others; graphql-js agrees with the server in all of them.

use super::compared::Outcome;

/// A way in which the stock server deviates.
pub struct Deviation {
    pub what: &'static str,
    /// What the specification says.
    pub why: &'static str,
    /// Whether ours and theirs differ by it.
    pub is: fn(&Outcome, &Outcome) -> bool,
}

/// All that are known. Of several that an operation shows the first counts.
pub const DEVIATIONS: [Deviation; 7] = [
    Deviation {
        what: "executes fields that cannot be merged",
        why: "5.3.2: fields with the same name in the answer must be the same field with the same arguments",
        is: |ours, theirs| says(ours, " conflict because ") && !theirs.is_refused(),
    },
    Deviation {
        what: "does not look at the values of variables before execution",
        why: "6.1.2: a value that cannot be coerced to its variable's type is a request error, and nothing is executed",
        is: |ours, theirs| says(ours, "variables: ") && !theirs.is_refused(),
    },
    Deviation {
        what: "takes a variable where its type does not fit",
        why: "5.8.5: all usages of a variable are allowed by its type",
        is: |ours, theirs| says(ours, "is used where ") && !theirs.is_refused(),
    },
    Deviation {
        what: "takes literals that are not of their type",
        why: "5.6.1: literals must be of a type that their place expects",
        is: |ours, theirs| says(ours, "Expected a value of type ") && !theirs.is_refused(),
    },
    Deviation {
        what: "leaves out what failed, and keeps what is above it where that may not be null",
        why: "6.4.4: a field that failed is null; if it may not be, its parent is, up to one that may",
        is: |ours, theirs| match (ours, theirs) {
            (Outcome::Executed { data, errors }, Outcome::Executed { data: their_data, errors: their_errors }) => {
                // Of errors that make the same place null one is enough.
                data != their_data && !errors.is_empty() && their_errors.is_subset(errors)
            }
            _ => false,
        },
    },
    Deviation {
        what: "has null for an object if one of its selections is empty, whatever the others select",
        why: "6.4.3: the result of a selection is a map, also if it has no entries; 6.4.2: selections of a field are merged",
        is: |ours, theirs| match (ours, theirs) {
            (Outcome::Executed { data, errors }, Outcome::Executed { data: their_data, errors: their_errors }) => {
                data != their_data && errors.is_empty() && their_errors.is_empty()
            }
            _ => false,
        },
    },
    Deviation {
        what: "answers fields in the order in which they are ready, or of the last that selects them",
        why: "6.4.3: fields stand in the order in which they are first met in the selection",
        is: |ours, theirs| match (ours, theirs) {
            (Outcome::Executed { data, errors }, Outcome::Executed { data: their_data, errors: their_errors }) => {
                data == their_data && errors == their_errors
            }
            _ => false,
        },
    },
];

/// Where the server itself stands in another order than graphql-js: whether this document can be such a case. A field that is
/// selected twice has the place of the first, also if a variable or the object's type leaves that one out: the order is made
/// before the values of variables and the types of objects are known. 7.2.2 recommends the order and does not demand it.
pub fn may_be_out_of_order(document: &str) -> bool {
    ["(if: $", "... on "].iter().any(|word| document.contains(word))
}

fn says(outcome: &Outcome, words: &str) -> bool {
    matches!(outcome, Outcome::Refused(message) if message.contains(words))
}
