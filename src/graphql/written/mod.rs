//! Answers written as JSON directly from the rows, if every selected field supports it.
//!
//! The executor allocates a future and a tree of values for every field, which are then sorted and serialized. For a plain
//! column, this costs many times more than reading the column. A type that implements [`Written`] declares for each field
//! how it is written. Objects are written level by level: an edge is loaded for all of them together, then they are
//! written one after the other into one buffer, in the order of the selection.
//!
//! It is all or nothing: if a selected field is not [`Written`], or something fails, the executor resolves the selection
//! instead, and finds what was read in the request's loaders. Errors are therefore handled only by the executor. Only
//! queries are written: the fields of a mutation are executed one after another.

mod edges;
mod json;
mod plan;
mod value;

#[cfg(test)]
mod tests;

use async_graphql::{ContextSelectionSet, ObjectType, QueryPathNode, QueryPathSegment, Value};

use super::limits::Prepared;
use super::limits::weights::Found;

use plan::{Plan, write};

pub use edges::{LoadMaybe, LoadOne, Part, each};
pub use json::{Json, Name, Put};
pub(super) use value::{cost, settle};

/// An object type that declares how its fields are written.
pub trait Written: ObjectType + Sized {
    /// How the field with this name is written. If `None`, the executor resolves the whole selection.
    ///
    /// A part must produce the same value as the field's resolver.
    fn part(_field: &str) -> Option<Part<Self>> {
        None
    }
}

/// References have no parts: they are written as part of their parent, or resolved by the executor.
impl<T: Written> Written for &T {}

/// Allows the answer of a query to be written: the operation with the costs of its fields.
#[derive(Debug, Clone)]
pub(super) struct MayWrite(pub Prepared);

/// Writes these objects, for a list field with the selection `ctx`; `None` if the executor has to resolve it.
pub(super) async fn all<T: Written>(objects: &[&T], ctx: &ContextSelectionSet<'_>) -> Option<Value> {
    let (plan, each) = plan::<T>(ctx)?;
    let pieces = write(&plan, ctx, objects).await?;
    let mut json = Json::with_room(pieces.len() + objects.len() + 2);
    pieces.list(0..objects.len(), &mut json);
    Some(value::of(json, pieces.cost + each * objects.len() as u64))
}

/// Writes this object, for a field with the selection `ctx`; `None` if the executor has to resolve it.
pub(super) async fn one<T: Written>(object: &T, ctx: &ContextSelectionSet<'_>) -> Option<Value> {
    // In a list that the executor resolves, a plan for each object costs more than it saves.
    let in_list = |path: &QueryPathNode<'_>| path.parents().any(|node| is_index(&node.segment));
    if ctx.path_node.as_ref().is_none_or(in_list) {
        return None;
    }
    let (plan, each) = plan::<T>(ctx)?;
    let pieces = write(&plan, ctx, &[object]).await?;
    let cost = pieces.cost + each;
    Some(value::of(pieces.into_json(), cost))
}

/// How the selection on a `T` is written, and the cost of each object.
fn plan<'a, T: Written>(ctx: &ContextSelectionSet<'a>) -> Option<(Plan<'a, T>, u64)> {
    let MayWrite(prepared) = ctx.data_opt::<MayWrite>()?;
    let Found { each, below, .. } = prepared.weights().at(&mut path(ctx.path_node.as_ref()?).into_iter())?;
    Some((Plan::of(&ctx.item.node, &below)?, each))
}

/// The names of the fields on the path, from the root.
fn path<'p>(node: &QueryPathNode<'p>) -> Vec<&'p str> {
    let mut names = Vec::with_capacity(8);
    let mut next = Some(node);
    while let Some(node) = next {
        if let QueryPathSegment::Name(name) = node.segment {
            names.push(name);
        }
        next = node.parent;
    }
    names.reverse();
    names
}

const fn is_index(segment: &QueryPathSegment<'_>) -> bool {
    matches!(segment, QueryPathSegment::Index(_))
}
