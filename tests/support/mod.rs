//! What the whole-server tests share.

pub mod proxy;
