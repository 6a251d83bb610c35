//! The expression in `depends`: tasks and their results, combined with `&&`, `||`, `!` and parentheses.

/// A task that an expression names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named<'e> {
    pub(super) task: &'e str,
    /// The result after the dot, if there is one.
    pub(super) result: Option<&'e str>,
}

/// The results that a task may have.
pub(super) const RESULTS: [&str; 8] =
    ["Succeeded", "Failed", "Errored", "Skipped", "Omitted", "Daemoned", "AnySucceeded", "AllFailed"];
/// Those that only a task with items has.
pub(super) const OF_ITEMS: [&str; 2] = ["AnySucceeded", "AllFailed"];

/// The tasks that `expression` names, in order; `None` if it is not a valid expression.
pub(super) fn named(expression: &str) -> Option<Vec<Named<'_>>> {
    let mut found = Vec::new();
    // Whether an operand or an operator is expected.
    let (mut wanted, mut open, mut rest) = (true, 0_usize, expression.trim_start());
    while !rest.is_empty() {
        let word = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '.')).unwrap_or(rest.len());
        let step = if wanted && word > 0 {
            let (task, result) = match rest[..word].split_once('.') {
                Some((task, result)) => (task, Some(result)),
                None => (&rest[..word], None),
            };
            if !is_task(task) {
                return None;
            }
            found.push(Named { task, result });
            wanted = false;
            word
        } else if wanted && rest.starts_with('(') {
            open += 1;
            1
        } else if wanted && rest.starts_with('!') {
            1
        } else if !wanted && (rest.starts_with("&&") || rest.starts_with("||")) {
            wanted = true;
            2
        } else if !wanted && rest.starts_with(')') {
            open = open.checked_sub(1)?;
            1
        } else {
            return None;
        };
        rest = rest[step..].trim_start();
    }
    (!wanted && open == 0).then_some(found)
}

/// Whether a text is a valid name of a template, a step or a task.
pub(super) fn is_task(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tasks_and_results_are_found() {
        let found = named("(a.Succeeded||b-1.Failed) && !c").unwrap();
        let found: Vec<_> = found.iter().map(|one| (one.task, one.result)).collect();
        assert_eq!(found, [("a", Some("Succeeded")), ("b-1", Some("Failed")), ("c", None)]);
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for text in ["", "a &&", "&& a", "a b", "(a", "a)", "a & b", "a.b.c d", "{{x}}", "a,b"] {
            assert_eq!(named(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_its_end(text in "[a-c.!&|() {é-]{0,20}") {
            for one in named(&text).into_iter().flatten() {
                prop_assert!(text.contains(one.task));
            }
        }
    }
}
