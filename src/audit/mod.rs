//! Who changed what, and when.

pub mod model;
