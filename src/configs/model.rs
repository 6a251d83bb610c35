//! The rows of config files: files, their commits, and the YAML that commits refer to by its hash.

use chrono::{DateTime, Utc};
use diesel::dsl::{InnerJoin, InnerJoinQuerySource, IntoBoxed};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sha2::{Digest, Sha256};

use super::documents::ConfigKind;
use crate::auth::policy::Visible;
use crate::change::Writes;
use crate::db::tables::{config_blobs, config_commits, config_files, projects};
use crate::graphql::connection::Page;
use crate::graphql::cursor::Position;
use crate::graphql::edges::{Order, Unique};
use crate::graphql::keyset::{self, Condition, OrderDirection};
use crate::graphql::search::Search;
use crate::graphql::time::TimeRange;
use crate::ids::{CommitId, ConfigId, GroupId, ProjectId, UserId};

/// A config file of a project.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = config_files, check_for_backend(Pg))]
pub struct ConfigFile {
    /// The ID.
    pub id: ConfigId,
    /// The project it belongs to.
    pub project_id: ProjectId,
    /// The name of the config file, unique within the project.
    pub name: String,
    /// When its first version was created.
    pub created_at: DateTime<Utc>,
    /// When it was deleted. Its versions are kept for the jobs that were made from them, and nothing else shows them.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// A version of a config file.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, QueryableByName)]
#[diesel(table_name = config_commits, check_for_backend(Pg))]
pub struct Commit {
    /// The ID.
    pub id: CommitId,
    /// The file it is a version of.
    pub config_file_id: ConfigId,
    /// The previous version.
    pub parent_id: Option<CommitId>,
    /// SHA-256 of its YAML.
    pub blob_sha256: Vec<u8>,
    /// The commit message.
    pub message: String,
    /// Who made it.
    pub author_id: UserId,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

/// The YAML that one or more commits refer to.
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

/// What is known about a YAML without reading it.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct BlobOutline {
    /// SHA-256 of the YAML.
    pub sha256: Vec<u8>,
    /// The kinds of the objects in it, in order.
    pub kinds: Vec<ConfigKind>,
    /// Its size in bytes.
    pub bytes: i32,
}

/// What is needed to submit a commit.
#[derive(Debug, Clone)]
pub struct Submittable {
    /// The file that it is a version of.
    pub file: ConfigId,
    /// The project the file belongs to.
    pub project: ProjectId,
    /// The group the project belongs to.
    pub group: GroupId,
    /// The YAML of the version.
    pub yaml: String,
}

/// What is needed to submit the commit with this ID.
///
/// # Errors
/// The database's.
pub async fn submittable(conn: &mut AsyncPgConnection, id: CommitId) -> QueryResult<Option<Submittable>> {
    let found: Option<(ConfigId, ProjectId, GroupId, String)> = config_commits::table
        .inner_join(config_files::table.inner_join(projects::table))
        .inner_join(config_blobs::table)
        .filter(config_commits::id.eq(id).and(config_files::deleted_at.is_null()))
        .select((config_files::id, projects::id, projects::group_id, config_blobs::yaml))
        .first(conn)
        .await
        .optional()?;
    Ok(found.map(|(file, project, group, yaml)| Submittable { file, project, group, yaml }))
}

/// The fields that a list of config files can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SortBy {
    /// The name.
    #[default]
    Name,
    /// When the config file was created.
    CreatedAt,
}

/// Which config files, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Selection {
    /// Only of this project.
    pub project: Option<ProjectId>,
    /// Only with one of these names.
    pub names: Option<Vec<String>>,
    /// Only with a name that matches.
    pub search: Option<Search>,
    /// The order.
    pub sort: SortBy,
    /// The order's direction.
    pub direction: OrderDirection,
}

/// Which versions of a config file, and in which order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Commits {
    /// Only those by this user.
    pub author: Option<UserId>,
    /// Only those that were created within this time.
    pub created: TimeRange,
    /// Oldest or newest first.
    pub direction: OrderDirection,
}

impl Commits {
    /// The conditions that the versions meet.
    pub fn conditions(&self) -> Vec<Condition<config_commits::table>> {
        let mut conditions: Vec<Condition<config_commits::table>> = Vec::new();
        if let Some(author) = self.author {
            conditions.push(Box::new(config_commits::author_id.eq(author)));
        }
        if let Some(from) = self.created.from {
            conditions.push(Box::new(config_commits::created_at.ge(from)));
        }
        if let Some(to) = self.created.to {
            conditions.push(Box::new(config_commits::created_at.lt(to)));
        }
        conditions
    }
}

type WithProject = InnerJoinQuerySource<config_files::table, projects::table>;

/// The conditions of a [`Selection`], for whatever tables they are used with.
macro_rules! conditions {
    ($selection:expr) => {{
        let mut conditions: Vec<Condition<_>> = vec![Box::new(config_files::deleted_at.is_null())];
        if let Some(project) = $selection.project {
            conditions.push(Box::new(config_files::project_id.eq(project)));
        }
        if let Some(names) = &$selection.names {
            conditions.push(Box::new(config_files::name.eq_any(names.clone())));
        }
        if let Some(search) = &$selection.search {
            conditions.push(search.matches("config_files.name"));
        }
        conditions
    }};
}

impl Selection {
    /// The conditions that the config files meet.
    pub fn conditions(&self) -> Vec<Condition<config_files::table>> {
        conditions!(self)
    }

    /// The order within a project, where a name is unique.
    pub fn order(&self) -> Order<config_files::table> {
        match self.sort {
            SortBy::Name => Order::by::<Unique<config_files::name>>(self.direction),
            SortBy::CreatedAt => Order::by::<(config_files::created_at, config_files::id)>(self.direction),
        }
    }

    /// The position of a config file in this order.
    pub fn position(&self, file: &ConfigFile) -> Position {
        match self.sort {
            SortBy::Name => Position::of(file.name.clone(), file.id.uuid()),
            SortBy::CreatedAt => Position::at(file.created_at, file.id.uuid()),
        }
    }
}

fn selected<'a>(
    visible: &Visible,
    selection: &Selection,
) -> IntoBoxed<'a, InnerJoin<config_files::table, projects::table>, Pg> {
    let mut query = config_files::table.inner_join(projects::table).into_boxed();
    if let Visible::Groups { groups, project } = visible {
        query = query.filter(projects::group_id.eq_any(groups.clone()));
        if let Some(project) = *project {
            query = query.filter(config_files::project_id.eq(project));
        }
    }
    let conditions: Vec<Condition<WithProject>> = conditions!(selection);
    for condition in conditions {
        query = query.filter(condition);
    }
    query
}

/// A page of the config files that are visible and match the filter, in the page's own direction, each with the group of
/// its project.
///
/// # Errors
/// The database's.
pub async fn page(
    conn: &mut AsyncPgConnection,
    visible: &Visible,
    selection: &Selection,
    page: &Page,
) -> QueryResult<Vec<(ConfigFile, GroupId)>> {
    let column = match selection.sort {
        SortBy::Name => "config_files.name",
        SortBy::CreatedAt => "config_files.created_at",
    };
    let mut query = selected(visible, selection);
    for condition in keyset::between(page.bounds(selection.direction), column, "config_files.id") {
        query = query.filter(condition);
    }
    query = match (selection.sort, page.ascending(selection.direction)) {
        (SortBy::Name, true) => query.order((config_files::name.asc(), config_files::id.asc())),
        (SortBy::Name, false) => query.order((config_files::name.desc(), config_files::id.desc())),
        (SortBy::CreatedAt, true) => query.order((config_files::created_at.asc(), config_files::id.asc())),
        (SortBy::CreatedAt, false) => query.order((config_files::created_at.desc(), config_files::id.desc())),
    };
    query.limit(page.limit).select((ConfigFile::as_select(), projects::group_id)).load(conn).await
}

/// The number of config files that are visible and match the filter.
///
/// # Errors
/// The database's.
pub async fn count(conn: &mut AsyncPgConnection, visible: &Visible, selection: &Selection) -> QueryResult<i64> {
    selected(visible, selection).count().get_result(conn).await
}

/// Creates a config file with its first version.
///
/// # Errors
/// The database's; `config_files_project_name_key` is the constraint that is violated if the name is taken in the
/// project.
pub async fn insert(writes: &mut Writes<'_>, file: &ConfigFile, commit: &Commit, blob: &Blob) -> QueryResult<()> {
    diesel::insert_into(config_files::table).values(file).execute(writes.conn()).await?;
    append(writes, commit, blob).await
}

/// The config file with this ID, unless it is deleted, locked until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock(writes: &mut Writes<'_>, id: ConfigId) -> QueryResult<Option<ConfigFile>> {
    config_files::table
        .filter(config_files::id.eq(id).and(config_files::deleted_at.is_null()))
        .select(ConfigFile::as_select())
        .for_update()
        .first(writes.conn())
        .await
        .optional()
}

/// The latest version of a config file.
///
/// # Errors
/// The database's.
pub async fn head(writes: &mut Writes<'_>, file: ConfigId) -> QueryResult<Commit> {
    let child = diesel::alias!(config_commits as child);
    let children = child.filter(child.field(config_commits::parent_id).eq(config_commits::id.nullable()));
    config_commits::table
        .filter(config_commits::config_file_id.eq(file))
        .filter(diesel::dsl::not(diesel::dsl::exists(children)))
        .select(Commit::as_select())
        .first(writes.conn())
        .await
}

/// Whether this commit is a version of the config file.
///
/// # Errors
/// The database's.
pub async fn has_version(writes: &mut Writes<'_>, file: ConfigId, commit: CommitId) -> QueryResult<bool> {
    let version = config_commits::table.find(commit).filter(config_commits::config_file_id.eq(file));
    diesel::select(diesel::dsl::exists(version)).get_result(writes.conn()).await
}

/// Adds a version to a config file.
///
/// # Errors
/// The database's.
pub async fn append(writes: &mut Writes<'_>, commit: &Commit, blob: &Blob) -> QueryResult<()> {
    diesel::insert_into(config_blobs::table).values(blob).on_conflict_do_nothing().execute(writes.conn()).await?;
    diesel::insert_into(config_commits::table).values(commit).execute(writes.conn()).await.map(drop)
}

/// Gives a config file another name.
///
/// # Errors
/// The database's; `config_files_project_name_key` is the constraint that is violated if the name is taken in the
/// project.
pub async fn rename(writes: &mut Writes<'_>, id: ConfigId, name: &str) -> QueryResult<()> {
    let renamed = diesel::update(config_files::table.find(id)).set(config_files::name.eq(name));
    renamed.execute(writes.conn()).await.map(drop)
}

/// Deletes a config file. Its versions stay for the jobs that were made from them.
///
/// # Errors
/// The database's.
pub async fn delete(writes: &mut Writes<'_>, id: ConfigId) -> QueryResult<()> {
    let deleted = diesel::update(config_files::table.find(id)).set(config_files::deleted_at.eq(diesel::dsl::now));
    deleted.execute(writes.conn()).await.map(drop)
}
