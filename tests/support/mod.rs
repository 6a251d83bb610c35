//! Support code of the whole-server tests.

pub mod app;
pub mod controllers;
pub mod database;
pub mod dev;
pub mod proxy;
pub mod s3;
pub mod serve;
pub mod session;
pub mod skip;
pub mod subscription;
