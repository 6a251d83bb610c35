//! The selection on an object, looked up once for all objects of a level.

use async_graphql::parser::types::{Field, Selection, SelectionSet};
use async_graphql::{ContextSelectionSet, Positioned};
use futures::future::try_join_all;

use super::Written;
use super::edges::{Column, Held, Kind, Planned};
use super::json::Json;
use crate::graphql::collect::NOTHING;
use crate::graphql::limits::weights::{Found, Weights};

/// How the selected fields of a `T` are written.
pub(super) struct Plan<'a, T> {
    fields: Vec<Place<'a, T>>,
    edges: Vec<PlannedEdge<'a, T>>,
}

/// A field with its response name, which contains no character that JSON escapes.
struct Place<'a, T> {
    name: &'a str,
    value: Selected<T>,
}

enum Selected<T> {
    Column(Column<T>),
    Held(Held<T>),
    /// The same for every object: the name of the type.
    Same(Json),
    /// The edge with this number.
    Edge(usize),
}

struct PlannedEdge<'a, T> {
    field: &'a Positioned<Field>,
    planned: Box<dyn Planned<T> + 'a>,
    /// The cost of each object that it returns, and of the arguments, for each parent.
    each: u64,
    arguments: u64,
}

impl<'a, T: Written> Plan<'a, T> {
    /// `None` if a selected field cannot be written.
    pub(super) fn of(set: &'a SelectionSet, weights: &Weights<'_>) -> Option<Self> {
        let mut plan = Self { fields: Vec::with_capacity(set.items.len()), edges: Vec::new() };
        for selection in &set.items {
            let Selection::Field(field) = &selection.node else { return None };
            let (key, name) = (field.node.response_key().node.as_str(), field.node.name.node.as_str());
            // Fields with the same name have already been merged; duplicates that remain are left to the executor.
            if key == NOTHING || !field.node.directives.is_empty() || plan.fields.iter().any(|place| place.name == key)
            {
                return None;
            }
            let found = weights.field(key);
            let value = match name {
                "__typename" => {
                    let mut json = Json::default();
                    json.put(&*T::type_name());
                    Selected::Same(json)
                }
                name => match T::part(name)?.0 {
                    // The cost of a text depends on its length, and is counted in the executor's response.
                    Kind::Column(_) | Kind::Held(_) if found.each > 0 || found.arguments > 0 => return None,
                    Kind::Column(column) => Selected::Column(column),
                    Kind::Held(column) => Selected::Held(column),
                    Kind::Edge(edge) => {
                        let Found { each, arguments, below, .. } = found;
                        let planned = edge.planned(&field.node.selection_set.node, &below)?;
                        plan.edges.push(PlannedEdge { field, planned, each, arguments });
                        Selected::Edge(plan.edges.len() - 1)
                    }
                },
            };
            plan.fields.push(Place { name: key, value });
        }
        Some(plan)
    }
}

/// The initial capacity in bytes, for each piece.
const ROOM: usize = 100;

/// What was written for some objects: the JSON of each, one after the other.
pub(super) struct Pieces {
    json: Json,
    ends: Vec<usize>,
    /// The cost of the content, in points.
    pub cost: u64,
    /// The number of objects or values that cost points; it can differ from the number of pieces.
    pub things: u64,
}

impl Pieces {
    pub fn with_room(pieces: usize) -> Self {
        Self { json: Json::with_room(ROOM * pieces), ends: Vec::with_capacity(pieces), cost: 0, things: 0 }
    }

    /// The buffer for the next piece.
    pub fn json(&mut self) -> &mut Json {
        &mut self.json
    }

    /// Ends the current piece.
    pub fn end(&mut self) {
        self.ends.push(self.json.len());
    }

    pub(super) fn len(&self) -> usize {
        self.json.len()
    }

    pub(super) fn piece(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.json.bytes()[start..self.ends[index]]
    }

    /// Writes some of the pieces as a list.
    pub(super) fn list(&self, pieces: std::ops::Range<usize>, json: &mut Json) {
        json.push(b"[");
        for index in pieces.clone() {
            if index > pieces.start {
                json.push(b",");
            }
            json.push(self.piece(index));
        }
        json.push(b"]");
    }

    pub(super) fn into_json(self) -> Json {
        self.json
    }
}

/// Writes the objects, one piece each; `None` if one of them cannot be written.
pub(super) async fn write<T: Written>(
    plan: &Plan<'_, T>,
    ctx: &ContextSelectionSet<'_>,
    objects: &[&T],
) -> Option<Pieces> {
    let mut pieces = Pieces::with_room(objects.len());
    // All edges are awaited together, so that their reads are batched.
    let edges = plan.edges.iter().map(|edge| async move {
        let ctx = ctx.with_field(edge.field);
        edge.planned.write(&ctx, objects).await.ok_or(())
    });
    let edges = try_join_all(edges).await.ok()?;
    for (edge, written) in plan.edges.iter().zip(&edges) {
        pieces.cost += written.cost + edge.each * written.things + edge.arguments * objects.len() as u64;
    }
    pieces.things = objects.len() as u64;
    let json = &mut pieces.json;
    for (index, object) in objects.iter().enumerate() {
        let mut before: &[u8] = b"{\"";
        for Place { name, value } in &plan.fields {
            json.push(before);
            json.push(name.as_bytes());
            json.push(b"\":");
            before = b",\"";
            match value {
                Selected::Column(column) => column(object, json),
                Selected::Held(column) => column(object, json)?,
                Selected::Same(same) => json.push(same.bytes()),
                Selected::Edge(edge) => json.push(edges[*edge].piece(index)),
            }
        }
        json.push(b"}");
        pieces.ends.push(json.len());
    }
    Some(pieces)
}
