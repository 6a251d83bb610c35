//! The YAML reader for all purposes: text to nodes with their positions, nodes to JSON and to Kubernetes' own types.
//!
//! Scalars have the meaning that kubectl gives them (`scalar.rs`). The input is bounded before anything recursive looks
//! at it (`reader.rs`): an alias costs nothing until it is expanded, and the expanded size is computed beforehand.
//! Types are strict (`typed.rs`): an unknown field and a value of the wrong type are problems with a position and a
//! path.

mod comments;
mod node;
mod problem;
mod reader;
mod rewrite;
mod scalar;
#[cfg(test)]
mod tests;
mod typed;
mod words;

pub use comments::comments;
pub use node::{Content, Node};
pub use problem::{Place, Problem, shown};
pub use reader::{MAX_BYTES, MAX_DOCUMENTS, Unreadable, read};
pub use rewrite::{Found, Replacement};
pub use scalar::Plain;
pub use typed::{Root, typed};
pub(in crate::cluster) use words::nearest;
