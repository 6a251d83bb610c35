//! The channels for the events of the rooms: opened before the bus starts, and put into the schema for the resolvers of
//! the feeds.

/// The struct `Channels`: a channel for each kind of event, as `name: type of the event`.
macro_rules! channels {
    ($($name:ident: $($event:ident)::+;)+) => {
        /// The channels for the events of the rooms.
        #[derive(Clone)]
        pub struct Channels {
            $(#[doc = concat!("The channel for `", stringify!($($event)::+), "`.")]
            pub $name: $crate::feeds::Channel<$($event)::+>,)+
        }

        impl Channels {
            /// Opens them.
            pub fn open(lines: &mut $crate::events::Lines) -> Self {
                Self { $($name: $crate::feeds::Channel::new(lines.open()),)+ }
            }

            /// Puts them into a schema.
            pub fn put_in(&self, builder: $crate::schema::SchemaBuilder) -> $crate::schema::SchemaBuilder {
                builder$(.data(self.$name.clone()))+
            }
        }
    };
}

pub(super) use channels;
