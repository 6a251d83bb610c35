//! The metrics of the transports. Operation names come from clients, so only the first of them become labels.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use crate::http::endpoint::Cost;
use crate::http::operation::Kind;
use crate::http::service::Transport;

/// The number of series of operations by name; further names are counted as [`OTHER`].
const MOST_SERIES: usize = 500;
const LONGEST_NAME: usize = 100;
const OTHER: &str = "other";

/// The counts so far, by label.
#[derive(Debug, Default)]
pub struct Telemetry {
    series: RwLock<HashMap<Labels, Arc<Series>>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Labels {
    name: Option<Arc<str>>,
    kind: Kind,
    transport: Transport,
}

/// The counters of operations with the same labels, looked up once.
pub struct Series {
    labels: Labels,
    succeeded: Counter,
    seconds: Histogram,
    requested: Counter,
    actual: Counter,
    in_flight: Gauge,
}

impl fmt::Debug for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Series").field("labels", &self.labels).finish_non_exhaustive()
    }
}

impl Telemetry {
    /// The series of operations with this name.
    pub fn series(&self, transport: Transport, kind: Kind, name: Option<&Arc<str>>) -> Arc<Series> {
        let mut labels = Labels { name: name.cloned(), kind, transport };
        let known = self.series.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = known.get(&labels) {
            return Arc::clone(series);
        }
        if name.is_some_and(|name| name.len() > LONGEST_NAME || known.len() >= MOST_SERIES) {
            // Clients that make up names must not slow down others: their names are only looked up, not inserted.
            labels.name = Some(OTHER.into());
            if let Some(series) = known.get(&labels) {
                return Arc::clone(series);
            }
        }
        drop(known);
        let mut known = self.series.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(labels.clone()).or_insert_with(|| Arc::new(Series::new(labels))))
    }

    /// A request was rejected before there was an operation.
    pub fn refused(transport: Transport, code: &str) {
        counter!("graphql_refused_total", "code" => code.to_owned(), "transport" => transport.as_str()).increment(1);
    }

    /// A message was sent to a subscriber.
    pub fn delivered(transport: Transport) {
        counter!("graphql_events_delivered_total", "transport" => transport.as_str()).increment(1);
    }

    /// A WebSocket was closed with this code.
    pub fn socket_closed(code: u16) {
        counter!("graphql_sockets_closed_total", "code" => code.to_string()).increment(1);
    }
}

impl Series {
    fn new(labels: Labels) -> Self {
        let name = labels.name.as_deref().unwrap_or("anonymous").to_owned();
        let kind = labels.kind.as_str();
        let cost =
            |stage: &'static str| counter!("graphql_cost_points_total", "operation" => name.clone(), "stage" => stage);
        Self {
            succeeded: labels.ended_with("OK"),
            seconds: histogram!("graphql_operation_seconds", "operation" => name.clone(), "kind" => kind),
            requested: cost("requested"),
            actual: cost("actual"),
            in_flight: gauge!("graphql_operations_in_flight", "transport" => labels.transport.as_str()),
            labels,
        }
    }

    /// An operation is over.
    pub fn ended(&self, code: Option<&str>, since: Instant) {
        self.seconds.record(since.elapsed());
        match code {
            None => self.succeeded.increment(1),
            Some(code) => self.labels.ended_with(code).increment(1),
        }
    }

    /// What an operation was charged before execution, and its actual cost.
    pub fn cost(&self, cost: Cost) {
        self.requested.increment(cost.requested);
        self.actual.increment(cost.actual);
    }
}

impl Labels {
    fn ended_with(&self, code: &str) -> Counter {
        let operation = self.name.as_deref().unwrap_or("anonymous").to_owned();
        let (kind, transport, code) = (self.kind.as_str(), self.transport.as_str(), code.to_owned());
        counter!("graphql_operations_total", "operation" => operation, "kind" => kind, "code" => code, "transport" => transport)
    }
}

/// Something in progress, counted until it is dropped.
pub struct Ongoing(Gauge);

impl Ongoing {
    /// A query or mutation.
    pub fn operation(series: &Series) -> Self {
        Self::start(series.in_flight.clone())
    }

    /// A subscription.
    pub fn subscription(transport: Transport) -> Self {
        Self::start(gauge!("graphql_subscriptions", "transport" => transport.as_str()))
    }

    /// A socket.
    pub fn socket() -> Self {
        Self::start(gauge!("graphql_sockets", "transport" => Transport::WebSocket.as_str()))
    }

    fn start(gauge: Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for Ongoing {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_invents_names_does_not_invent_labels() {
        let telemetry = Telemetry::default();
        let name_of = |name: &str| {
            let series = telemetry.series(Transport::Http, Kind::Query, Some(&name.into()));
            series.labels.name.clone()
        };
        for n in 0..MOST_SERIES {
            name_of(&format!("Op{n}"));
        }
        assert_eq!(name_of("New").as_deref(), Some("other"));
        assert_eq!(name_of("Op7").as_deref(), Some("Op7"));
        assert_eq!(telemetry.series(Transport::Http, Kind::Query, None).labels.name, None);
    }

    #[test]
    fn a_long_name_is_no_label() {
        let series = Telemetry::default().series(Transport::Http, Kind::Query, Some(&"x".repeat(101).into()));
        assert_eq!(series.labels.name.as_deref(), Some("other"));
    }
}
