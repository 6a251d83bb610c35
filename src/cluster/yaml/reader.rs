//! Text to nodes, within limits: bytes, documents, nodes, depth, and the size after aliases are expanded.

use std::collections::HashMap;
use std::sync::Arc;

use granit_parser::{ErrorKind, Event, Marker, Parser, ScalarStyle, ScanError, Tag};

use super::node::{Content, Field, List, Map, Node, Size};
use super::problem::{Place, shown};
use super::scalar::{self, Scalar};

/// Maximum size of the YAML, in bytes.
pub const MAX_BYTES: usize = 1024 * 1024;
/// Maximum number of documents.
pub const MAX_DOCUMENTS: usize = 64;
/// Maximum number of nodes (keys, values, lists, mappings), counting those of an alias each time.
const MAX_NODES: u64 = 100_000;
/// Maximum nesting depth of lists and mappings.
const MAX_DEPTH: u64 = 64;
/// Maximum size after every alias is expanded, in bytes.
const MAX_EXPANDED_BYTES: u64 = 4 * 1024 * 1024;

/// Why a text could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It exceeds a limit.
    #[error("the YAML {0}")]
    TooLarge(String),
    /// It is not YAML, or contains something that no Kubernetes object can have.
    #[error("the YAML cannot be read: {0}: {1}")]
    Malformed(Place, String),
}

impl Unreadable {
    /// Its position in the text, if it has one.
    pub const fn place(&self) -> Option<Place> {
        match self {
            Self::TooLarge(_) => None,
            Self::Malformed(place, _) => Some(*place),
        }
    }
}

/// The documents in a text, without empty ones.
///
/// # Errors
/// The first problem found.
pub fn read(text: &str) -> Result<Vec<Node>, Unreadable> {
    if text.len() > MAX_BYTES {
        return Err(Unreadable::TooLarge(format!("has {} bytes; at most {MAX_BYTES} are allowed", text.len())));
    }
    let options = granit_parser::options! { emit_comments: false };
    let mut reader = Reader::default();
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| unreadable(&error))?;
        reader.take(event, place(&span.start))?;
    }
    reader.finish()
}

#[derive(Default)]
struct Reader {
    documents: Vec<Node>,
    open: Vec<Open>,
    /// The nodes of the current document's anchors; `None` for a node that has not ended.
    anchors: HashMap<usize, Option<Node>>,
    /// Number of nodes built.
    built: u64,
}

/// A list or a mapping that has not ended.
struct Open {
    place: Place,
    anchor: usize,
    size: Size,
    kind: Collection,
}

enum Collection {
    List(Vec<Node>),
    Map {
        fields: Vec<Field>,
        /// The keys read so far, each with its line.
        keys: HashMap<Arc<str>, u32>,
        /// The key whose value comes next.
        pending: Option<(Key, Place)>,
        /// The mappings that `<<` refers to, the nearest first.
        merged: Vec<Arc<Map>>,
    },
}

enum Key {
    Name(Arc<str>),
    Merge,
}

/// The key of a merged mapping.
const MERGE: &str = "<<";

impl Reader {
    fn take(&mut self, event: Event<'_>, place: Place) -> Result<(), Unreadable> {
        match event {
            Event::DocumentStart(..) => self.anchors.clear(),
            Event::Scalar(text, style, anchor, tag) => {
                self.count()?;
                let tag = tag.as_deref().map(full);
                let plain = style == ScalarStyle::Plain;
                if plain && text == MERGE && self.expects_key() && tag.as_deref().is_none_or(is_merge) {
                    return self.key(Key::Merge, place);
                }
                let node = scalar_node(tag.as_deref(), &text, plain, place)?;
                self.add(node, anchor)?;
            }
            Event::SequenceStart(_, anchor, _) => self.begin(Collection::List(Vec::new()), anchor, place)?,
            Event::MappingStart(_, anchor, _) => {
                let map =
                    Collection::Map { fields: Vec::new(), keys: HashMap::new(), pending: None, merged: Vec::new() };
                self.begin(map, anchor, place)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end()?,
            Event::Alias(anchor) => {
                self.count()?;
                let Some(Some(named)) = self.anchors.get(&anchor) else {
                    return Err(malformed(place, "the alias is inside the value that it refers to"));
                };
                let node = Node { place, ..named.clone() };
                self.add(node, 0)?;
            }
            // Starts and ends of the text and its documents; comments and the like are not requested.
            _ => {}
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), Unreadable> {
        self.count_many(1)
    }

    fn count_many(&mut self, nodes: u64) -> Result<(), Unreadable> {
        self.built = self.built.saturating_add(nodes);
        if self.built > MAX_NODES {
            return Err(Unreadable::TooLarge(format!("has more than {MAX_NODES} values, which is the limit")));
        }
        Ok(())
    }

    fn expects_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { kind: Collection::Map { pending: None, .. }, .. }))
    }

    fn begin(&mut self, kind: Collection, anchor: usize, place: Place) -> Result<(), Unreadable> {
        self.count()?;
        if self.expects_key() {
            return Err(malformed(place, "a key must be a string, not a list or a mapping"));
        }
        if self.open.len() as u64 >= MAX_DEPTH {
            return Err(too_deep());
        }
        if anchor > 0 {
            self.anchors.insert(anchor, None);
        }
        self.open.push(Open { place, anchor, size: Size::of_collection(), kind });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Unreadable> {
        let Some(Open { place, anchor, mut size, kind }) = self.open.pop() else { return Ok(()) };
        let content = match kind {
            Collection::List(items) => Content::List(Arc::new(List { items, size })),
            Collection::Map { mut fields, mut keys, merged, .. } => {
                for map in merged {
                    self.count_many(map.fields.len() as u64)?;
                    for field in &map.fields {
                        if !keys.contains_key(&field.key) {
                            keys.insert(field.key.clone(), field.place.line);
                            size.hold(Size::of_scalar(field.key.len()));
                            size.hold(field.value.size());
                            fields.push(field.clone());
                        }
                    }
                }
                fields.shrink_to_fit();
                Content::Map(Arc::new(Map { fields, size }))
            }
        };
        self.add(Node { place, is_plain: false, content }, anchor)
    }

    /// Adds a key to the open mapping.
    fn key(&mut self, key: Key, place: Place) -> Result<(), Unreadable> {
        let Some(Open { size, kind: Collection::Map { keys, pending, .. }, .. }) = self.open.last_mut() else {
            return Ok(());
        };
        let name = match &key {
            Key::Name(name) => {
                size.hold(Size::of_scalar(name.len()));
                name.clone()
            }
            // A merged mapping may have the key "<<" as a string.
            Key::Merge => Arc::from("\0<<"),
        };
        if let Some(line) = keys.insert(name.clone(), place.line) {
            let name = shown(name.trim_start_matches('\0'));
            return Err(malformed(place, format!("the key {name} is already defined on line {line}")));
        }
        *pending = Some((key, place));
        Ok(())
    }

    /// Adds a finished node to the list or mapping that contains it.
    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Unreadable> {
        if anchor > 0 {
            self.anchors.insert(anchor, Some(node.clone()));
        }
        if self.expects_key() {
            let key = node.key().map_err(|why| malformed(node.place, why))?;
            return self.key(Key::Name(key), node.place);
        }
        let depth = self.open.len() as u64;
        let Some(open) = self.open.last_mut() else {
            if !node.is_null() {
                if self.documents.len() == MAX_DOCUMENTS {
                    let what = format!("has more than {MAX_DOCUMENTS} objects, which is the limit");
                    return Err(Unreadable::TooLarge(what));
                }
                self.documents.push(node);
            }
            return Ok(());
        };
        let own = node.size();
        if depth.saturating_add(own.depth) > MAX_DEPTH {
            return Err(too_deep());
        }
        match &mut open.kind {
            Collection::List(items) => {
                open.size.hold(own);
                items.push(node);
            }
            Collection::Map { fields, pending, merged, .. } => match pending.take() {
                Some((Key::Name(key), place)) => {
                    open.size.hold(own);
                    fields.push(Field { key, place, value: node });
                }
                Some((Key::Merge, place)) => *merged = merge_sources(&node, place)?,
                None => {}
            },
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<Node>, Unreadable> {
        let mut whole = Size::default();
        self.documents.iter().for_each(|document| whole.hold(document.size()));
        let replaced = "when its aliases are expanded; the limit is";
        if whole.nodes > MAX_NODES {
            let what = format!("has {} values {replaced} {MAX_NODES}", counted(whole.nodes));
            return Err(Unreadable::TooLarge(what));
        }
        if whole.bytes > MAX_EXPANDED_BYTES {
            let what = format!("has {} bytes {replaced} {MAX_EXPANDED_BYTES}", counted(whole.bytes));
            return Err(Unreadable::TooLarge(what));
        }
        Ok(self.documents)
    }
}

/// A number with an upper bound: aliases of aliases can exceed any.
fn counted(number: u64) -> String {
    const MOST: u64 = 1_000_000_000_000;
    if number > MOST { format!("more than {MOST}") } else { number.to_string() }
}

/// The mappings that `<<` refers to. <https://yaml.org/type/merge.html>
fn merge_sources(node: &Node, place: Place) -> Result<Vec<Arc<Map>>, Unreadable> {
    let one = |node: &Node| match &node.content {
        Content::Map(map) => Ok(map.clone()),
        Content::Plain(..) | Content::Text(_) | Content::List(_) => {
            Err(malformed(place, "the value of \"<<\" must be a mapping or a list of mappings"))
        }
    };
    match &node.content {
        Content::List(list) => list.items.iter().map(one).collect(),
        Content::Plain(..) | Content::Text(_) | Content::Map(_) => Ok(vec![one(node)?]),
    }
}

fn scalar_node(tag: Option<&str>, text: &str, plain: bool, place: Place) -> Result<Node, Unreadable> {
    if text.contains('\0') {
        return Err(malformed(place, "a string may not contain the character U+0000 (NUL)"));
    }
    match scalar::resolve(tag, text, plain).map_err(|why| malformed(place, why))? {
        Scalar::Text(text) => Ok(Node { place, is_plain: plain, content: Content::Text(text.into()) }),
        Scalar::Plain(resolved) => Node::plain(place, resolved, text).map_err(|why| malformed(place, why)),
    }
}

fn full(tag: &Tag) -> String {
    format!("{}{}", tag.handle(), tag.suffix())
}

fn is_merge(tag: &str) -> bool {
    tag == "tag:yaml.org,2002:merge"
}

pub(super) fn place(mark: &Marker) -> Place {
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Place { line: number(mark.line()), column: number(mark.col().saturating_add(1)) }
}

fn malformed(place: Place, why: impl Into<String>) -> Unreadable {
    Unreadable::Malformed(place, why.into())
}

fn too_deep() -> Unreadable {
    Unreadable::TooLarge(format!("is nested more than {MAX_DEPTH} levels deep"))
}

pub(super) fn unreadable(error: &ScanError) -> Unreadable {
    let why = match error.kind() {
        // The parser's own limit is above ours; it looks ahead.
        ErrorKind::RecursionLimitExceeded => return too_deep(),
        ErrorKind::UnexpectedCharacter { character } => {
            format!(
                "the character {} (U+{:04X}) is not allowed here",
                character.escape_default(),
                u32::from(*character)
            )
        }
        ErrorKind::UnknownAnchor => "the alias refers to an anchor that is not defined before it".to_owned(),
        ErrorKind::UndeclaredTagHandle => "the tag's handle is not declared".to_owned(),
        ErrorKind::TabInBlockIndentation | ErrorKind::TabNotAllowed | ErrorKind::TabInIndentation => {
            "a tab cannot indent a line; use spaces".to_owned()
        }
        ErrorKind::InvalidSimpleKey | ErrorKind::SimpleKeyExpected => "a \":\" is missing after this key".to_owned(),
        _ => error.info(),
    };
    malformed(place(error.marker()), why)
}
