//! The nodes of a document: values with their positions, shared between an anchor and its aliases.

use std::sync::Arc;

use serde_json::{Map as JsonMap, Number, Value};

use super::problem::{Place, shown};
use super::scalar::{Plain, Resolved};

/// A value in a document. Cloning is cheap: the contents are shared.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where it begins.
    pub place: Place,
    /// Whether it is written without quotes, as a number is.
    pub is_plain: bool,
    /// Its content.
    pub content: Content,
}

/// The content of a node.
#[derive(Debug, Clone)]
pub enum Content {
    /// Null, a boolean or a number, and how it was written.
    Plain(Plain, Arc<str>),
    /// A string.
    Text(Arc<str>),
    /// A list.
    List(Arc<List>),
    /// A mapping.
    Map(Arc<Map>),
}

/// The items of a list.
#[derive(Debug)]
pub struct List {
    pub(super) items: Vec<Node>,
    pub(super) size: Size,
}

/// The fields of a mapping in the order of the text; those of merged mappings come last.
#[derive(Debug)]
pub struct Map {
    pub(super) fields: Vec<Field>,
    pub(super) size: Size,
}

/// A key and its value.
#[derive(Debug, Clone)]
pub struct Field {
    /// The key.
    pub key: Arc<str>,
    /// The position of the key.
    pub place: Place,
    /// The value.
    pub value: Node,
}

/// The size of a node after every alias in it is expanded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Size {
    /// Number of keys and values.
    pub nodes: u64,
    /// Approximate size as JSON, in bytes.
    pub bytes: u64,
    /// Nesting depth of lists and mappings.
    pub depth: u64,
}

impl Size {
    /// The size of a string or another scalar.
    pub(super) fn of_scalar(written: usize) -> Self {
        Self { nodes: 1, bytes: u64::try_from(written).unwrap_or(u64::MAX).saturating_add(3), depth: 0 }
    }

    /// The size of an empty list or mapping, to which its contents are added.
    pub(super) fn of_collection() -> Self {
        Self { nodes: 1, bytes: 3, depth: 1 }
    }

    /// Adds the size of a contained node.
    pub(super) fn hold(&mut self, other: Self) {
        self.nodes = self.nodes.saturating_add(other.nodes);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.depth = self.depth.max(other.depth.saturating_add(1));
    }
}

impl List {
    /// The items.
    pub fn items(&self) -> &[Node] {
        &self.items
    }
}

impl Map {
    /// The fields.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }
}

impl Node {
    /// The value of this key, if the node is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.fields().iter().find(|field| &*field.key == key).map(|field| &field.value)
    }

    /// The fields; none if it is not a mapping.
    pub fn fields(&self) -> &[Field] {
        match &self.content {
            Content::Map(map) => map.fields(),
            Content::Plain(..) | Content::Text(_) | Content::List(_) => &[],
        }
    }

    /// The items; none if it is not a list.
    pub fn items(&self) -> &[Self] {
        match &self.content {
            Content::List(list) => list.items(),
            Content::Plain(..) | Content::Text(_) | Content::Map(_) => &[],
        }
    }

    /// The value, if it is a string.
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            Content::Plain(..) | Content::List(_) | Content::Map(_) => None,
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self.content, Content::Plain(Plain::Null, _))
    }

    /// The position of the node at this path, or of its nearest existing ancestor.
    pub fn place_at(&self, path: &str) -> Place {
        let (mut here, mut place, mut rest) = (self, self.place, path);
        while let Some((node, at, behind)) = here.step(rest) {
            (here, place, rest) = (node, at, behind);
        }
        place
    }

    /// The node at this path, if it exists.
    pub fn at(&self, path: &str) -> Option<&Self> {
        let (mut here, mut rest) = (self, path);
        while !rest.is_empty() {
            (here, _, rest) = here.step(rest)?;
        }
        Some(here)
    }

    /// The node that the first step of a path leads to, its position, and the rest of the path.
    fn step<'p>(&self, path: &'p str) -> Option<(&Self, Place, &'p str)> {
        if let Content::List(list) = &self.content {
            let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
            let item = list.items.get(index.parse::<usize>().ok()?)?;
            return Some((item, item.place, rest));
        }
        // A key may contain dots, in quotes or without: the longest matching key is used.
        let behind = |field: &Field| {
            let key = &*field.key;
            let name = path.strip_prefix('.').unwrap_or(path);
            let rest = name.strip_prefix(key).or_else(|| {
                let name = path.strip_prefix('[')?;
                name.strip_prefix(key).or_else(|| name.strip_prefix(&*shown(key)))?.strip_prefix(']')
            })?;
            (rest.is_empty() || rest.starts_with(['.', '['])).then_some(rest)
        };
        let fits = self.fields().iter().filter_map(|field| Some((field, behind(field)?)));
        let (field, rest) = fits.max_by_key(|(field, _)| field.key.len())?;
        Some((&field.value, field.place, rest))
    }

    /// The value as JSON, with every alias expanded. The reader has bounded its size and depth.
    pub fn to_json(&self) -> Value {
        self.to_json_without(&[])
    }

    /// The value as JSON without these top-level fields.
    pub fn to_json_without(&self, left_out: &[&str]) -> Value {
        match &self.content {
            Content::Plain(Plain::Null, _) => Value::Null,
            Content::Plain(Plain::Bool(value), _) => Value::Bool(*value),
            Content::Plain(Plain::Int(value), _) => Value::Number((*value).into()),
            Content::Plain(Plain::Float(value), _) => Number::from_f64(*value).map_or(Value::Null, Value::Number),
            Content::Text(text) => Value::String(text.to_string()),
            Content::List(list) => Value::Array(list.items.iter().map(Self::to_json).collect()),
            Content::Map(map) => {
                let fields = map.fields.iter().filter(|field| !left_out.contains(&&*field.key));
                let fields: JsonMap<String, Value> =
                    fields.map(|field| (field.key.to_string(), field.value.to_json())).collect();
                Value::Object(fields)
            }
        }
    }

    pub(super) fn size(&self) -> Size {
        match &self.content {
            Content::Plain(_, text) | Content::Text(text) => Size::of_scalar(text.len()),
            Content::List(list) => list.size,
            Content::Map(map) => map.size,
        }
    }

    /// The node as a key in JSON.
    ///
    /// # Errors
    /// A message, if kubectl does not accept it as a key.
    pub(super) fn key(&self) -> Result<Arc<str>, &'static str> {
        match &self.content {
            Content::Text(text) => Ok(text.clone()),
            // An alias of a number is spelled like the value at its anchor.
            Content::Plain(_, written) => super::scalar::untagged(written).key().map(Arc::from),
            Content::List(_) | Content::Map(_) => Err("a key must be a string, not a list or a mapping"),
        }
    }

    pub(super) fn plain(place: Place, resolved: Resolved, written: &str) -> Result<Self, &'static str> {
        Ok(Self { place, is_plain: true, content: Content::Plain(resolved.plain()?, written.into()) })
    }
}
