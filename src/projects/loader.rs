//! Projects by ID, the projects of groups, and the pages of all projects.

use std::sync::Arc;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures::{FutureExt, TryFutureExt};

use super::model::{self, Project, Selection};
use crate::auth::policy::Visible;
use crate::db::Lane;
use crate::db::coalesce::{ByKey, Read, one_by_one};
use crate::db::tables::projects;
use crate::error::ApiError;
use crate::graphql::connection::Page;
use crate::graphql::cursor::Position;
use crate::graphql::edges::{ListEdge, Order, Unique};
use crate::graphql::keyset::Condition;
use crate::ids::{GroupId, GroupKind, ProjectId};

/// The group of the project with an id, which decides who can do what in it. Known wherever the project was read.
pub enum GroupOfProject {}

impl Read for GroupOfProject {
    type Key = ProjectId;
    type Value = GroupId;

    async fn read(lane: &Lane, keys: Vec<ProjectId>) -> Result<ByKey<ProjectId, GroupId>, ApiError> {
        let found = projects::table.filter(projects::id.eq_any(keys)).select((projects::id, projects::group_id));
        let found: Vec<(ProjectId, GroupId)> = found.load(&mut lane.lookup().await?).await?;
        Ok(found.into_iter().collect())
    }
}

/// The project with an id.
pub enum ProjectsById {}

impl Read for ProjectsById {
    type Key = ProjectId;
    type Value = Arc<Project>;

    async fn read(lane: &Lane, keys: Vec<ProjectId>) -> Result<ByKey<ProjectId, Arc<Project>>, ApiError> {
        let mut conn = lane.lookup().await?;
        let found: Vec<Project> =
            projects::table.filter(projects::id.eq_any(keys)).select(Project::as_select()).load(&mut conn).await?;
        Ok(found.into_iter().map(|project| (project.id, Arc::new(project))).collect())
    }
}

/// A group's projects, by name by default.
pub enum ProjectsOfGroup {}

impl ListEdge for ProjectsOfGroup {
    type Parent = GroupKind;
    type Under = projects::group_id;
    type SortedBy = Unique<projects::name>;
    type Row = Project;
    type Item = Project;
    type Filter = Selection;
    const CONNECTIONS: usize = 2;

    fn parent(project: &Project) -> GroupId {
        project.group_id
    }

    fn order(selection: &Selection) -> Order<projects::table> {
        selection.order()
    }

    fn position(project: &Project, selection: &Selection) -> Position {
        selection.position(project)
    }

    fn conditions(selection: &Selection) -> Vec<Condition<projects::table>> {
        selection.conditions()
    }
}

/// A page of the projects that a viewer can see. Viewers with the same groups and arguments share the statement.
pub enum ProjectPages {}

impl Read for ProjectPages {
    type Key = (Visible, Selection, Page);
    type Value = Arc<Vec<Project>>;
    const CONNECTIONS: usize = 4;
    /// Each is a separate statement: others get their own connection.
    const BATCH: usize = 4;

    async fn read(lane: &Lane, keys: Vec<Self::Key>) -> Result<ByKey<Self::Key, Self::Value>, ApiError> {
        one_by_one(lane, keys, |conn, (visible, selection, page)| {
            model::page(conn, visible, selection, page).map_ok(Arc::new).boxed()
        })
        .await
    }
}
