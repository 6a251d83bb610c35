//! What makes two subscriptions alike: how they represent an event, not which events they receive.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;

use async_graphql::parser::types::{
    Directive, DocumentOperations, ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet,
};
use async_graphql::{Name, PathSegment, Pos, Positioned, Request, ServerError, Value, Variables};

/// Deeper than any accepted operation; a fragment that contains itself ends here.
const DEEPEST: usize = 64;

/// Equal for subscriptions that represent an event in the same way. The arguments of the feed itself are ignored: a
/// filter only decides which events are sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Likeness {
    document: Arc<str>,
    operation: Option<Arc<str>>,
    variables: Arc<str>,
}

/// A subscription, as far as its transport needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// What it has in common with others.
    pub likeness: Likeness,
    /// The position of its feed in the document.
    pub place: Place,
}

/// The position of a feed in its document and response; none in a document that cannot be executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place(Option<(Name, Pos)>);

impl Place {
    /// `error` as an error of the field of the feed.
    pub fn put(&self, mut error: ServerError) -> ServerError {
        if let Some((name, pos)) = &self.0 {
            error.path = vec![PathSegment::Field(name.to_string())];
            error.locations = vec![*pos];
        }
        error
    }
}

impl Outline {
    /// The outline of the operation of `document` that `request` runs. The document is the original one: in the
    /// executed one, conditions are gone.
    pub fn of(request: &Request, document: &ExecutableDocument) -> Self {
        let operation = request.operation_name.as_deref().map(Arc::<str>::from);
        let mut feeds = Vec::new();
        if let Some(definition) = operation_of(document, operation.as_deref()) {
            feeds_of(document, &definition.selection_set.node, &mut BTreeSet::new(), &mut feeds);
        }
        let place = Place(feeds.first().map(|feed| (feed.node.response_key().node.clone(), feed.pos)));
        let mut used = Used { document, variables: BTreeSet::new() };
        for feed in feeds {
            used.in_directives(&feed.node.directives);
            used.in_selection(&feed.node.selection_set.node, 0);
        }
        let variables = written(&request.variables, &used.variables).into();
        Self { likeness: Likeness { document: Arc::from(request.query.as_str()), operation, variables }, place }
    }
}

fn operation_of<'a>(document: &'a ExecutableDocument, name: Option<&str>) -> Option<&'a OperationDefinition> {
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), _) => Some(&operation.node),
        (DocumentOperations::Multiple(operations), Some(name)) => operations.get(name).map(|found| &found.node),
        (DocumentOperations::Multiple(operations), None) => operations.values().next().map(|only| &only.node),
    }
}

/// The root field of a subscription (section 5.2.4.1 of the specification, Single Root Field), as often as it is
/// selected.
fn feeds_of<'a>(
    document: &'a ExecutableDocument,
    set: &'a SelectionSet,
    seen: &mut BTreeSet<&'a Name>,
    feeds: &mut Vec<&'a Positioned<Field>>,
) {
    for selection in &set.items {
        match &selection.node {
            Selection::Field(field) => feeds.push(field),
            Selection::InlineFragment(fragment) => {
                feeds_of(document, &fragment.node.selection_set.node, seen, feeds);
            }
            Selection::FragmentSpread(spread) => {
                let name = &spread.node.fragment_name.node;
                if let Some(fragment) = document.fragments.get(name)
                    && seen.insert(name)
                {
                    feeds_of(document, &fragment.node.selection_set.node, seen, feeds);
                }
            }
        }
    }
}

/// The variables used in a selection.
struct Used<'a> {
    document: &'a ExecutableDocument,
    variables: BTreeSet<Name>,
}

impl<'a> Used<'a> {
    fn in_selection(&mut self, set: &'a SelectionSet, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        for selection in &set.items {
            match &selection.node {
                Selection::Field(Positioned { node, .. }) => {
                    self.in_directives(&node.directives);
                    for (_, value) in &node.arguments {
                        drop(value.node.clone().into_const_with(|name| self.note(name)));
                    }
                    self.in_selection(&node.selection_set.node, depth + 1);
                }
                Selection::InlineFragment(Positioned { node, .. }) => {
                    self.in_directives(&node.directives);
                    self.in_selection(&node.selection_set.node, depth + 1);
                }
                Selection::FragmentSpread(Positioned { node, .. }) => {
                    self.in_directives(&node.directives);
                    if let Some(fragment) = self.document.fragments.get(&node.fragment_name.node) {
                        self.in_directives(&fragment.node.directives);
                        self.in_selection(&fragment.node.selection_set.node, depth + 1);
                    }
                }
            }
        }
    }

    fn in_directives(&mut self, directives: &[Positioned<Directive>]) {
        for (_, value) in directives.iter().flat_map(|directive| &directive.node.arguments) {
            drop(value.node.clone().into_const_with(|name| self.note(name)));
        }
    }

    fn note(&mut self, variable: Name) -> Result<Value, Infallible> {
        self.variables.insert(variable);
        Ok(Value::Null)
    }
}

fn written(variables: &Variables, used: &BTreeSet<Name>) -> String {
    let used: Vec<_> = used.iter().filter_map(|name| Some((name.as_str(), variables.get(name)?))).collect();
    serde_json::to_string(&used).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn outline(query: &str, variables: serde_json::Value) -> Outline {
        let document = crate::graphql::syntax::parse(query).unwrap().document;
        Outline::of(&Request::new(query).variables(Variables::from_json(variables)), &document)
    }

    fn likeness(query: &str, variables: serde_json::Value) -> Likeness {
        outline(query, variables).likeness
    }

    const QUERY: &str = "subscription($filter: F, $after: FeedCursor, $n: Int, $all: Boolean!) {
        jobEvents(filter: $filter, after: $after) { cursor job { events(first: $n) { nodes { at } } ...More @include(if: $all) } }
    } fragment More on Job { name }";

    #[test]
    fn filter_and_cursor_do_not_matter() {
        let one = likeness(QUERY, json!({ "filter": { "mine": true }, "after": "e1", "n": 3, "all": true }));
        assert_eq!(one, likeness(QUERY, json!({ "filter": { "jobIds": [] }, "n": 3, "all": true })));
    }

    #[test]
    fn what_the_selection_uses_matters() {
        let one = likeness(QUERY, json!({ "n": 3, "all": true }));
        assert_ne!(one, likeness(QUERY, json!({ "n": 4, "all": true })));
        assert_ne!(one, likeness(QUERY, json!({ "n": 3, "all": false })));
        assert_ne!(one, likeness(QUERY, json!({ "n": null, "all": true })));
        assert_ne!(likeness(QUERY, json!({ "n": null })), likeness(QUERY, json!({})), "a default may apply");
        assert_ne!(one, likeness(&QUERY.replace("name", "id"), json!({ "n": 3, "all": true })));
    }

    #[test]
    fn a_variable_of_both_filter_and_selection_matters() {
        let query = "subscription($x: X) { jobEvents(filter: $x) { job { events(after: $x) { nodes { at } } } } }";
        assert_ne!(likeness(query, json!({ "x": 1 })), likeness(query, json!({ "x": 2 })));
    }

    #[test]
    fn an_error_stands_where_the_feed_does() {
        let query = "subscription { ...S } fragment S on Subscription { feed: jobEvents { cursor } }";
        let error = outline(query, json!({})).place.put(ServerError::new("gone", None));
        assert_eq!(error.path, [PathSegment::Field("feed".into())]);
        assert_eq!(error.locations, [Pos { line: 1, column: 52 }]);
    }

    #[test]
    fn variables_of_a_feed_that_is_selected_twice_matter_wherever_they_are_used() {
        let query = "subscription($f: F, $x: Boolean!) { jobEvents(filter: $f) { at } ...S }
            fragment S on Subscription { jobEvents(filter: $f) { at @include(if: $x) } }";
        assert_eq!(likeness(query, json!({ "f": 1, "x": true })), likeness(query, json!({ "f": 2, "x": true })));
        assert_ne!(likeness(query, json!({ "f": 1, "x": true })), likeness(query, json!({ "f": 1, "x": false })));
    }
}
