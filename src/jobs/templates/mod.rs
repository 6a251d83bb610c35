//! Job templates: the versions of config files that contain something to run.

pub(crate) mod filter;
pub(crate) mod loader;
pub(crate) mod model;
mod outline;
pub(crate) mod query;
pub(crate) mod types;
