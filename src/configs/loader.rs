//! Config files by ID and by project, their versions, and the YAML of versions.

use std::sync::Arc;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::model::{Blob, BlobOutline, Commit, ConfigFile};
use crate::db::coalesce::{ByKey, Read};
use crate::db::tables::{config_blobs, config_commits, config_files};
use crate::db::{Lane, prepared, when};
use crate::error::ApiError;
use crate::graphql::connection::Page;
use crate::graphql::keyset::{OrderDirection, by_page, text, time};
use crate::ids::{CommitId, ConfigId, ProjectId};

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

/// A page of a project's config files, by name.
pub enum ConfigFilesOfProject {}

impl Read for ConfigFilesOfProject {
    type Key = (ProjectId, Page);
    type Value = Arc<Vec<ConfigFile>>;

    async fn read(lane: &Lane, keys: Vec<Self::Key>) -> Result<ByKey<Self::Key, Self::Value>, ApiError> {
        let mut conn = lane.lookup().await?;
        let mut found = ByKey::default();
        for (page, parents) in by_page(keys) {
            let mut pages: ByKey<ProjectId, Vec<ConfigFile>> = ByKey::default();
            for file in files_of_projects(&mut conn, &parents, &page).await? {
                pages.entry(file.project_id).or_default().push(file);
            }
            found.extend(pages.into_iter().map(|(project, rows)| ((project, page.clone()), Arc::new(rows))));
        }
        Ok(found)
    }
}

async fn files_of_projects(
    conn: &mut AsyncPgConnection,
    parents: &[ProjectId],
    page: &Page,
) -> QueryResult<Vec<ConfigFile>> {
    let order = if page.ascending(OrderDirection::Asc) { "ASC" } else { "DESC" };
    let (after, before) = page.bounds(OrderDirection::Asc);
    let ((after, after_id), (before, before_id)) = (text(after), text(before));
    let above = when(after.is_some(), "(name, id) > ($2, $3)");
    let below = when(before.is_some(), "(name, id) < ($4, $5)");
    // Only the shape is part of the text; everything that a client sends is bound.
    prepared(format!(
        "SELECT file.* FROM unnest($1) AS parent (id) CROSS JOIN LATERAL (
            SELECT * FROM config_files
             WHERE project_id = parent.id
               AND {above}
               AND {below}
             ORDER BY name {order}, id {order} LIMIT $6
         ) AS file"
    ))
    .bind::<Array<SqlUuid>, _>(parents)
    .bind::<Nullable<Text>, _>(after)
    .bind::<Nullable<SqlUuid>, _>(after_id)
    .bind::<Nullable<Text>, _>(before)
    .bind::<Nullable<SqlUuid>, _>(before_id)
    .bind::<BigInt, _>(page.limit)
    .load(conn)
    .await
}

/// The number of config files of a project.
pub enum ConfigFileCounts {}

impl Read for ConfigFileCounts {
    type Key = ProjectId;
    type Value = i64;

    async fn read(lane: &Lane, keys: Vec<ProjectId>) -> Result<ByKey<ProjectId, i64>, ApiError> {
        let mut conn = lane.lookup().await?;
        let rows: Vec<(ProjectId, i64)> = config_files::table
            .filter(config_files::project_id.eq_any(keys))
            .group_by(config_files::project_id)
            .select((config_files::project_id, diesel::dsl::count_star()))
            .load(&mut conn)
            .await?;
        Ok(rows.into_iter().collect())
    }
}

/// A page of a config file's versions, newest first.
pub enum CommitsOfConfigFile {}

impl Read for CommitsOfConfigFile {
    type Key = (ConfigId, Page);
    type Value = Arc<Vec<Commit>>;

    async fn read(lane: &Lane, keys: Vec<Self::Key>) -> Result<ByKey<Self::Key, Self::Value>, ApiError> {
        let mut conn = lane.lookup().await?;
        let mut found = ByKey::default();
        for (page, parents) in by_page(keys) {
            let mut pages: ByKey<ConfigId, Vec<Commit>> = ByKey::default();
            for commit in commits_of_files(&mut conn, &parents, &page).await? {
                pages.entry(commit.config_file_id).or_default().push(commit);
            }
            found.extend(pages.into_iter().map(|(file, rows)| ((file, page.clone()), Arc::new(rows))));
        }
        Ok(found)
    }
}

async fn commits_of_files(conn: &mut AsyncPgConnection, parents: &[ConfigId], page: &Page) -> QueryResult<Vec<Commit>> {
    let order = if page.ascending(OrderDirection::Desc) { "ASC" } else { "DESC" };
    let (later, earlier) = page.bounds(OrderDirection::Desc);
    let ((later, later_id), (earlier, earlier_id)) = (time(later), time(earlier));
    let above = when(later.is_some(), "(created_at, id) > ($2, $3)");
    let below = when(earlier.is_some(), "(created_at, id) < ($4, $5)");
    prepared(format!(
        "SELECT version.* FROM unnest($1) AS parent (id) CROSS JOIN LATERAL (
            SELECT * FROM config_commits
             WHERE config_file_id = parent.id
               AND {above}
               AND {below}
             ORDER BY created_at {order}, id {order} LIMIT $6
         ) AS version"
    ))
    .bind::<Array<SqlUuid>, _>(parents)
    .bind::<Nullable<Timestamptz>, _>(later)
    .bind::<Nullable<SqlUuid>, _>(later_id)
    .bind::<Nullable<Timestamptz>, _>(earlier)
    .bind::<Nullable<SqlUuid>, _>(earlier_id)
    .bind::<BigInt, _>(page.limit)
    .load(conn)
    .await
}

/// The number of versions of a config file.
pub enum CommitCounts {}

impl Read for CommitCounts {
    type Key = ConfigId;
    type Value = i64;

    async fn read(lane: &Lane, keys: Vec<ConfigId>) -> Result<ByKey<ConfigId, i64>, ApiError> {
        let mut conn = lane.lookup().await?;
        let rows: Vec<(ConfigId, i64)> = config_commits::table
            .filter(config_commits::config_file_id.eq_any(keys))
            .group_by(config_commits::config_file_id)
            .select((config_commits::config_file_id, diesel::dsl::count_star()))
            .load(&mut conn)
            .await?;
        Ok(rows.into_iter().collect())
    }
}
