//! What the platform admits, beside what a cluster says of it: the embedded cluster and a real one, in the arena of the contract
//! suite of `crates/dev-cluster`.

mod fuzzing;
mod object_rules;
mod pod_rules;
mod pod_safety;
// The contract suite uses all of it.
#[allow(dead_code)]
#[path = "../crates/dev-cluster/tests/contract/pod_tables/mod.rs"]
mod pod_tables;

pub(crate) use crate::arena;
