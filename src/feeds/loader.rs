//! What happened to a thing, as the event log has it: a list edge that every room with events has for nothing.

use std::marker::PhantomData;

use diesel::ExpressionMethods;

use crate::db::tables::events;
use crate::events::model::Row;
use crate::events::{Event, Logged};
use crate::graphql::cursor::Position;
use crate::graphql::edges::{ListEdge, Unique};
use crate::graphql::keyset::Condition;
use crate::ids::Id;

/// The events that are an `E` of one thing, oldest first: its history, as far back as [`Event::SUBJECTS`] keeps it. Those
/// that this version cannot read are left out.
#[derive(Debug)]
pub struct EventsOf<E>(PhantomData<E>);

impl<E: Event> ListEdge for EventsOf<E> {
    type Parent = E::Subject;
    type Under = events::subject;
    type SortedBy = Unique<events::seq>;
    type Row = Row;
    type Item = Logged<E>;
    type Filter = ();
    const CONNECTIONS: usize = 2;

    fn parent(event: &Logged<E>) -> Id<E::Subject> {
        event.subject()
    }

    fn position(event: &Logged<E>, (): &()) -> Position {
        Position::numbered(event.seq.0, event.about.subject)
    }

    fn conditions((): &()) -> Vec<Condition<events::table>> {
        vec![Box::new(events::kind.eq(E::KIND))]
    }
}
