//! The way to write a mutation: what the policy permits, in one transaction with its audit entry, its events and its
//! idempotency key.
//!
//! Mutations write through [`Writes`], which only a [`Change`] has. A change starts with a [`Permit`], which only the
//! policy grants, and ends with what the audit log records. So there is no mutation that does not ask for a permission,
//! or that leaves no trace.

mod key;
mod keys;
mod model;

pub use key::Key;
pub use keys::forget_old_keys;

use async_graphql::Context;
use diesel::QueryResult;
use diesel_async::{AnsiTransactionManager, AsyncPgConnection, TransactionManager};
use serde_json::Value;

use crate::auth::acting::CallerExt;
use crate::auth::policy::{self, Action, Permit, Scope};
use crate::db::{Db, discard, error_chain};
use crate::error::{ApiError, ApiErrors};
use crate::events::model::{Record, append_records};
use crate::events::{About, Event};
use crate::graphql::context::RequestExt;
use crate::ids::{GroupId, GroupKind, Id, Kind, ProjectId, ProjectKind};
use crate::trail::{self, Entry, Object, Origin, OriginExt};

pub use crate::trail::Changed;

/// A change that is permitted.
#[must_use = "nothing is changed before it is committed"]
pub struct Change {
    db: Db,
    permit: Permit,
    origin: Origin,
}

/// The result of a change, for the audit log.
#[derive(Debug)]
pub struct Done<T = ()> {
    entry: Option<Recorded>,
    value: T,
}

/// What the audit log says of a change.
#[derive(Debug, Default)]
struct Recorded {
    object: Object,
    detail: Value,
    changed: Changed,
}

impl Done {
    /// The object with this ID was changed; `detail` contains what is worth knowing about it.
    pub fn to<K: Kind>(id: Id<K>, detail: Value) -> Self {
        let (group, project) = (id.as_a::<GroupKind>(), id.as_a::<ProjectKind>());
        let object = Object { subject: Some(id.to_text()), group, project };
        Self { entry: Some(Recorded { object, detail, ..Recorded::default() }), value: () }
    }

    /// Something was done that changed no object of its own.
    pub fn to_platform(detail: Value) -> Self {
        Self { entry: Some(Recorded { detail, ..Recorded::default() }), value: () }
    }

    /// Nothing had to be changed, so there is nothing to record.
    pub const fn nothing() -> Self {
        Self { entry: None, value: () }
    }
}

impl<T> Done<T> {
    /// The same, with the fields that have other values than before.
    #[must_use]
    pub fn changed(self, changed: Changed) -> Self {
        Self { entry: self.entry.map(|entry| Recorded { changed, ..entry }), ..self }
    }

    /// The same, for an object that belongs to this group. Not necessary if the permission was asked for something of the
    /// group.
    #[must_use]
    pub fn in_group(mut self, group: GroupId) -> Self {
        if let Some(entry) = &mut self.entry {
            entry.object.group = Some(group);
        }
        self
    }

    /// The same, for an object that belongs to this project. Not necessary if the permission was asked for the project.
    #[must_use]
    pub fn in_project(mut self, project: ProjectId) -> Self {
        if let Some(entry) = &mut self.entry {
            entry.object.project = Some(project);
        }
        self
    }

    /// The same, with a value for the mutation to continue with.
    pub fn with<V>(self, value: V) -> Done<V> {
        Done { entry: self.entry, value }
    }
}

/// The transaction of a change.
pub struct Writes<'c> {
    conn: &'c mut AsyncPgConnection,
    events: Vec<Record>,
}

impl Writes<'_> {
    /// The connection.
    pub const fn conn(&mut self) -> &mut AsyncPgConnection {
        self.conn
    }

    /// Adds an event of the change. Events are appended at the end of the transaction, in this order, because appending
    /// takes an exclusive lock.
    ///
    /// # Errors
    /// The event has no JSON form, which is a bug.
    pub fn tell<E: Event>(&mut self, about: About, event: &E) -> QueryResult<()> {
        self.events.push(Record::of(about, event)?);
        Ok(())
    }

    /// Adds events that another room has made.
    pub fn tell_all(&mut self, events: Vec<Record>) {
        self.events.extend(events);
    }
}

impl Change {
    /// A change by the holder of `permit`, from this origin.
    pub fn new(db: &Db, permit: Permit, origin: impl Into<Origin>) -> Self {
        Self { db: db.clone(), permit, origin: origin.into() }
    }

    /// Does the `work` and writes the audit entry and the events with it, or changes nothing.
    ///
    /// # Errors
    /// Those of the work, and the database's.
    pub async fn commit<T, F>(self, work: F) -> Result<T, ApiErrors>
    where
        F: AsyncFnOnce(&mut Writes<'_>) -> Result<Done<T>, ApiErrors>,
    {
        type Transaction = AnsiTransactionManager;
        let mut conn = self.db.connection().await?;
        // Not `transaction`, whose bounds a closure of any kind cannot be shown to meet. A connection that is dropped in
        // between is not used again.
        Transaction::begin_transaction(&mut *conn).await?;
        let performed = self.perform(&mut conn, work).await;
        match &performed {
            Ok(_) => Transaction::commit_transaction(&mut *conn).await?,
            Err(_) => {
                if let Err(error) = Transaction::rollback_transaction(&mut *conn).await {
                    // The caller receives the first error.
                    tracing::warn!(error = %error_chain(&error), "failed to roll back a change; closing its connection");
                    discard(conn);
                }
            }
        }
        performed
    }

    /// Like [`Change::commit`], for creating the object with this ID. If the same caller used `key` before, nothing is
    /// done, and the ID of the object that was created then is returned.
    ///
    /// # Errors
    /// `CONFLICT` for a key that was used with a different input, those of the work, and the database's.
    pub async fn create<K, F>(self, key: Option<&Key>, id: Id<K>, work: F) -> Result<Id<K>, ApiErrors>
    where
        K: Kind,
        F: AsyncFnOnce(&mut Writes<'_>) -> Result<Value, ApiErrors>,
    {
        let permit = self.permit;
        self.commit(async |writes| {
            if let Some(key) = key
                && let Some(first) = key::claim(writes.conn(), permit, key, id.uuid()).await?
            {
                return Ok(Done::nothing().with(Id::from_uuid(first)));
            }
            Ok(Done::to(id, work(writes).await?).with(id))
        })
        .await
    }

    async fn perform<T, F>(&self, conn: &mut AsyncPgConnection, work: F) -> Result<T, ApiErrors>
    where
        F: AsyncFnOnce(&mut Writes<'_>) -> Result<Done<T>, ApiErrors>,
    {
        let mut writes = Writes { conn, events: Vec::new() };
        let Done { entry, value } = work(&mut writes).await?;
        let Writes { conn, mut events } = writes;
        if let Some(recorded) = entry {
            events.extend(trail::model::write(conn, vec![self.entry(recorded)]).await?);
        }
        append_records(conn, &events).await?;
        Ok(value)
    }

    fn entry(&self, Recorded { object, detail, changed }: Recorded) -> Entry {
        let scope = self.permit.scope();
        let object = Object {
            group: object.group.or(scope.group_id()),
            project: object.project.or(scope.project_id()),
            subject: object.subject,
        };
        let entry = Entry::done(self.permit.actor(), self.permit.action().name(), object, self.origin.clone());
        Entry { detail, changed, ..entry }
    }
}

/// A change by the caller that a field is executed for.
pub trait ChangeExt {
    /// Asks the policy.
    ///
    /// # Errors
    /// As [`policy::check`].
    fn change(&self, action: Action, scope: Scope) -> Result<Change, ApiError>;
}

impl ChangeExt for Context<'_> {
    fn change(&self, action: Action, scope: Scope) -> Result<Change, ApiError> {
        let permit = policy::check(&self.caller(), action, scope)?;
        Ok(Change::new(self.db()?, permit, self.origin()))
    }
}
