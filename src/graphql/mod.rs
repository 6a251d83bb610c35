//! The toolkit that all modules use: IDs, errors, limits, connections and loaders. It contains nothing domain-specific.

pub(crate) mod at_once;
pub(crate) mod coercion;
pub(crate) mod collapse;
pub(crate) mod collect;
pub(crate) mod connection;
pub(crate) mod context;
pub mod cursor;
pub mod deprecated;
pub mod edges;
pub mod errors;
pub mod executable;
pub mod feed;
pub(crate) mod ids;
pub(crate) mod keyset;
pub(crate) mod later;
mod lexer;
pub mod likeness;
pub mod limits;
pub mod loaders;
pub(crate) mod names;
pub(crate) mod nesting;
pub(crate) mod nul;
pub mod other_loaders;
pub(crate) mod place;
pub(crate) mod scalars;
pub(crate) mod search;
pub(crate) mod shape;
#[cfg(test)]
mod shape_tests;
pub mod shares;
pub mod syntax;
pub(crate) mod time;
pub(crate) mod validation;
pub mod waves;
pub mod written;

pub use at_once::{AllAtOnce, AtOnce};
pub use errors::{ApiResult, IntoGraphql};
pub use written::{Part, Written};
