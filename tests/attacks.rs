//! Well-known attacks on GraphQL servers, each run over HTTP against a server in production configuration.
//!
//! In production means `platform serve` with `PLAYGROUND=false` and `INTROSPECTION=false` and all else at its default.

mod inputs;
mod probes;
pub mod production;
