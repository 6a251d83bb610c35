//! Answers that are written as JSON straight from the rows, where all that is selected allows it.
//!
//! The executor makes a future on the heap and a tree of values for every field, which then are sorted and serialized:
//! for a plain column this costs many times what the column does. A type that implements [`Written`] says for each field
//! how it is written. Objects are written a level at a time: an edge is loaded for all of them together, then they are
//! written one after the other into one buffer, in the order of the selection.
//!
//! It is all or nothing: where a part is selected that is not [`Written`], or something fails, the executor answers
//! instead and finds what was read in the request's loaders. So errors, and whatever is decided on the way, are its
//! business alone. Only queries are written: the fields of a mutation come one after another.

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
pub use json::{Json, Put};
pub(super) use value::{cost, settle};

/// An object that can be written, as far as it says how.
pub trait Written: ObjectType + Sized {
    /// How the field with this name is written; `None` leaves it, and what it is selected with, to the executor.
    ///
    /// A part gives what the field's resolver gives.
    fn part(_field: &str) -> Option<Part<Self>> {
        None
    }
}

/// A reference is written with what holds it, or by the executor.
impl<T: Written> Written for &T {}

/// What a query carries for its answer to be written: the operation with the costs of its fields.
#[derive(Debug, Clone)]
pub(super) struct MayWrite(pub Prepared);

/// All these objects, of a list field whose selection `ctx` is; `None` if the executor has to answer.
pub(super) async fn all<T: Written>(objects: &[&T], ctx: &ContextSelectionSet<'_>) -> Option<Value> {
    let (plan, each) = plan::<T>(ctx)?;
    let pieces = write(&plan, ctx, objects).await?;
    let mut json = Json::with_room(pieces.len() + objects.len() + 2);
    pieces.list(0..objects.len(), &mut json);
    Some(value::of(json, pieces.cost + each * objects.len() as u64))
}

/// This object, of a field whose selection `ctx` is; `None` if the executor has to answer.
pub(super) async fn one<T: Written>(object: &T, ctx: &ContextSelectionSet<'_>) -> Option<Value> {
    // Within a list the executor resolves, a plan for each object costs more than it saves.
    let in_list = |path: &QueryPathNode<'_>| path.parents().any(|node| is_index(&node.segment));
    if ctx.path_node.as_ref().is_none_or(in_list) {
        return None;
    }
    let (plan, each) = plan::<T>(ctx)?;
    let pieces = write(&plan, ctx, &[object]).await?;
    let cost = pieces.cost + each;
    Some(value::of(pieces.into_json(), cost))
}

/// How what is selected of a `T` is written, and what each object costs.
fn plan<'a, T: Written>(ctx: &ContextSelectionSet<'a>) -> Option<(Plan<'a, T>, u64)> {
    let MayWrite(prepared) = ctx.data_opt::<MayWrite>()?;
    let Found { each, below, .. } = prepared.weights().at(&mut path(ctx.path_node.as_ref()?).into_iter())?;
    Some((Plan::of(&ctx.item.node, &below)?, each))
}

/// The names of the fields on the way to here, from the root.
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
