//! Entries by ID, and the pages of the audit log.

use std::sync::Arc;

use futures::{FutureExt, TryFutureExt};

use super::model::exports::{self, Export};
use super::model::{self, Entry, Selection};
use crate::auth::policy::Visible;
use crate::db::Lane;
use crate::db::coalesce::{ByKey, Read, one_by_one};
use crate::error::ApiError;
use crate::graphql::connection::Page;
use crate::ids::{AuditExportId, AuditId};

/// The entry with an ID.
pub enum EntriesById {}

impl Read for EntriesById {
    type Key = AuditId;
    type Value = Arc<Entry>;

    async fn read(lane: &Lane, keys: Vec<AuditId>) -> Result<ByKey<AuditId, Arc<Entry>>, ApiError> {
        let found = model::find(&mut *lane.lookup().await?, &keys).await?;
        Ok(found.into_iter().map(|entry| (entry.id, Arc::new(entry))).collect())
    }
}

/// A page of the entries that a viewer can see. Viewers of the same groups and arguments share the statement.
pub enum AuditPages {}

impl Read for AuditPages {
    type Key = (Visible, Selection, Page);
    type Value = Arc<Vec<Entry>>;
    const CONNECTIONS: usize = 2;
    /// Each is a separate statement: others get their own connection.
    const BATCH: usize = 4;

    async fn read(lane: &Lane, keys: Vec<Self::Key>) -> Result<ByKey<Self::Key, Self::Value>, ApiError> {
        one_by_one(lane, keys, |conn, (visible, selection, page)| {
            model::page(conn, visible, selection, page).map_ok(Arc::new).boxed()
        })
        .await
    }
}

/// The export with an ID.
pub enum ExportsById {}

impl Read for ExportsById {
    type Key = AuditExportId;
    type Value = Arc<Export>;

    async fn read(lane: &Lane, keys: Vec<AuditExportId>) -> Result<ByKey<AuditExportId, Arc<Export>>, ApiError> {
        let found = exports::find(&mut *lane.lookup().await?, &keys).await?;
        Ok(found.into_iter().map(|export| (export.id, Arc::new(export))).collect())
    }
}

/// A page of the exports.
pub enum ExportPages {}

impl Read for ExportPages {
    type Key = Page;
    type Value = Arc<Vec<Export>>;
    const CONNECTIONS: usize = 2;
    /// Each is a separate statement: others get their own connection.
    const BATCH: usize = 4;

    async fn read(lane: &Lane, keys: Vec<Self::Key>) -> Result<ByKey<Self::Key, Self::Value>, ApiError> {
        one_by_one(lane, keys, |conn, page| exports::page(conn, page).map_ok(Arc::new).boxed()).await
    }
}
