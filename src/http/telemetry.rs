//! What the transports count. Operation names come from clients, so only the first of them become labels.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use metrics::{counter, gauge, histogram};

use crate::http::endpoint::Cost;
use crate::http::operation::Kind;
use crate::http::service::Transport;

/// How many names of operations become labels; the rest is counted as `other`.
const MAX_NAMES: usize = 300;

/// The names seen so far.
#[derive(Debug, Default)]
pub struct Telemetry {
    names: RwLock<HashSet<Arc<str>>>,
}

impl Telemetry {
    /// The label for an operation's name.
    fn label(&self, name: Option<&Arc<str>>) -> Arc<str> {
        let Some(name) = name else { return "anonymous".into() };
        if self.names.read().unwrap_or_else(PoisonError::into_inner).contains(name) {
            return Arc::clone(name);
        }
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= MAX_NAMES || name.len() > 100 {
            return "other".into();
        }
        names.insert(Arc::clone(name));
        Arc::clone(name)
    }

    /// An operation is over.
    pub fn operation(
        &self,
        transport: Transport,
        kind: Kind,
        name: Option<&Arc<str>>,
        code: Option<&str>,
        since: Instant,
    ) {
        let operation = self.label(name).to_string();
        let code = code.unwrap_or("OK").to_owned();
        histogram!("graphql_operation_seconds", "operation" => operation.clone(), "kind" => kind.as_str())
            .record(since.elapsed());
        counter!(
            "graphql_operations_total",
            "operation" => operation, "kind" => kind.as_str(), "code" => code, "transport" => transport.as_str()
        )
        .increment(1);
    }

    /// What an operation was charged before it ran, and what it came to.
    pub fn cost(&self, name: Option<&Arc<str>>, cost: Cost) {
        let operation = self.label(name).to_string();
        counter!("graphql_cost_points_total", "operation" => operation.clone(), "stage" => "requested")
            .increment(cost.requested);
        counter!("graphql_cost_points_total", "operation" => operation, "stage" => "actual").increment(cost.actual);
    }

    /// A request was refused before there was an operation.
    pub fn refused(transport: Transport, code: &str) {
        counter!("graphql_refused_total", "code" => code.to_owned(), "transport" => transport.as_str()).increment(1);
    }

    /// A message went to a subscriber.
    pub fn delivered(transport: Transport) {
        counter!("graphql_events_delivered_total", "transport" => transport.as_str()).increment(1);
    }

    /// A socket was closed with this code.
    pub fn socket_closed(code: u16) {
        counter!("graphql_sockets_closed_total", "code" => code.to_string()).increment(1);
    }
}

/// Something that is going on, counted until it is dropped.
#[derive(Debug)]
pub struct Ongoing {
    gauge: &'static str,
    transport: Transport,
}

impl Ongoing {
    /// A query or mutation.
    pub fn operation(transport: Transport) -> Self {
        Self::start("graphql_operations_in_flight", transport)
    }

    /// A subscription.
    pub fn subscription(transport: Transport) -> Self {
        Self::start("graphql_subscriptions", transport)
    }

    /// A socket.
    pub fn socket() -> Self {
        Self::start("graphql_sockets", Transport::WebSocket)
    }

    fn start(gauge: &'static str, transport: Transport) -> Self {
        gauge!(gauge, "transport" => transport.as_str()).increment(1.0);
        Self { gauge, transport }
    }
}

impl Drop for Ongoing {
    fn drop(&mut self) {
        gauge!(self.gauge, "transport" => self.transport.as_str()).decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_invents_names_does_not_invent_labels() {
        let telemetry = Telemetry::default();
        for n in 0..MAX_NAMES {
            telemetry.label(Some(&format!("Op{n}").into()));
        }
        assert_eq!(&*telemetry.label(Some(&"New".into())), "other");
        assert_eq!(&*telemetry.label(Some(&"Op7".into())), "Op7");
        assert_eq!(&*telemetry.label(None), "anonymous");
    }
}
