//! Config files by ID and by project, their versions, and the YAML of versions.

use std::sync::Arc;

use diesel::prelude::*;
use diesel::sql_types::{Array, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use super::model::{Blob, BlobOutline, Commit, Commits, ConfigFile, Selection};
use crate::db::coalesce::{ByKey, Read};
use crate::db::tables::{config_blobs, config_commits, config_files};
use crate::db::{Lane, prepared};
use crate::error::ApiError;
use crate::graphql::cursor::Position;
use crate::graphql::edges::{ListEdge, Order, Unique};
use crate::graphql::keyset::Condition;
use crate::ids::{CommitId, ConfigId, ConfigKind, ProjectId, ProjectKind};

/// The config file with an id.
pub enum ConfigFilesById {}

impl Read for ConfigFilesById {
    type Key = ConfigId;
    type Value = Arc<ConfigFile>;

    async fn read(lane: &Lane, keys: Vec<ConfigId>) -> Result<ByKey<ConfigId, Arc<ConfigFile>>, ApiError> {
        let mut conn = lane.lookup().await?;
        let found: Vec<ConfigFile> = config_files::table
            .filter(config_files::id.eq_any(keys))
            .select(ConfigFile::as_select())
            .load(&mut conn)
            .await?;
        Ok(found.into_iter().map(|file| (file.id, Arc::new(file))).collect())
    }
}

/// The version with an id.
pub enum CommitsById {}

impl Read for CommitsById {
    type Key = CommitId;
    type Value = Arc<Commit>;

    async fn read(lane: &Lane, keys: Vec<CommitId>) -> Result<ByKey<CommitId, Arc<Commit>>, ApiError> {
        let mut conn = lane.lookup().await?;
        let found: Vec<Commit> = config_commits::table
            .filter(config_commits::id.eq_any(keys))
            .select(Commit::as_select())
            .load(&mut conn)
            .await?;
        Ok(found.into_iter().map(|commit| (commit.id, Arc::new(commit))).collect())
    }
}

/// What is known about a YAML with a hash without reading it.
pub enum BlobOutlines {}

impl Read for BlobOutlines {
    type Key = Vec<u8>;
    type Value = Arc<BlobOutline>;

    async fn read(lane: &Lane, keys: Vec<Vec<u8>>) -> Result<ByKey<Vec<u8>, Arc<BlobOutline>>, ApiError> {
        let mut conn = lane.lookup().await?;
        let bytes = diesel::dsl::sql::<diesel::sql_types::Integer>("octet_length(config_blobs.yaml)");
        let found: Vec<BlobOutline> = config_blobs::table
            .filter(config_blobs::sha256.eq_any(keys))
            .select((config_blobs::sha256, config_blobs::kinds, bytes))
            .load(&mut conn)
            .await?;
        Ok(found.into_iter().map(|blob| (blob.sha256.clone(), Arc::new(blob))).collect())
    }
}

/// The YAML with a hash.
pub enum BlobsByHash {}

impl Read for BlobsByHash {
    type Key = Vec<u8>;
    type Value = Arc<Blob>;

    async fn read(lane: &Lane, keys: Vec<Vec<u8>>) -> Result<ByKey<Vec<u8>, Arc<Blob>>, ApiError> {
        let mut conn = lane.lookup().await?;
        let found: Vec<Blob> = config_blobs::table
            .filter(config_blobs::sha256.eq_any(keys))
            .select(Blob::as_select())
            .load(&mut conn)
            .await?;
        Ok(found.into_iter().map(|blob| (blob.sha256.clone(), Arc::new(blob))).collect())
    }
}

/// The latest version of a config file: the one that is not the parent of another.
pub enum HeadOfConfigFile {}

impl Read for HeadOfConfigFile {
    type Key = ConfigId;
    type Value = Arc<Commit>;

    async fn read(lane: &Lane, keys: Vec<ConfigId>) -> Result<ByKey<ConfigId, Arc<Commit>>, ApiError> {
        let mut conn = lane.lookup().await?;
        let found: Vec<Commit> = prepared(
            "SELECT head.* FROM unnest($1) AS parent (id) CROSS JOIN LATERAL (
                SELECT * FROM config_commits c
                 WHERE config_file_id = parent.id
                   AND NOT EXISTS (SELECT FROM config_commits child WHERE child.parent_id = c.id)
             ) AS head",
        )
        .bind::<Array<SqlUuid>, _>(keys)
        .load(&mut conn)
        .await?;
        Ok(found.into_iter().map(|commit| (commit.config_file_id, Arc::new(commit))).collect())
    }
}

/// A project's config files, by name by default.
pub enum ConfigFilesOfProject {}

impl ListEdge for ConfigFilesOfProject {
    type Parent = ProjectKind;
    type Under = config_files::project_id;
    type SortedBy = Unique<config_files::name>;
    type Row = ConfigFile;
    type Item = ConfigFile;
    type Filter = Selection;

    fn parent(file: &ConfigFile) -> ProjectId {
        file.project_id
    }

    fn order(selection: &Selection) -> Order<config_files::table> {
        selection.order()
    }

    fn position(file: &ConfigFile, selection: &Selection) -> Position {
        selection.position(file)
    }

    fn conditions(selection: &Selection) -> Vec<Condition<config_files::table>> {
        selection.conditions()
    }
}

/// A config file's versions, newest first by default.
pub enum CommitsOfConfigFile {}

impl ListEdge for CommitsOfConfigFile {
    type Parent = ConfigKind;
    type Under = config_commits::config_file_id;
    type SortedBy = (config_commits::created_at, config_commits::id);
    type Row = Commit;
    type Item = Commit;
    type Filter = Commits;

    fn parent(commit: &Commit) -> ConfigId {
        commit.config_file_id
    }

    fn order(commits: &Commits) -> Order<config_commits::table> {
        Order::by::<Self::SortedBy>(commits.direction)
    }

    fn position(commit: &Commit, _: &Commits) -> Position {
        Position::at(commit.created_at, commit.id.uuid())
    }

    fn conditions(commits: &Commits) -> Vec<Condition<config_commits::table>> {
        commits.conditions()
    }
}
