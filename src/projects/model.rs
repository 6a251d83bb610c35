//! The rows of projects and the SQL for them.

pub mod deletion;
pub mod limits;
pub mod namespaces;
pub mod schedule;
pub mod week;

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::auth::policy::Visible;
use crate::change::Writes;
use crate::db::tables::projects;
use crate::error::ApiError;
use crate::graphql::connection::Page;
use crate::graphql::cursor::Position;
use crate::graphql::edges::{Order, Unique};
use crate::graphql::keyset::{self, Condition, OrderDirection};
use crate::graphql::search::Search;
use crate::ids::{GroupId, ProjectId, suffix};

/// A project of a group.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = projects, check_for_backend(Pg))]
pub struct Project {
    /// The ID.
    pub id: ProjectId,
    /// The group it belongs to.
    pub group_id: GroupId,
    /// The name of the project, unique within its group.
    pub name: String,
    /// A description of the project.
    pub description: String,
    /// The Kubernetes namespace that its jobs run in.
    pub namespace: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was archived, if it is.
    pub archived_at: Option<DateTime<Utc>>,
}

impl Project {
    /// Whether work can begin in it.
    ///
    /// # Errors
    /// `CONFLICT` for an archived project.
    pub fn accepts_work(&self) -> Result<(), ApiError> {
        match self.archived_at {
            None => Ok(()),
            Some(_) => Err(ApiError::conflict("the project is archived; restore it first").at("input.projectId")),
        }
    }
}

/// The state of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, async_graphql::Enum)]
pub enum ProjectState {
    /// Jobs can be submitted and config files created.
    Active,
    /// The project can be seen, but no jobs can be submitted and no config files created. Jobs that were submitted
    /// before continue.
    Archived,
}

/// The project with this id.
///
/// # Errors
/// The database's.
pub async fn find(conn: &mut AsyncPgConnection, id: ProjectId) -> QueryResult<Option<Project>> {
    projects::table.find(id).select(Project::as_select()).first(conn).await.optional()
}

/// The namespace of the project with this ID: `proj-` followed by the 26 characters of the ID.
pub fn namespace_of(id: ProjectId) -> String {
    format!("proj-{}", suffix(id.uuid()))
}

/// The fields that a list of projects can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SortBy {
    /// The name.
    #[default]
    Name,
    /// When the project was created.
    CreatedAt,
}

/// Which projects, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Selection {
    /// Only this one, for an API token that is for no other.
    pub only: Option<ProjectId>,
    /// Only with one of these names.
    pub names: Option<Vec<String>>,
    /// Only with a name that matches.
    pub search: Option<Search>,
    /// Only of this group.
    pub group: Option<GroupId>,
    /// Only in this state.
    pub state: Option<ProjectState>,
    /// The order.
    pub sort: SortBy,
    /// The order's direction.
    pub direction: OrderDirection,
}

impl Selection {
    /// The conditions that the projects meet.
    pub fn conditions(&self) -> Vec<Condition<projects::table>> {
        let mut conditions: Vec<Condition<projects::table>> = Vec::new();
        if let Some(only) = self.only {
            conditions.push(Box::new(projects::id.eq(only)));
        }
        if let Some(names) = &self.names {
            conditions.push(Box::new(projects::name.eq_any(names.clone())));
        }
        if let Some(search) = &self.search {
            conditions.push(search.matches("projects.name"));
        }
        if let Some(group) = self.group {
            conditions.push(Box::new(projects::group_id.eq(group)));
        }
        match self.state {
            Some(ProjectState::Active) => conditions.push(Box::new(projects::archived_at.is_null())),
            Some(ProjectState::Archived) => conditions.push(Box::new(projects::archived_at.is_not_null())),
            None => {}
        }
        conditions
    }

    /// The order within a group, where a name is unique.
    pub fn order(&self) -> Order<projects::table> {
        match self.sort {
            SortBy::Name => Order::by::<Unique<projects::name>>(self.direction),
            SortBy::CreatedAt => Order::by::<(projects::created_at, projects::id)>(self.direction),
        }
    }

    /// The position of a project in this order.
    pub fn position(&self, project: &Project) -> Position {
        match self.sort {
            SortBy::Name => Position::of(project.name.clone(), project.id.uuid()),
            SortBy::CreatedAt => Position::at(project.created_at, project.id.uuid()),
        }
    }
}

fn selected<'a>(visible: &Visible, selection: &Selection) -> projects::BoxedQuery<'a, Pg> {
    let mut query = projects::table.into_boxed();
    if let Visible::Groups { groups, project } = visible {
        query = query.filter(projects::group_id.eq_any(groups.clone()));
        if let Some(project) = *project {
            query = query.filter(projects::id.eq(project));
        }
    }
    for condition in selection.conditions() {
        query = query.filter(condition);
    }
    query
}

/// A page of the projects that are visible and match the filter, in the page's own direction.
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

/// The number of projects that are visible and match the filter.
///
/// # Errors
/// The database's.
pub async fn count(conn: &mut AsyncPgConnection, visible: &Visible, selection: &Selection) -> QueryResult<i64> {
    selected(visible, selection).count().get_result(conn).await
}

/// Creates a project.
///
/// # Errors
/// The database's; `projects_group_name_key` is the constraint that is violated if the name is taken in the group.
pub async fn insert(writes: &mut Writes<'_>, project: &Project) -> QueryResult<()> {
    diesel::insert_into(projects::table).values(project).execute(writes.conn()).await.map(drop)
}

/// The project, locked until the transaction ends: its limits and its state do not change meanwhile.
///
/// # Errors
/// The database's.
pub async fn lock(writes: &mut Writes<'_>, id: ProjectId) -> QueryResult<Option<Project>> {
    projects::table.find(id).select(Project::as_select()).for_no_key_update().first(writes.conn()).await.optional()
}

/// Like [`lock`], and nothing can be added that belongs to the project.
///
/// # Errors
/// The database's.
pub async fn lock_whole(writes: &mut Writes<'_>, id: ProjectId) -> QueryResult<Option<Project>> {
    projects::table.find(id).select(Project::as_select()).for_update().first(writes.conn()).await.optional()
}

/// The project, for work that begins in it: it is neither archived nor deleted before the transaction ends. Others can
/// begin work at the same time.
///
/// # Errors
/// `NOT_FOUND`, `CONFLICT` for an archived project, or the database's.
pub async fn begin_work(writes: &mut Writes<'_>, id: ProjectId) -> Result<Project, ApiError> {
    let found = projects::table.find(id).select(Project::as_select()).for_share().first(writes.conn());
    let project: Option<Project> = found.await.optional()?;
    let project = project.ok_or_else(|| ApiError::not_found("project", id).at("input.projectId"))?;
    project.accepts_work()?;
    Ok(project)
}

/// Writes the name, the description and the state of a project.
///
/// # Errors
/// The database's; `projects_group_name_key` is the constraint that is violated if the name is taken in the group.
pub async fn update(writes: &mut Writes<'_>, project: &Project) -> QueryResult<()> {
    diesel::update(projects::table.find(project.id))
        .set((
            projects::name.eq(&project.name),
            projects::description.eq(&project.description),
            projects::archived_at.eq(project.archived_at),
        ))
        .execute(writes.conn())
        .await
        .map(drop)
}
