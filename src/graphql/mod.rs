//! The toolkit every room builds with: ids, errors, limits, connections and loaders. No domain in here.

pub mod at_once;
pub mod coercion;
pub mod collapse;
pub mod collect;
pub mod connection;
pub mod context;
pub mod cursor;
pub mod deprecated;
pub mod edges;
pub mod errors;
pub mod executable;
pub mod feed;
pub mod ids;
pub mod keyset;
mod lexer;
pub mod likeness;
pub mod limits;
pub mod loaders;
pub mod names;
pub mod nesting;
pub mod nul;
pub mod other_loaders;
pub mod scalars;
pub mod shape;
#[cfg(test)]
mod shape_tests;
pub mod shares;
pub mod syntax;
pub mod validation;
pub mod waves;

pub use at_once::{AllAtOnce, AtOnce};
pub use errors::{ApiResult, IntoGraphql};
