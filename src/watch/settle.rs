//! Writes a batch although something in it cannot be written: a batch that the database rejects is halved until the
//! rejected observation is alone, and that one is set aside. The others are written, in order.

use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use diesel::result::{DatabaseErrorKind, Error};
use futures::FutureExt;

use super::health::RoomHealth;
use super::model;
use crate::db::{Db, discard, error_chain};
use crate::error::{ApiError, Code};
use crate::reconcile::Reconciler;

/// Pause between two attempts while the database is unavailable.
const RETRY: Duration = Duration::from_millis(500);
/// Pause between two attempts for observations that were rejected for a reason that may pass.
const PAUSE: Duration = Duration::from_millis(200);
/// How often such an observation is retried before it is set aside.
const ROUNDS: usize = 3;
/// Longer than any batch takes; a connection that has not answered by then is considered dead.
const PATIENCE: Duration = Duration::from_secs(15);

/// Why observations were not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The database is unavailable.
    Away(String),
    /// The database rejects one of them for good.
    Refused(String),
    /// It may be either: a deadlock, or text that cannot be stored.
    Unsure(String),
}

/// The destination of observations.
pub(super) trait Store: Sync {
    /// The observations.
    type Observation: Sync;

    /// Writes all of them, or none.
    fn write(&self, observations: &[Self::Observation]) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Whether anything at all can be written at the moment.
    fn takes_writes(&self) -> impl Future<Output = bool> + Send;
}

/// The observations that were not written, by index in the batch, and why.
pub(super) type SetAside = Vec<(usize, String)>;

/// Writes everything in `batch` that can be written, waiting for as long as the database is unavailable.
pub(super) async fn settle<S: Store>(store: &S, batch: &[S::Observation], health: &RoomHealth) -> SetAside {
    let (mut aside, mut doubtful) = (SetAside::new(), Vec::new());
    let whole = 0..batch.len();
    let mut parts = vec![whole];
    while let Some(part) = parts.pop() {
        let middle = part.start + part.len() / 2;
        match attempt(store, &batch[part.clone()], health).await {
            Ok(()) => {}
            Err(Failure::Away(_)) => parts.push(part),
            Err(Failure::Refused(_) | Failure::Unsure(_)) if part.len() > 1 => {
                parts.extend([middle..part.end, part.start..middle]);
            }
            Err(Failure::Refused(cause)) => aside.push((part.start, cause)),
            Err(Failure::Unsure(cause)) => doubtful.push((part.start, cause)),
        }
    }
    for round in 1.. {
        if doubtful.is_empty() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        let mut still = Vec::new();
        for (place, before) in doubtful {
            match attempt(store, &batch[place..=place], health).await {
                Ok(()) => {}
                Err(Failure::Away(_)) => still.push((place, before)),
                Err(Failure::Refused(cause)) => aside.push((place, cause)),
                Err(Failure::Unsure(cause)) if round >= ROUNDS => aside.push((place, cause)),
                Err(Failure::Unsure(cause)) => still.push((place, cause)),
            }
        }
        doubtful = still;
    }
    aside
}

/// Writes once. If the database may be the cause, it is checked whether it accepts anything else; if not, it is
/// unavailable.
async fn attempt<S: Store>(store: &S, observations: &[S::Observation], health: &RoomHealth) -> Result<(), Failure> {
    let failure = match store.write(observations).await {
        Ok(()) => {
            health.wrote();
            return Ok(());
        }
        Err(Failure::Unsure(cause)) if !store.takes_writes().await => Failure::Away(cause),
        Err(failure) => failure,
    };
    if let Failure::Away(error) = &failure {
        health.failed();
        tracing::warn!(error, "the watch's observations could not be written; trying again");
        tokio::time::sleep(RETRY).await;
    }
    Err(failure)
}

/// The rows of a room.
pub(super) struct Rows<R> {
    db: Db,
    room: PhantomData<fn() -> R>,
}

impl<R> Rows<R> {
    pub(super) const fn new(db: Db) -> Self {
        Self { db, room: PhantomData }
    }
}

impl<R: Reconciler> Store for Rows<R> {
    type Observation = R::Observation;

    async fn write(&self, observations: &[R::Observation]) -> Result<(), Failure> {
        let mut conn = self.db.connection().await.map_err(|error| Failure::Away(error_chain(&error)))?;
        // An unforeseen observation must not end the watch: it would be observed again after each restart.
        let applied = AssertUnwindSafe(R::apply(&mut conn, observations)).catch_unwind();
        match tokio::time::timeout(PATIENCE, applied).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(error))) => Err(judge(error)),
            Ok(Err(_)) => {
                discard(conn);
                Err(Failure::Refused("a bug in the program: it panicked".to_owned()))
            }
            Err(_) => {
                discard(conn);
                self.db.renew();
                Err(Failure::Away(format!("no answer within {} s", PATIENCE.as_secs())))
            }
        }
    }

    async fn takes_writes(&self) -> bool {
        let Ok(mut conn) = self.db.connection().await else { return false };
        match tokio::time::timeout(PATIENCE, model::try_writing(&mut conn)).await {
            Ok(tried) => tried.is_ok(),
            Err(_) => {
                discard(conn);
                false
            }
        }
    }
}

/// Whether an error is caused by the database or by an observation. Diesel has no kind for most of PostgreSQL's codes.
fn judge(error: Error) -> Failure {
    let cause = error_chain(&error);
    match error {
        Error::SerializationError(_)
        | Error::DeserializationError(_)
        | Error::QueryBuilderError(_)
        | Error::InvalidCString(_)
        | Error::DatabaseError(
            DatabaseErrorKind::UniqueViolation
            | DatabaseErrorKind::ForeignKeyViolation
            | DatabaseErrorKind::NotNullViolation
            | DatabaseErrorKind::CheckViolation
            | DatabaseErrorKind::RestrictViolation
            | DatabaseErrorKind::ExclusionViolation,
            _,
        ) => Failure::Refused(cause),
        Error::BrokenTransactionManager
        | Error::DatabaseError(
            DatabaseErrorKind::ClosedConnection
            | DatabaseErrorKind::SerializationFailure
            | DatabaseErrorKind::ReadOnlyTransaction,
            _,
        ) => Failure::Away(cause),
        // That module knows the messages of a server that is shutting down.
        error => match ApiError::from(error).code {
            Code::DatabaseUnavailable => Failure::Away(cause),
            _ => Failure::Unsure(cause),
        },
    }
}

#[cfg(test)]
#[path = "settle_tests.rs"]
mod tests;
