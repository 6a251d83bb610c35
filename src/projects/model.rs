//! Projects' rows and the SQL about them.

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::auth::policy::Visible;
use crate::change::Writes;
use crate::db::tables::projects;
use crate::graphql::connection::Page;
use crate::graphql::keyset::{self, OrderDirection};
use crate::ids::{GroupId, ProjectId, suffix};

/// A project of a group.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = projects, check_for_backend(Pg))]
pub struct Project {
    /// The id.
    pub id: ProjectId,
    /// The group it belongs to.
    pub group_id: GroupId,
    /// The name, unique in its group.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// The Kubernetes namespace its jobs run in.
    pub namespace: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// The project with this id.
///
/// # Errors
/// The database's.
pub async fn find(conn: &mut AsyncPgConnection, id: ProjectId) -> QueryResult<Option<Project>> {
    projects::table.find(id).select(Project::as_select()).first(conn).await.optional()
}

/// The namespace of the project with this id: `proj-` and the 26 characters of the id.
pub fn namespace_of(id: ProjectId) -> String {
    format!("proj-{}", suffix(id.uuid()))
}

/// What a list of projects is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SortBy {
    /// The name.
    #[default]
    Name,
    /// When the project was made.
    CreatedAt,
}

/// Which projects, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Selection {
    /// With one of these names only.
    pub names: Option<Vec<String>>,
    /// Of this group only.
    pub group: Option<GroupId>,
    /// The order.
    pub sort: SortBy,
    /// The order's direction.
    pub direction: OrderDirection,
}

fn selected<'a>(visible: &Visible, selection: &'a Selection) -> projects::BoxedQuery<'a, Pg> {
    let mut query = projects::table.into_boxed();
    if let Visible::Groups(visible) = visible {
        query = query.filter(projects::group_id.eq_any(visible.clone()));
    }
    if let Some(names) = &selection.names {
        query = query.filter(projects::name.eq_any(names));
    }
    if let Some(group) = selection.group {
        query = query.filter(projects::group_id.eq(group));
    }
    query
}

/// One page of the projects that are visible and selected, in the page's own direction.
///
/// # Errors
/// The database's.
pub async fn page(
    conn: &mut AsyncPgConnection,
    visible: &Visible,
    selection: &Selection,
    page: &Page,
) -> QueryResult<Vec<Project>> {
    let column = match selection.sort {
        SortBy::Name => "projects.name",
        SortBy::CreatedAt => "projects.created_at",
    };
    let mut query = selected(visible, selection);
    for condition in keyset::between(page.bounds(selection.direction), column, "projects.id") {
        query = query.filter(condition);
    }
    query = match (selection.sort, page.ascending(selection.direction)) {
        (SortBy::Name, true) => query.order((projects::name.asc(), projects::id.asc())),
        (SortBy::Name, false) => query.order((projects::name.desc(), projects::id.desc())),
        (SortBy::CreatedAt, true) => query.order((projects::created_at.asc(), projects::id.asc())),
        (SortBy::CreatedAt, false) => query.order((projects::created_at.desc(), projects::id.desc())),
    };
    query.limit(page.limit).select(Project::as_select()).load(conn).await
}

/// How many projects are visible and selected.
///
/// # Errors
/// The database's.
pub async fn count(conn: &mut AsyncPgConnection, visible: &Visible, selection: &Selection) -> QueryResult<i64> {
    selected(visible, selection).count().get_result(conn).await
}

/// Makes a project.
///
/// # Errors
/// The database's; `projects_group_name_key` is the constraint of a name that is taken in the group.
pub async fn insert(writes: &mut Writes<'_>, project: &Project) -> QueryResult<()> {
    diesel::insert_into(projects::table).values(project).execute(writes.conn()).await.map(drop)
}
