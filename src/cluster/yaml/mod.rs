//! YAML, read once and for all purposes: text to nodes with their places, nodes to JSON and to Kubernetes' own types.
//!
//! Scalars mean what they mean to kubectl (`scalar.rs`). What is read is bounded before anything recursive looks at it
//! (`reader.rs`): an alias costs nothing until it is replaced, and what a document becomes then is reckoned beforehand.
//! Types are strict (`typed.rs`): a field that a type does not have, and a value of another type, are problems with a
//! place and a path.

mod node;
mod problem;
mod reader;
mod scalar;
#[cfg(test)]
mod tests;
mod typed;
mod words;

pub use node::{Content, Node};
pub use problem::{Place, Problem, shown};
pub use reader::{MAX_BYTES, MAX_DOCUMENTS, Unreadable, read};
pub use scalar::Plain;
pub use typed::{Root, typed};
pub(in crate::cluster) use words::nearest;
