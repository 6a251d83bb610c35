//! Objects that mostly consist of plain columns: their ready fields are resolved in one step.
//!
//! For every field, the executor allocates a future, a place in a set of futures and a waker, which costs more than the
//! column itself. Here, fields without a selection set are polled immediately, and only those that are not ready take
//! that way. Those are polled twice, so they must not wait for anything other than the loaders of the request, which
//! query the database once.

use std::borrow::Cow;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, Waker};

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{Field, Selection};
use async_graphql::registry::Registry;
use async_graphql::{ContextSelectionSet, Name, ObjectType, OutputType, Positioned, ServerResult, Value};
use futures::FutureExt as _;
use futures::future::join_all;

use super::loaders::Loaders;
use super::written::{self, Written};

/// An object that is resolved in this way. In the schema it is the object itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtOnce<T>(pub T);

/// A list of objects that are each resolved in this way. In the schema it is the list itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllAtOnce<'t, T>(pub Vec<&'t T>);

impl<T: Written> OutputType for AtOnce<T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn qualified_type_name() -> String {
        T::qualified_type_name()
    }

    fn introspection_type_name(&self) -> Cow<'static, str> {
        self.0.introspection_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        if let Some(answer) = written::one(&self.0, ctx).await {
            return Ok(answer);
        }
        let Some(fields) = plain_fields(ctx) else { return self.0.resolve(ctx, field).await };
        let begun = Begun::of(&self.0, ctx, &fields, blank(&fields));
        Ok(if begun.waiting.is_empty() { begun.value() } else { begun.finish(&self.0, ctx).await })
    }
}

impl<T: Written> OutputType for AllAtOnce<'_, T> {
    fn type_name() -> Cow<'static, str> {
        Vec::<T>::type_name()
    }

    fn qualified_type_name() -> String {
        Vec::<T>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Vec::<T>::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        if let Some(answer) = written::all(&self.0, ctx).await {
            return Ok(answer);
        }
        let Some(fields) = plain_fields(ctx) else {
            let objects = self.0.iter();
            return async_graphql::resolver_utils::resolve_list(ctx, field, objects, Some(self.0.len())).await;
        };
        let blank = blank(&fields);
        let mut answers = Vec::with_capacity(self.0.len());
        let mut waiting = Vec::new();
        for (index, &object) in self.0.iter().enumerate() {
            let begun = Begun::of(object, &ctx.with_index(index), &fields, blank.clone());
            if begun.waiting.is_empty() {
                answers.push(begun.value());
            } else {
                answers.push(Value::Null);
                waiting.push(async move { (index, begun.finish(object, &ctx.with_index(index)).await) }.boxed());
            }
        }
        for (index, answer) in join_all(waiting).await {
            answers[index] = answer;
        }
        Ok(Value::List(answers))
    }
}

/// An empty response object, copied for each object of a list, so that the names are hashed only once.
fn blank(fields: &[&Positioned<Field>]) -> IndexMap<Name, Value> {
    fields.iter().map(|field| (field.node.response_key().node.clone(), Value::Null)).collect()
}

/// An object with those of its fields that were ready.
struct Begun<'a> {
    /// Each field in its position.
    answer: IndexMap<Name, Value>,
    waiting: Vec<(usize, &'a Positioned<Field>)>,
    failed: Vec<&'a Name>,
}

impl<'a> Begun<'a> {
    /// Resolves the fields that have no selection set.
    fn of<T: ObjectType>(
        object: &T,
        ctx: &ContextSelectionSet<'_>,
        fields: &[&'a Positioned<Field>],
        blank: IndexMap<Name, Value>,
    ) -> Self {
        let mut begun = Self { answer: blank, waiting: Vec::new(), failed: Vec::new() };
        for (place, &field) in fields.iter().enumerate() {
            let ready = match field.node.selection_set.node.items.is_empty() {
                // Polled where it is created: the futures of large objects are large.
                true => {
                    let ctx = ctx.with_field(field);
                    pin!(object.resolve_field(&ctx)).poll(&mut Task::from_waker(Waker::noop()))
                }
                false => Poll::Pending,
            };
            match ready {
                Poll::Ready(value) => begun.put(ctx, place, field, value),
                // A field that has to wait is resolved again by a future that can.
                Poll::Pending => begun.waiting.push((place, field)),
            }
        }
        begun
    }

    fn put(
        &mut self,
        ctx: &ContextSelectionSet<'_>,
        place: usize,
        field: &'a Positioned<Field>,
        value: ServerResult<Option<Value>>,
    ) {
        match (value, self.answer.get_index_mut(place)) {
            (Ok(value), Some((_, answer))) => *answer = value.unwrap_or_default(),
            // The fields are those that it was created with.
            (Ok(_), None) => {}
            (Err(error), _) => {
                self.failed.push(&field.node.response_key().node);
                ctx.add_error(error);
            }
        }
    }

    /// Waits for the other fields, all at the same time.
    async fn finish<T: ObjectType>(mut self, object: &T, ctx: &ContextSelectionSet<'_>) -> Value {
        let resolved = |(place, field): (usize, &'a Positioned<Field>)| {
            async move {
                let ctx = ctx.with_field(field);
                (place, field, object.resolve_field(&ctx).await)
            }
            .boxed()
        };
        // They wait for the same things, so they are polled together.
        for (place, field, value) in join_all(std::mem::take(&mut self.waiting).into_iter().map(resolved)).await {
            self.put(ctx, place, field, value);
        }
        self.value()
    }

    /// Fields that failed are omitted, as in the executor.
    fn value(mut self) -> Value {
        for name in self.failed {
            self.answer.shift_remove(name);
        }
        if self.answer.is_empty() { Value::Null } else { Value::Object(self.answer) }
    }
}

/// The selection, if it only consists of fields with distinct names.
fn plain_fields<'a>(ctx: &ContextSelectionSet<'a>) -> Option<Vec<&'a Positioned<Field>>> {
    // With foreign loaders, whose waits cannot be told apart from others, only the executor is used.
    if ctx.data_opt::<Arc<Loaders>>().is_some_and(|loaders| loaders.are_others()) {
        return None;
    }
    let selected = &ctx.item.node.items;
    let mut fields = Vec::<&Positioned<Field>>::with_capacity(selected.len());
    for selection in selected {
        let Selection::Field(field) = &selection.node else { return None };
        let name = field.node.response_key();
        let is_plain = field.node.directives.is_empty() && field.node.name.node != "__typename";
        if !is_plain || fields.iter().any(|other| other.node.response_key().node == name.node) {
            return None;
        }
        fields.push(field);
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::{EmptyMutation, EmptySubscription, Object, Result, Schema};

    struct Query;
    #[derive(Clone, Copy)]
    struct Room(i32);

    #[Object]
    impl Query {
        async fn room(&self) -> Room {
            Room(1)
        }
        async fn at_once(&self) -> AtOnce<Room> {
            AtOnce(Room(1))
        }
        async fn rooms(&self) -> Vec<Room> {
            vec![Room(1), Room(2)]
        }
        async fn all_at_once(&self) -> AllAtOnce<'static, Room> {
            AllAtOnce(vec![&Room(1), &Room(2)])
        }
    }

    impl Written for Room {}

    #[Object]
    impl Room {
        async fn name(&self) -> String {
            format!("room {}", self.0)
        }
        async fn size(&self, times: Option<i32>) -> i32 {
            self.0 * times.unwrap_or(1)
        }
        async fn slow(&self) -> i32 {
            tokio::task::yield_now().await;
            7
        }
        async fn next(&self) -> AtOnce<Room> {
            tokio::task::yield_now().await;
            AtOnce(Room(self.0 + 1))
        }
        async fn nobody(&self) -> Option<AtOnce<Room>> {
            None
        }
        async fn broken(&self) -> Result<i32> {
            Err("broken".into())
        }
    }

    async fn answered(query: String) -> String {
        let response = Schema::new(Query, EmptyMutation, EmptySubscription).execute(query).await;
        let mut errors: Vec<_> =
            response.errors.iter().map(|error| format!("{:?} {}", error.path, error.message)).collect();
        errors.sort();
        let Value::Object(mut data) = response.data else { panic!("{errors:?}") };
        let mut answer = data.swap_remove("answer").unwrap_or_default();
        sort(&mut answer);
        format!("{answer} {errors:?}")
    }

    fn sort(answer: &mut Value) {
        match answer {
            Value::Object(fields) => fields.sort_keys(),
            Value::List(items) => items.iter_mut().for_each(sort),
            _ => {}
        }
    }

    #[tokio::test]
    async fn it_answers_as_the_object_itself() {
        for selection in [
            "name size",
            "a: name b: size(times: 3) slow",
            "slow next { name next { size slow } } name other: next { name }",
            "name ...F ... on Room { size } __typename",
            "next { name } next { size }",
            "nobody { name } name",
            "name broken next { broken slow }",
            "broken",
        ] {
            let fragment = if selection.contains("...F") { "fragment F on Room { slow }" } else { "" };
            let query = |field: &str| format!("{{ answer: {field} {{ {selection} }} }} {fragment}");
            assert_eq!(answered(query("atOnce")).await, answered(query("room")).await, "{selection}");
            assert_eq!(answered(query("allAtOnce")).await, answered(query("rooms")).await, "{selection}");
        }
    }

    #[test]
    fn in_the_schema_it_is_the_object_itself() {
        let sdl = Schema::new(Query, EmptyMutation, EmptySubscription).sdl();
        assert!(
            sdl.contains("atOnce: Room!") && sdl.contains("nobody: Room\n") && sdl.contains("allAtOnce: [Room!]!"),
            "{sdl}"
        );
    }
}
