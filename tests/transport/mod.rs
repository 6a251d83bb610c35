//! The transports over a real connection, with a toy schema.

mod documents;
mod drain;
mod frames;
mod http;
mod legacy;
mod limits;
mod probes;
mod specification;
mod streams;
mod toy;
mod websocket;
mod wire;
