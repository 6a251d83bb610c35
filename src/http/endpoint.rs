//! What all transports share: the service, the settings, and how an operation is run, timed and counted.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_graphql::Response;
use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, StreamExt as _};
use http::HeaderMap;

use crate::error::{ApiError, Code};
use crate::graphql::errors::{complete, without_suggestions};
use crate::graphql::executable::was_executed;
use crate::graphql::limits::{Account, Accounts, Deadline, Prepared, Principal};
use crate::http::answer::{self, Answered};
use crate::http::documents::Documents;
use crate::http::graphql::HEADERS;
use crate::http::lifecycle::Lifecycle;
use crate::http::operation::{Kind, Operation};
use crate::http::params::Params;
use crate::http::rate_headers;
use crate::http::service::{Answer, Frame, GraphqlService, RequestMeta, Transport};
use crate::http::settings::HttpSettings;
use crate::http::telemetry::{Ongoing, Telemetry};

/// After the deadline, late fields fail with an error; an operation that does not even do that is aborted after this
/// time.
const GRACE_AFTER_DEADLINE: Duration = Duration::from_secs(1);

/// The GraphQL endpoint. Clones are the same endpoint.
#[derive(Debug)]
pub struct Endpoint<S> {
    inner: Arc<Inner<S>>,
}

#[derive(Debug)]
struct Inner<S> {
    service: S,
    settings: HttpSettings,
    lifecycle: Lifecycle,
    accounts: Accounts,
    documents: Documents,
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
        let documents = Documents::new(service.costs(), settings.documents.clone());
        let (accounts, telemetry) = (Accounts::default(), Telemetry::default());
        Self { inner: Arc::new(Inner { service, settings, lifecycle, accounts, documents, telemetry }) }
    }

    /// The program behind the transports.
    pub fn service(&self) -> &S {
        &self.inner.service
    }

    /// The settings.
    pub fn settings(&self) -> &HttpSettings {
        &self.inner.settings
    }

    /// The lifecycle of the server.
    pub fn lifecycle(&self) -> &Lifecycle {
        &self.inner.lifecycle
    }

    /// What this caller is currently doing and has spent.
    pub fn account(&self, caller: &S::Caller, meta: &RequestMeta) -> Arc<Account> {
        let principal = self.service().principal(caller).unwrap_or_else(|| Principal::of_address(meta.peer.address));
        self.inner.accounts.of(principal)
    }

    /// Parses an operation of this caller that will probably be rejected, and charges for that.
    pub async fn read(&self, caller: &S::Caller, params: &Params, meta: &RequestMeta) -> Option<Prepared> {
        let limits = self.service().limits(caller);
        self.account(caller, meta).charge_refused(limits.rate);
        let document = self.inner.documents.find(params, &limits.operation).await.ok()?;
        Prepared::choose(document, params.operation_name()).ok()
    }

    /// Parses, measures and charges an operation of this caller.
    pub async fn prepare(
        &self,
        caller: &S::Caller,
        params: Params,
        meta: &RequestMeta,
    ) -> Result<Operation, Box<Response>> {
        let (limits, account) = (self.service().limits(caller), self.account(caller, meta));
        let rate = limits.rate;
        let prepared = Operation::prepare(params, &self.inner.documents, limits, &account, &meta.request_id);
        prepared.await.map_err(|mut response| {
            let code = answer::code(&response).unwrap_or(Code::BadUserInput.as_str());
            Telemetry::refused(meta.transport, code);
            // A client that waits as it was told must find enough points.
            if code != Code::RateLimited.as_str() {
                account.charge_refused(rate);
            }
            if meta.transport != Transport::WebSocket {
                rate_headers::put(&account, rate, &mut response.http_headers);
                rate_headers::put_retry_after(&mut response);
            }
            response
        })
    }

    /// Runs a query or mutation within its deadline. If a resolver panics, the operation fails with an INTERNAL error.
    pub async fn run(&self, caller: &S::Caller, operation: Operation, mut meta: RequestMeta) -> Answered {
        let since = Instant::now();
        let Operation { request, kind, name, usage, prepared, limits, mut admission, tells_cost } = operation;
        let series = self.inner.telemetry.series(meta.transport, kind, name.as_ref());
        let (_ongoing, allowed) = (Ongoing::operation(&series), limits.timeout);
        let deadline = Deadline::after(allowed);
        meta.deadline = Some(deadline);
        meta.tells_cost |= tells_cost;
        let (transport, request_id, tells_cost) = (meta.transport, meta.request_id.clone(), meta.tells_cost);
        let request =
            request.data(deadline).data(request_id.clone()).data(Arc::clone(&limits)).data(self.settings().limits());
        // Its future is large, so it is not moved any further.
        let execution = Box::pin(self.service().execute(caller, request, &prepared, meta));
        let execution = AssertUnwindSafe(execution).catch_unwind();
        let mut answer = match tokio::time::timeout_at(deadline.at + GRACE_AFTER_DEADLINE, execution).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => answer::refusal(ApiError::internal("a resolver panicked"), &request_id).into(),
            Err(_) => answer::refusal(
                ApiError::new(
                    Code::Timeout,
                    format!("the operation exceeded its deadline of {} ms", allowed.as_millis()),
                ),
                &request_id,
            )
            .into(),
        };
        let actual = match &mut answer {
            Answer::Shared(shared) => shared.cost.saturating_add(usage.input_cost).min(usage.cost),
            Answer::Own { response, cost } => {
                complete(response, &request_id);
                if !limits.operation.introspection {
                    without_suggestions(response);
                }
                // The cost of an operation that ran out of time is unknown, so nothing is refunded.
                match answer::code(response) {
                    Some(code) if code == Code::Timeout.as_str() => usage.cost,
                    _ if was_executed(response) => {
                        let cost = cost.unwrap_or_else(|| prepared.actual_cost(&response.data));
                        cost.saturating_add(usage.input_cost).min(usage.cost)
                    }
                    _ => 1,
                }
            }
        };
        let cost = Cost { requested: usage.cost, actual };
        admission.settle(cost.actual);
        let (mut headers, mut code) = (HeaderMap::new(), None);
        if let Answer::Own { response, .. } = &mut answer {
            if tells_cost {
                response.extensions.insert("cost".to_owned(), cost.to_value());
            }
            headers = std::mem::take(&mut response.http_headers);
            code = answer::code(response);
        }
        if transport != Transport::WebSocket {
            headers.reserve(HEADERS);
            rate_headers::put(admission.account(), limits.rate, &mut headers);
        }
        series.ended(code, since);
        series.cost(cost);
        tracing::debug!(
            request_id = request_id.0,
            operation = name.as_deref(),
            kind = kind.as_str(),
            code,
            cost.requested,
            cost.actual,
            took_us = since.elapsed().as_micros() as u64,
            "operation"
        );
        Answered { answer, headers, allowed: bytes(limits.operation.answer_bytes) }
    }

    /// Runs any operation as a stream of frames: a query is a stream of one. `Err` is a bug.
    pub fn stream(
        &self,
        caller: &S::Caller,
        operation: Operation,
        meta: RequestMeta,
    ) -> BoxStream<'static, Result<Frame, Panicked>> {
        if operation.kind != Kind::Subscription {
            let (endpoint, caller) = (self.clone(), caller.clone());
            return stream::once(async move { Ok(endpoint.run(&caller, operation, meta).await.frame()) }).boxed();
        }
        let (since, ongoing) = (Instant::now(), Ongoing::subscription(meta.transport));
        let transport = meta.transport;
        let Operation { request, kind, name, admission, prepared, .. } = operation;
        let request = request.data(meta.request_id.clone());
        let frames = self.service().subscribe(caller, request, prepared, meta);
        self.inner.telemetry.series(transport, kind, name.as_ref()).ended(None, since);
        AssertUnwindSafe(frames)
            .catch_unwind()
            .map(move |frame| {
                let _counted_while_it_lives = (&ongoing, &admission);
                if !matches!(frame, Ok(Frame::Begun { .. })) {
                    Telemetry::delivered(transport);
                }
                frame.map_err(|_| Panicked)
            })
            .boxed()
    }
}

fn bytes(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// A subscription ended because of a bug, which is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Panicked;

/// The cost of an operation, in points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Based on its text and variables, before it is executed.
    pub requested: u64,
    /// Based on its response.
    pub actual: u64,
}

impl Cost {
    /// In the format of `extensions.cost`.
    fn to_value(self) -> async_graphql::Value {
        async_graphql::value!({ "requested": self.requested, "actual": self.actual })
    }
}
