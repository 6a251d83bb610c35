//! The transports: GraphQL over HTTP, WebSocket, server-sent events and multipart; health, metrics, the playground.
//!
//! A thin layer over axum. It knows the protocols and nothing of the domain: [`service::GraphqlService`] is the
//! interface.

pub mod answer;
mod client_address;
mod compression;
mod credentials;
mod csrf;
pub mod documents;
mod endpoint;
mod export;
mod files;
mod graphql;
mod lifecycle;
mod multipart;
pub(crate) mod negotiate;
mod objects;
pub mod operation;
pub mod params;
mod playground;
mod probes;
mod rate_headers;
mod request_id;
mod router;
mod server;
pub(crate) mod service;
mod settings;
mod sign_in;
mod sse;
mod streaming;
pub(crate) mod telemetry;
mod threads;
pub mod ws;

pub use documents::DocumentSettings;
pub use endpoint::Endpoint;
pub use lifecycle::Lifecycle;
pub use router::router;
pub use server::serve;
pub use service::{
    Answer, Credentials, Deprecated, Frame, GraphqlService, Lines, Peer, ReadinessCheck, Redirection, RequestMeta,
    Revocation, SharedAnswer, SignInRequest, SignInStep, Span, Transport,
};
pub use settings::{HttpSettings, SocketSettings};
pub use threads::Threads;
