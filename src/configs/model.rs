//! Config files' rows: files, their commits and the YAML that commits point at by its hash.

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sha2::{Digest, Sha256};

use super::documents::ConfigKind;
use crate::auth::policy::Visible;
use crate::change::Writes;
use crate::db::tables::{config_blobs, config_commits, config_files, projects};
use crate::graphql::connection::Page;
use crate::graphql::keyset::{self, OrderDirection};
use crate::ids::{CommitId, ConfigId, GroupId, ProjectId, UserId};

/// A config file of a project.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, QueryableByName)]
#[diesel(table_name = config_files, check_for_backend(Pg))]
pub struct ConfigFile {
    /// The id.
    pub id: ConfigId,
    /// The project it belongs to.
    pub project_id: ProjectId,
    /// The name, unique in the project.
    pub name: String,
    /// When its first version was made.
    pub created_at: DateTime<Utc>,
}

/// One version of a config file.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, QueryableByName)]
#[diesel(table_name = config_commits, check_for_backend(Pg))]
pub struct Commit {
    /// The id.
    pub id: CommitId,
    /// The file it is a version of.
    pub config_file_id: ConfigId,
    /// The version before it.
    pub parent_id: Option<CommitId>,
    /// SHA-256 of its YAML.
    pub blob_sha256: Vec<u8>,
    /// What its author says about it.
    pub message: String,
    /// Who made it.
    pub author_id: UserId,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// The YAML that one or more commits point at.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = config_blobs, check_for_backend(Pg))]
pub struct Blob {
    /// SHA-256 of the YAML.
    pub sha256: Vec<u8>,
    /// The YAML.
    pub yaml: String,
    /// The kinds of the objects in it, in order.
    pub kinds: Vec<ConfigKind>,
}

impl Blob {
    /// The blob for `yaml`.
    pub fn new(yaml: String, kinds: Vec<ConfigKind>) -> Self {
        Self { sha256: Sha256::digest(&yaml).to_vec(), yaml, kinds }
    }
}

/// What is known of a YAML without reading it.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct BlobOutline {
    /// SHA-256 of the YAML.
    pub sha256: Vec<u8>,
    /// The kinds of the objects in it, in order.
    pub kinds: Vec<ConfigKind>,
    /// How many bytes it has.
    pub bytes: i32,
}

/// What submitting a commit needs to know.
#[derive(Debug, Clone)]
pub struct Submittable {
    /// The project the file belongs to.
    pub project: ProjectId,
    /// The group the project belongs to.
    pub group: GroupId,
    /// The YAML of the version.
    pub yaml: String,
}

/// What submitting the commit with this id needs to know.
///
/// # Errors
/// The database's.
pub async fn submittable(conn: &mut AsyncPgConnection, id: CommitId) -> QueryResult<Option<Submittable>> {
    let found: Option<(ProjectId, GroupId, String)> = config_commits::table
        .inner_join(config_files::table.inner_join(projects::table))
        .inner_join(config_blobs::table)
        .filter(config_commits::id.eq(id))
        .select((projects::id, projects::group_id, config_blobs::yaml))
        .first(conn)
        .await
        .optional()?;
    Ok(found.map(|(project, group, yaml)| Submittable { project, group, yaml }))
}

/// Which config files, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Of this project only.
    pub project: Option<ProjectId>,
    /// With one of these names only.
    pub names: Option<Vec<String>>,
    /// Newest first or last.
    pub direction: OrderDirection,
}

type Filtered<'a> =
    diesel::helper_types::IntoBoxed<'a, diesel::helper_types::InnerJoin<config_files::table, projects::table>, Pg>;

fn selected<'a>(visible: &Visible, selection: &'a Selection) -> Filtered<'a> {
    let mut query = config_files::table.inner_join(projects::table).into_boxed();
    if let Visible::Groups(groups) = visible {
        query = query.filter(projects::group_id.eq_any(groups.clone()));
    }
    if let Some(project) = selection.project {
        query = query.filter(config_files::project_id.eq(project));
    }
    if let Some(names) = &selection.names {
        query = query.filter(config_files::name.eq_any(names));
    }
    query
}

/// One page of the config files that are visible and selected, in the page's own direction.
///
/// # Errors
/// The database's.
pub async fn page(
    conn: &mut AsyncPgConnection,
    visible: &Visible,
    selection: &Selection,
    page: &Page,
) -> QueryResult<Vec<ConfigFile>> {
    let mut query = selected(visible, selection);
    let bounds = page.bounds(selection.direction);
    for condition in keyset::between(bounds, "config_files.created_at", "config_files.id") {
        query = query.filter(condition);
    }
    query = if page.ascending(selection.direction) {
        query.order((config_files::created_at.asc(), config_files::id.asc()))
    } else {
        query.order((config_files::created_at.desc(), config_files::id.desc()))
    };
    query.limit(page.limit).select(ConfigFile::as_select()).load(conn).await
}

/// How many config files are visible and selected.
///
/// # Errors
/// The database's.
pub async fn count(conn: &mut AsyncPgConnection, visible: &Visible, selection: &Selection) -> QueryResult<i64> {
    selected(visible, selection).count().get_result(conn).await
}

/// Makes a config file with its first version.
///
/// # Errors
/// The database's; `config_files_project_name_key` is the constraint of a name that is taken in the project.
pub async fn insert(writes: &mut Writes<'_>, file: &ConfigFile, commit: &Commit, blob: &Blob) -> QueryResult<()> {
    diesel::insert_into(config_files::table).values(file).execute(writes.conn()).await?;
    diesel::insert_into(config_blobs::table).values(blob).on_conflict_do_nothing().execute(writes.conn()).await?;
    diesel::insert_into(config_commits::table).values(commit).execute(writes.conn()).await.map(drop)
}
