//! Projects by ID with their limits, the projects of groups, and the pages of all projects.

use std::collections::BTreeMap;
use std::sync::Arc;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures::{FutureExt, TryFutureExt};

use super::model::limits::Limits;
use super::model::schedule::{self, Schedule};
use super::model::{self, Project, Selection};
use crate::auth::policy::Visible;
use crate::db::Lane;
use crate::db::coalesce::{ByKey, Read, one_by_one};
use crate::db::tables::{config_files, jobs, project_quotas, projects, storage_claims};
use crate::error::ApiError;
use crate::graphql::connection::Page;
use crate::graphql::cursor::Position;
use crate::graphql::edges::{ListEdge, Order, Unique};
use crate::graphql::keyset::Condition;
use crate::ids::{GroupId, GroupKind, ProjectId};
use crate::jobs::types::JobPhase;

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

/// The limits of a project, if it has any.
pub enum LimitsOfProject {}

impl Read for LimitsOfProject {
    type Key = ProjectId;
    type Value = Limits;

    async fn read(lane: &Lane, keys: Vec<ProjectId>) -> Result<ByKey<ProjectId, Limits>, ApiError> {
        let found = project_quotas::table
            .filter(project_quotas::project_id.eq_any(keys))
            .select((project_quotas::project_id, Limits::as_select()));
        let found: Vec<(ProjectId, Limits)> = found.load(&mut lane.lookup().await?).await?;
        Ok(found.into_iter().collect())
    }
}

/// The schedule of a project, if it has one.
pub enum ScheduleOfProject {}

impl Read for ScheduleOfProject {
    type Key = ProjectId;
    type Value = Schedule;

    async fn read(lane: &Lane, keys: Vec<ProjectId>) -> Result<ByKey<ProjectId, Schedule>, ApiError> {
        Ok(schedule::of_projects(&mut *lane.connection().await?, &keys).await?.into_iter().collect())
    }
}

/// What belongs to a project and goes with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deletion {
    /// The number of jobs in each phase that has any.
    pub jobs: Vec<(JobPhase, i64)>,
    /// The number of config files.
    pub config_files: i64,
    /// The number of storage claims.
    pub claims: i64,
    /// The namespace.
    pub namespace: String,
}

/// What belongs to a project and goes with it.
pub enum DeletionOfProject {}

impl Read for DeletionOfProject {
    type Key = ProjectId;
    type Value = Deletion;

    async fn read(lane: &Lane, keys: Vec<ProjectId>) -> Result<ByKey<ProjectId, Deletion>, ApiError> {
        let mut conn = lane.connection().await?;
        let of_projects = projects::table.filter(projects::id.eq_any(&keys));
        let found: Vec<(ProjectId, String)> =
            of_projects.select((projects::id, projects::namespace)).load(&mut conn).await?;
        let counted: Vec<(ProjectId, JobPhase, i64)> = jobs::table
            .filter(jobs::project_id.eq_any(&keys))
            .group_by((jobs::project_id, jobs::phase))
            .select((jobs::project_id, jobs::phase, diesel::dsl::count_star()))
            .load(&mut conn)
            .await?;
        let files: Vec<(ProjectId, i64)> = config_files::table
            .filter(config_files::project_id.eq_any(&keys).and(config_files::deleted_at.is_null()))
            .group_by(config_files::project_id)
            .select((config_files::project_id, diesel::dsl::count_star()))
            .load(&mut conn)
            .await?;
        let claims: Vec<(Option<ProjectId>, i64)> = storage_claims::table
            .filter(storage_claims::project_id.eq_any(&keys))
            .group_by(storage_claims::project_id)
            .select((storage_claims::project_id, diesel::dsl::count_star()))
            .load(&mut conn)
            .await?;
        let of_project = |(id, namespace)| (id, Deletion { namespace, ..Deletion::default() });
        let mut deletions: BTreeMap<ProjectId, Deletion> = found.into_iter().map(of_project).collect();
        for (id, phase, count) in counted {
            deletions.entry(id).or_default().jobs.push((phase, count));
        }
        for (id, count) in files {
            deletions.entry(id).or_default().config_files = count;
        }
        for (id, count) in claims {
            id.into_iter().for_each(|id| deletions.entry(id).or_default().claims = count);
        }
        deletions.values_mut().for_each(|deletion| deletion.jobs.sort_unstable());
        Ok(deletions.into_iter().collect())
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
