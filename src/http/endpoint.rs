//! What every transport shares: the service, the settings, and how one operation is run, timed and counted.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_graphql::Response;
use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, StreamExt as _};

use crate::error::{ApiError, Code};
use crate::graphql::errors::complete;
use crate::graphql::limits::Deadline;
use crate::http::answer;
use crate::http::lifecycle::Lifecycle;
use crate::http::operation::{Kind, Operation};
use crate::http::params::Params;
use crate::http::service::{Frame, GraphqlService, RequestMeta};
use crate::http::settings::HttpSettings;
use crate::http::telemetry::{Ongoing, Telemetry};

/// After the deadline, fields that are late answer with an error; an operation that does not even do that is ended.
const GRACE_AFTER_DEADLINE: Duration = Duration::from_secs(1);

/// The GraphQL endpoint. A clone is the same endpoint.
#[derive(Debug)]
pub struct Endpoint<S> {
    inner: Arc<Inner<S>>,
}

#[derive(Debug)]
struct Inner<S> {
    service: S,
    settings: HttpSettings,
    lifecycle: Lifecycle,
    sockets: SocketCounts,
    telemetry: Telemetry,
}

impl<S> Clone for Endpoint<S> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<S: GraphqlService> Endpoint<S> {
    /// An endpoint for `service`.
    pub fn new(service: S, settings: HttpSettings, lifecycle: Lifecycle) -> Self {
        let (sockets, telemetry) = (SocketCounts::default(), Telemetry::default());
        Self { inner: Arc::new(Inner { service, settings, lifecycle, sockets, telemetry }) }
    }

    /// The program behind the transports.
    pub fn service(&self) -> &S {
        &self.inner.service
    }

    /// What the operator decided.
    pub fn settings(&self) -> &HttpSettings {
        &self.inner.settings
    }

    /// The server's life.
    pub fn lifecycle(&self) -> &Lifecycle {
        &self.inner.lifecycle
    }

    /// The sockets that are open, by user.
    pub fn sockets(&self) -> &SocketCounts {
        &self.inner.sockets
    }

    /// Reads and measures an operation of this caller.
    pub fn prepare(&self, caller: &S::Caller, params: Params, meta: &RequestMeta) -> Result<Operation, Box<Response>> {
        Operation::prepare(params, &self.service().limits(caller), &meta.request_id).inspect_err(|response| {
            Telemetry::refused(meta.transport, answer::code(response).unwrap_or(Code::BadUserInput.as_str()));
        })
    }

    /// Runs a query or mutation within its deadline. A panic of a resolver is an INTERNAL error of this operation.
    pub async fn run(&self, caller: &S::Caller, operation: Operation, mut meta: RequestMeta) -> Response {
        let (since, _ongoing) = (Instant::now(), Ongoing::operation(meta.transport));
        let allowed = self.settings().operation_timeout;
        let deadline = Deadline::after(allowed);
        meta.deadline = Some(deadline);
        let (transport, request_id) = (meta.transport, meta.request_id.clone());
        let Operation { request, kind, name, .. } = operation;
        let request = request.data(deadline).data(request_id.clone());
        let execution = AssertUnwindSafe(self.service().execute(caller, request, meta)).catch_unwind();
        let mut response = match tokio::time::timeout_at(deadline.at + GRACE_AFTER_DEADLINE, execution).await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => answer::refusal(ApiError::internal("a resolver panicked"), &request_id),
            Err(_) => answer::refusal(
                ApiError::new(Code::Timeout, format!("the operation's deadline of {} ms passed", allowed.as_millis())),
                &request_id,
            ),
        };
        complete(&mut response, &request_id);
        self.inner.telemetry.operation(transport, kind, name.as_ref(), answer::code(&response), since);
        response
    }

    /// Runs any operation as a stream of frames: a query is a stream of one. `Err` is a defect.
    pub fn stream(
        &self,
        caller: &S::Caller,
        operation: Operation,
        meta: RequestMeta,
    ) -> BoxStream<'static, Result<Frame, Panicked>> {
        if operation.kind != Kind::Subscription {
            let (endpoint, caller) = (self.clone(), caller.clone());
            return stream::once(async move {
                let response = endpoint.run(&caller, operation, meta).await;
                Ok(Frame::from_response(&response, None))
            })
            .boxed();
        }
        let (since, ongoing) = (Instant::now(), Ongoing::subscription(meta.transport));
        let transport = meta.transport;
        let Operation { request, kind, name, .. } = operation;
        let request = request.data(meta.request_id.clone());
        let frames = self.service().subscribe(caller, request, meta);
        self.inner.telemetry.operation(transport, kind, name.as_ref(), None, since);
        AssertUnwindSafe(frames)
            .catch_unwind()
            .map(move |frame| {
                let _counted_while_it_lives = &ongoing;
                Telemetry::delivered(transport);
                frame.map_err(|_| Panicked)
            })
            .boxed()
    }
}

/// A subscription died of a defect; the log has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Panicked;

/// How many sockets each user has.
#[derive(Debug, Clone, Default)]
pub struct SocketCounts(Arc<Mutex<HashMap<Arc<str>, usize>>>);

impl SocketCounts {
    /// Counts one more socket of `principal`, unless there are `allowed` already.
    pub fn open(&self, principal: Arc<str>, allowed: usize) -> Option<OpenSocket> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(Arc::clone(&principal)).or_default();
        if *count >= allowed {
            return None;
        }
        *count += 1;
        Some(OpenSocket { counts: self.clone(), principal })
    }
}

/// A socket that is counted until this is dropped.
#[derive(Debug)]
pub struct OpenSocket {
    counts: SocketCounts,
    principal: Arc<str>,
}

impl Drop for OpenSocket {
    fn drop(&mut self) {
        let mut counts = self.counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.principal) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.principal);
            }
        }
    }
}
