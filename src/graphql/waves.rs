//! When the reads of a level are sent to the database: once the operation has nothing else to do.
//!
//! The executor polls the fields of a list in an unpredictable order, and wakes them one by one. So instead of waiting
//! for a number of turns, the whole execution is observed: while it makes progress, reads are collected; when it is
//! idle and no earlier wave is in progress, everything collected is sent together. The number of statements then
//! depends on the shape of an operation and not on the number of its rows.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use async_graphql::extensions::{
    Extension, ExtensionContext, ExtensionFactory, NextExecute, NextResolve, NextValidation, ResolveInfo,
};
use async_graphql::{Response, ServerError, ServerResult, ValidationResult, Value, async_trait};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use futures::task::AtomicWaker;

use super::executable::known_valid;
use super::limits::{Deadline, deadline};
use super::loaders::Loaders;

/// Drives the [`Loaders`] in the request data, through each of its executions: one for a query or a mutation, one per
/// event for a subscription. Each of their fields has the deadline of the request, and what is executed was validated
/// before. All of this is one extension, because each additional one costs a box per field; what runs most often does
/// without (`graphql::executable`).
#[derive(Debug, Clone, Copy, Default)]
pub struct Waves;

impl ExtensionFactory for Waves {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Driven::default())
    }
}

#[derive(Default)]
struct Driven {
    deadline: deadline::Operation,
}

#[async_trait::async_trait]
impl Extension for Driven {
    async fn validation(
        &self,
        _ctx: &ExtensionContext<'_>,
        _next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        Ok(known_valid())
    }

    async fn execute(
        &self,
        ctx: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        let mut response = match ctx.data_opt::<Arc<Loaders>>() {
            Some(loaders) => drive(loaders, ctx.data_opt().copied(), next.run(ctx, operation_name)).await,
            None => next.run(ctx, operation_name).await,
        };
        self.deadline.tell(&mut response);
        response
    }

    async fn resolve(
        &self,
        ctx: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> ServerResult<Option<Value>> {
        // Mutations are executed one after the other (specification, 6.2.2), and each shows what those before it have
        // changed.
        let is_mutation = ctx.schema_env.registry.mutation_type.as_deref() == Some(info.parent_type);
        if let (true, Some(loaders)) = (is_mutation, ctx.data_opt::<Arc<Loaders>>()) {
            loaders.forget();
        }
        self.deadline.in_time(ctx, info, next).await
    }
}

/// Runs `work` to its end and sends, wave by wave, what it requests from `loaders`. What they have not delivered at the
/// deadline fails with an error, and so does every later request.
pub async fn drive<F: Future>(loaders: &Loaders, deadline: Option<Deadline>, work: F) -> F::Output {
    let _driven = loaders.driven();
    let mut work = pin!(work);
    let mut trips = FuturesUnordered::new();
    let mut late = pin!(deadline.map(|deadline| async move {
        tokio::time::sleep_until(deadline.at).await;
        deadline
    }));
    let progress = Arc::new(Progress { possible: AtomicBool::new(true), task: AtomicWaker::new() });
    let waker = Waker::from(Arc::clone(&progress));
    std::future::poll_fn(|cx| {
        progress.task.register(cx.waker());
        loop {
            while let Poll::Ready(Some(())) = trips.poll_next_unpin(cx) {}
            if progress.possible.swap(false, Ordering::AcqRel)
                && let Poll::Ready(output) = work.as_mut().poll(&mut Context::from_waker(&waker))
            {
                return Poll::Ready(output);
            }
            // It woke itself, and with it this task: it yielded for a moment and is not idle.
            if progress.possible.load(Ordering::Acquire) {
                return Poll::Pending;
            }
            if let Some(Poll::Ready(deadline)) = late.as_mut().as_pin_mut().map(|late| late.poll(cx)) {
                late.set(None);
                trips.clear();
                loaders.give_up(deadline);
                continue;
            }
            if !trips.is_empty() {
                return Poll::Pending;
            }
            trips.extend(loaders.depart());
            if trips.is_empty() {
                return Poll::Pending;
            }
        }
    })
    .await
}

/// Whether the work was woken since it was last polled.
struct Progress {
    possible: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Progress {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.possible.store(true, Ordering::Release);
        self.task.wake();
    }
}
