//! The channels for the events of the rooms: opened before the bus starts, and put into the schema for the resolvers of
//! the feeds.

use super::{SchemaBuilder, rooms};
use crate::events::{Event, Lines};
use crate::feeds::Channel;

type Put = Box<dyn Fn(SchemaBuilder) -> SchemaBuilder + Send + Sync>;

/// A channel for each kind of event.
pub struct Channels(Vec<Put>);

impl Channels {
    /// Opens them.
    pub fn open(lines: &mut Lines) -> Self {
        let mut opening = Opening { lines, opened: Vec::new() };
        rooms::open_channels(&mut opening);
        Self(opening.opened)
    }

    /// Puts them into a schema.
    pub fn put_in(&self, builder: SchemaBuilder) -> SchemaBuilder {
        self.0.iter().fold(builder, |builder, put| put(builder))
    }
}

/// Channels that are being opened.
pub(super) struct Opening<'l> {
    lines: &'l mut Lines,
    opened: Vec<Put>,
}

impl Opening<'_> {
    /// Opens the channel for the events of type `E`.
    pub(super) fn of<E: Event>(&mut self) {
        let channel = Channel::new(self.lines.open::<E>());
        self.opened.push(Box::new(move |builder| builder.data(channel.clone())));
    }
}
