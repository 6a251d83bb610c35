//! The settings of the transports.

use std::time::Duration;

use crate::config::{AllowedOrigins, HttpConfig, Limits, TrustedProxies};
use crate::graphql::limits::TransportLimits;
use crate::http::documents::DocumentSettings;

/// The transports' settings.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Origins, apart from the server's own, from which pages may call the API.
    pub allowed_origins: AllowedOrigins,
    /// Whether pages of these origins can send cookies, because sessions are stored in cookies.
    pub cookie_sessions: bool,
    /// The reverse proxies whose headers about the client address are trusted.
    pub trusted_proxies: TrustedProxies,
    /// Maximum size of a request body in bytes.
    pub max_body_bytes: usize,
    /// Maximum number of operations in an HTTP request; 0 disables batching.
    pub max_batch: usize,
    /// Where documents come from besides the request.
    pub documents: DocumentSettings,
    /// The timeout for the headers of a request, from when the client connects or from the previous response.
    pub head_timeout: Duration,
    /// The timeout for the body of a request.
    pub body_timeout: Duration,
    /// How long a client may leave a response unread in full buffers before its connection is dropped.
    pub write_timeout: Duration,
    /// How long running requests and WebSockets get to finish when the server is asked to stop.
    pub drain: Duration,
    /// The settings of WebSockets.
    pub socket: SocketSettings,
}

/// What an operator decides about sockets.
#[derive(Debug, Clone)]
pub struct SocketSettings {
    /// The timeout for `connection_init`.
    pub init_timeout: Duration,
    /// The interval between pings of the server; a peer that misses two is dropped. Also the heartbeat interval of SSE
    /// and multipart.
    pub ping_every: Duration,
    /// How long a client may leave a message unread in full buffers before it is dropped.
    pub write_timeout: Duration,
    /// The maximum size of a client message in bytes.
    pub max_message_bytes: usize,
    /// The maximum number of concurrent operations per WebSocket.
    pub max_operations: usize,
}

impl HttpSettings {
    /// The settings from the configuration.
    pub fn new(http: &HttpConfig, limits: &Limits, documents: DocumentSettings) -> Self {
        Self {
            allowed_origins: http.allowed_origins.clone(),
            trusted_proxies: http.trusted_proxies.clone(),
            max_body_bytes: limits.max_body_bytes,
            max_batch: limits.max_batch,
            documents,
            drain: http.drain,
            socket: SocketSettings { max_operations: limits.max_subscriptions_per_socket, ..SocketSettings::default() },
            ..Self::default()
        }
    }

    /// The limits that clients are told.
    pub fn limits(&self) -> TransportLimits {
        TransportLimits {
            body_bytes: self.max_body_bytes,
            batch: self.max_batch,
            message_bytes: self.socket.max_message_bytes,
            socket_operations: self.socket.max_operations,
            ping_every: self.socket.ping_every,
        }
    }
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            allowed_origins: AllowedOrigins::SameOrigin,
            cookie_sessions: false,
            trusted_proxies: TrustedProxies::default(),
            max_body_bytes: 2 << 20,
            max_batch: 0,
            documents: DocumentSettings::default(),
            head_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
            drain: Duration::from_secs(20),
            socket: SocketSettings::default(),
        }
    }
}

impl Default for SocketSettings {
    fn default() -> Self {
        Self {
            init_timeout: Duration::from_secs(3),
            ping_every: Duration::from_secs(15),
            write_timeout: Duration::from_secs(30),
            max_message_bytes: 64 << 10,
            max_operations: 100,
        }
    }
}
