//! What happened to a thing, as the event log has it: a list edge that every room with events has for nothing.

use std::marker::PhantomData;

use diesel::ExpressionMethods;

use crate::db::tables::events;
use crate::events::model::Row;
use crate::events::{Event, Logged};
use crate::graphql::cursor::Position;
use crate::graphql::edges::{ListEdge, Order, Unique};
use crate::graphql::keyset::{Condition, OrderDirection};
use crate::graphql::time::TimeRange;
use crate::ids::Id;

/// Which events of a history, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// Only those that happened within this time.
    pub at: TimeRange,
    /// Oldest or newest first.
    pub direction: OrderDirection,
}

/// The events that are an `E` of one thing, oldest first by default: its history, as far back as [`Event::SUBJECTS`] keeps it. Those
/// that this version cannot read are left out.
#[derive(Debug)]
pub struct EventsOf<E>(PhantomData<E>);

impl<E: Event> ListEdge for EventsOf<E> {
    type Parent = E::Subject;
    type Under = events::subject;
    type SortedBy = Unique<events::seq>;
    type Row = Row;
    type Item = Logged<E>;
    type Filter = Span;
    const CONNECTIONS: usize = 2;

    fn parent(event: &Row) -> Id<E::Subject> {
        Id::from_uuid(event.subject())
    }

    fn order(span: &Span) -> Order<events::table> {
        // The numbers are in the order of time.
        Order::by::<Self::SortedBy>(span.direction)
    }

    fn position(event: &Row, _: &Span) -> Position {
        Position::numbered(event.seq().0, event.subject())
    }

    fn conditions(span: &Span) -> Vec<Condition<events::table>> {
        let mut conditions: Vec<Condition<events::table>> = vec![Box::new(events::kind.eq(E::KIND))];
        if let Some(from) = span.at.from {
            conditions.push(Box::new(events::at.ge(from)));
        }
        if let Some(to) = span.at.to {
            conditions.push(Box::new(events::at.lt(to)));
        }
        conditions
    }
}
