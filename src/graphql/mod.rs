//! The toolkit every room builds with: ids, errors, limits, connections and loaders. No domain in here.

pub mod connection;
pub mod context;
pub mod cursor;
pub mod deprecated;
pub mod errors;
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
pub mod order;
pub mod scalars;
pub mod shares;
pub mod waves;

pub use errors::{ApiResult, IntoGraphql};
