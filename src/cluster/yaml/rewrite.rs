//! Replaces strings of a document by other scalars. Its structure stays as it is: a string never becomes a list or a
//! mapping, whatever is in the text that replaces it.

use std::sync::Arc;

use super::node::{Content, Field, List, Map, Node, Size};
use super::problem::{Place, Step, path_of};
use super::scalar::Plain;

/// A string of a document.
pub struct Found<'n, 's> {
    /// The string.
    pub text: &'n str,
    /// Its position.
    pub place: Place,
    /// Whether it was written without quotes, on the line of its key or item.
    pub is_plain: bool,
    /// Whether it is the key of a mapping; a key cannot be replaced.
    pub is_key: bool,
    steps: &'s [Step<'n>],
}

impl Found<'_, '_> {
    /// Its path in the document; for a key, that of its value.
    pub fn path(&self) -> String {
        path_of("", self.steps)
    }
}

/// What replaces a string.
#[derive(Debug, Clone, PartialEq)]
pub enum Replacement {
    /// Another string.
    Text(String),
    /// A number or a boolean, and how it was written.
    Plain(Plain, String),
}

impl Node {
    /// The node with its strings replaced as `replace` says; a node without such strings is shared. `replace` is also
    /// asked about keys, which stay as they are.
    pub fn rewritten(&self, replace: &mut dyn FnMut(&Found<'_, '_>) -> Option<Replacement>) -> Self {
        rewritten(self, &mut Vec::new(), replace).unwrap_or_else(|| self.clone())
    }
}

/// The changed node, if something in it is replaced. The reader has bounded the depth of nodes.
fn rewritten<'n>(
    node: &'n Node,
    steps: &mut Vec<Step<'n>>,
    replace: &mut dyn FnMut(&Found<'_, '_>) -> Option<Replacement>,
) -> Option<Node> {
    let content = match &node.content {
        Content::Plain(..) => return None,
        Content::Text(text) => {
            let found = Found { text, place: node.place, is_plain: node.is_plain, is_key: false, steps };
            match replace(&found)? {
                Replacement::Text(text) => Content::Text(text.into()),
                Replacement::Plain(plain, written) => Content::Plain(plain, written.into()),
            }
        }
        Content::List(list) => {
            let mut changed = None;
            for (index, item) in list.items.iter().enumerate() {
                steps.push(Step::Item(index));
                if let Some(new) = rewritten(item, steps, replace)
                    && let Some(item) = changed.get_or_insert_with(|| list.items.clone()).get_mut(index)
                {
                    *item = new;
                }
                steps.pop();
            }
            let items = changed?;
            let mut size = Size::of_collection();
            items.iter().for_each(|item| size.hold(item.size()));
            Content::List(Arc::new(List { items, size }))
        }
        Content::Map(map) => {
            let mut changed: Option<Vec<Field>> = None;
            for (index, field) in map.fields.iter().enumerate() {
                steps.push(Step::Key(&field.key));
                let (text, place) = (&*field.key, field.place);
                drop(replace(&Found { text, place, is_plain: true, is_key: true, steps }));
                if let Some(new) = rewritten(&field.value, steps, replace)
                    && let Some(field) = changed.get_or_insert_with(|| map.fields.clone()).get_mut(index)
                {
                    field.value = new;
                }
                steps.pop();
            }
            let fields = changed?;
            let mut size = Size::of_collection();
            for field in &fields {
                size.hold(Size::of_scalar(field.key.len()));
                size.hold(field.value.size());
            }
            Content::Map(Arc::new(Map { fields, size }))
        }
    };
    Some(Node { content, ..node.clone() })
}
