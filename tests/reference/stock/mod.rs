//! A server for the same schema built from stock crates: async-graphql-axum for HTTP and WebSocket, async-graphql's own
//! parser, validation and executor, and the crate dataloader for the loaders. The differential test compares the server
//! with it, and the benchmark measures it.

#[path = "../../support/app.rs"]
mod app;
mod executor;
mod http;
mod loaders;
mod parts;

pub use executor::Stock;
pub use http::router;
pub use parts::parts;
