//! The well-known attacks on a GraphQL server, each against a server as it runs in production, over HTTP.
//!
//! In production means `platform serve` with `PLAYGROUND=false` and `INTROSPECTION=false` and all else at its default.

mod inputs;
mod probes;
mod production;
