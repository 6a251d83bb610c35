//! The parts of an object: columns, and edges to other objects, which are loaded for many parents at a time.

use async_graphql::Context;
use async_graphql::parser::types::SelectionSet;
use futures::FutureExt as _;
use futures::future::{BoxFuture, try_join_all};

use super::plan::{Pieces, Plan, write};
use super::{Json, Put, Written};
use crate::graphql::limits::weights::Weights;

/// Writes a column.
pub(super) type Column<T> = fn(&T, &mut Json);

/// Like [`Column`], for a column that not every object was loaded with; `None` if it is missing.
pub(super) type Held<T> = fn(&T, &mut Json) -> Option<()>;

/// How a field is written.
pub struct Part<T>(pub(super) Kind<T>);

pub(super) enum Kind<T> {
    Column(Column<T>),
    Held(Held<T>),
    Edge(Box<dyn Edge<T>>),
}

/// Loads an object for each parent; `None` if the executor has to resolve the selection.
pub type LoadOne<T, U> = for<'s> fn(&'s Context<'s>, &'s [&'s T]) -> BoxFuture<'s, Option<Vec<U>>>;

/// Like [`LoadOne`], for a nullable object.
pub type LoadMaybe<T, U> = for<'s> fn(&'s Context<'s>, &'s [&'s T]) -> BoxFuture<'s, Option<Vec<Option<U>>>>;

impl<T: Sync + 'static> Part<T> {
    /// A scalar that every object has in memory.
    pub const fn column(column: fn(&T, &mut Json)) -> Self {
        Self(Kind::Column(column))
    }

    /// A scalar that not every object was loaded with; `None` if it is missing.
    pub const fn held(column: fn(&T, &mut Json) -> Option<()>) -> Self {
        Self(Kind::Held(column))
    }

    /// A scalar that has to be loaded.
    pub fn scalar<V: Put + Send + Sync + 'static>(load: LoadOne<T, V>) -> Self {
        Self(Kind::Edge(Box::new(Scalar(load))))
    }

    /// An edge to one object, such as the page of a list. `load` finds the field with its arguments in the context.
    pub fn one<U: Written + 'static>(load: LoadOne<T, U>) -> Self {
        Self(Kind::Edge(Box::new(One(load))))
    }

    /// An edge to an object that may be null.
    pub fn maybe<U: Written + 'static>(load: LoadMaybe<T, U>) -> Self {
        Self(Kind::Edge(Box::new(Maybe(load))))
    }

    /// A list of objects that are part of this one.
    pub fn many<U: Written + 'static>(held: for<'s> fn(&'s T) -> Vec<&'s U>) -> Self {
        Self(Kind::Edge(Box::new(Many(held))))
    }

    /// An object that is part of this one.
    pub fn inner<U: Written + 'static>(held: for<'s> fn(&'s T) -> &'s U) -> Self {
        Self(Kind::Edge(Box::new(Inner(held))))
    }

    /// An object that is derived from this one.
    pub fn made<U: Written + 'static>(make: fn(&T) -> U) -> Self {
        Self(Kind::Edge(Box::new(Made(make))))
    }
}

/// Loads a value for each parent; `None` if one of the loads fails. The loads are awaited together, so that their reads are
/// batched.
pub async fn each<'s, T, U, E, F>(parents: &'s [&'s T], load: impl Fn(&'s T) -> F) -> Option<Vec<U>>
where
    F: Future<Output = Result<U, E>>,
{
    try_join_all(parents.iter().map(|parent| load(parent))).await.ok()
}

/// A declared edge.
pub(super) trait Edge<T>: Send + Sync {
    /// The edge with the selection below it; `None` if a selected field cannot be written.
    fn planned<'a>(&self, below: &'a SelectionSet, weights: &Weights<'_>) -> Option<Box<dyn Planned<T> + 'a>>;
}

/// An edge with its selection.
pub(super) trait Planned<T>: Send + Sync {
    /// Writes a piece for each parent; `None` if one of them cannot be written.
    fn write<'s>(&'s self, ctx: &'s Context<'s>, parents: &'s [&'s T]) -> BoxFuture<'s, Option<Pieces>>;
}

/// An edge with the plan for the selection below it.
struct To<'a, E, U> {
    edge: E,
    plan: Plan<'a, U>,
}

macro_rules! edge {
    ($edge:ident($load:ty), |$ctx:ident, $parents:ident, $loaded:ident, $to:ident| $write:expr) => {
        struct $edge<T, U>($load);

        impl<T: Sync + 'static, U: Written + 'static> Edge<T> for $edge<T, U> {
            fn planned<'a>(&self, below: &'a SelectionSet, weights: &Weights<'_>) -> Option<Box<dyn Planned<T> + 'a>> {
                Some(Box::new(To { edge: Self(self.0), plan: Plan::of(below, weights)? }))
            }
        }

        impl<T: Sync + 'static, U: Written + 'static> Planned<T> for To<'_, $edge<T, U>, U> {
            fn write<'s>(&'s self, $ctx: &'s Context<'s>, $parents: &'s [&'s T]) -> BoxFuture<'s, Option<Pieces>> {
                let ($loaded, $to) = (self.edge.0, &self.plan);
                async move { $write }.boxed()
            }
        }
    };
}

edge!(One(LoadOne<T, U>), |ctx, parents, load, plan| {
    let loaded = load(ctx, parents).await?;
    below(plan, ctx, &loaded.iter().collect::<Vec<_>>()).await
});

edge!(Inner(for<'s> fn(&'s T) -> &'s U), |ctx, parents, held, plan| {
    let inner: Vec<&U> = parents.iter().map(|parent| held(parent)).collect();
    below(plan, ctx, &inner).await
});

edge!(Made(fn(&T) -> U), |ctx, parents, make, plan| {
    let made: Vec<U> = parents.iter().map(|parent| make(parent)).collect();
    below(plan, ctx, &made.iter().collect::<Vec<_>>()).await
});

edge!(Maybe(LoadMaybe<T, U>), |ctx, parents, load, plan| {
    let loaded = load(ctx, parents).await?;
    let there = below(plan, ctx, &loaded.iter().flatten().collect::<Vec<_>>()).await?;
    let mut pieces = Pieces::with_room(parents.len());
    let mut next = 0..;
    for object in &loaded {
        match object.as_ref().and_then(|_| next.next()) {
            Some(index) => pieces.json().push(there.piece(index)),
            None => pieces.json().push(b"null"),
        }
        pieces.end();
    }
    (pieces.cost, pieces.things) = (there.cost, parents.len() as u64);
    Some(pieces)
});

edge!(Many(for<'s> fn(&'s T) -> Vec<&'s U>), |ctx, parents, held, plan| {
    let (mut items, mut ends) = (Vec::new(), Vec::with_capacity(parents.len()));
    for parent in parents {
        items.append(&mut held(parent));
        ends.push(items.len());
    }
    let items = below(plan, ctx, &items).await?;
    let (mut pieces, mut start) = (Pieces::with_room(parents.len()), 0);
    for end in ends {
        items.list(start..end, pieces.json());
        pieces.end();
        start = end;
    }
    (pieces.cost, pieces.things) = (items.cost, start as u64);
    Some(pieces)
});

/// Writes the selection on the objects that a field returns.
async fn below<U: Written + 'static>(plan: &Plan<'_, U>, ctx: &Context<'_>, objects: &[&U]) -> Option<Pieces> {
    let ctx = ctx.with_selection_set(&ctx.item.node.selection_set);
    write(plan, &ctx, objects).await
}

struct Scalar<T, V>(LoadOne<T, V>);

impl<T: Sync + 'static, V: Put + Send + Sync + 'static> Edge<T> for Scalar<T, V> {
    fn planned<'a>(&self, _: &'a SelectionSet, _: &Weights<'_>) -> Option<Box<dyn Planned<T> + 'a>> {
        Some(Box::new(Self(self.0)))
    }
}

impl<T: Sync + 'static, V: Put + Send + Sync + 'static> Planned<T> for Scalar<T, V> {
    fn write<'s>(&'s self, ctx: &'s Context<'s>, parents: &'s [&'s T]) -> BoxFuture<'s, Option<Pieces>> {
        async move {
            let mut pieces = Pieces::with_room(parents.len());
            for value in (self.0)(ctx, parents).await? {
                pieces.json().put(&value);
                pieces.end();
            }
            pieces.things = parents.len() as u64;
            Some(pieces)
        }
        .boxed()
    }
}
