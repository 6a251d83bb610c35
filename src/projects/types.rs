//! Projects as GraphQL types.

pub mod filter;
pub mod limits;
pub mod schedule;

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use futures::FutureExt as _;

pub use super::event::ProjectEvent;
use super::loader::{GroupOfProject, ProjectsById};
use super::model::{self, ProjectState};
use crate::auth::acting::PolicyExt;
use crate::auth::policy::{Action, Scope};
use crate::configs::loader::ConfigFilesOfProject;
use crate::configs::model::SortBy;
use crate::configs::types::{ConfigFile, filter as configs};
use crate::error::ApiError;
use crate::graphql::connection::{Connection, PageArgs, argument};
use crate::graphql::edges;
use crate::graphql::limits::directives::connection_size;
use crate::graphql::loaders::ReadExt;
use crate::graphql::written::{Part, Written, each};
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::groups::types::Group;
use crate::ids::ProjectId;
use crate::jobs::types::filter::{JobFilter, JobOrder};
use crate::jobs::types::{Job, JobPhase, JobsAsked, jobs_of_project};
use crate::lists_under;

/// A project of a group. Its jobs run in a Kubernetes namespace of their own.
#[derive(Debug, Clone)]
pub struct Project(pub Arc<model::Project>);

impl From<model::Project> for Project {
    fn from(project: model::Project) -> Self {
        Self(Arc::new(project))
    }
}

impl From<Arc<model::Project>> for Project {
    fn from(project: Arc<model::Project>) -> Self {
        Self(project)
    }
}

impl Project {
    /// The project with this ID, for an edge whose parent the viewer can see.
    ///
    /// # Errors
    /// The read failed, or a foreign key is violated.
    pub async fn load(ctx: &Context<'_>, id: ProjectId) -> Result<Self, ApiError> {
        ctx.read_known::<ProjectsById>(id).await.map(Self)
    }

    /// As [`Project::load`], for each of these ids.
    ///
    /// # Errors
    /// As [`Project::load`].
    pub async fn load_all(ctx: &Context<'_>, ids: &[ProjectId]) -> Result<Vec<Self>, ApiError> {
        Ok(ctx.read_all_known::<ProjectsById>(ids).await?.into_iter().map(Self).collect())
    }

    fn viewer_can(&self, ctx: &Context<'_>, action: Action) -> bool {
        ctx.check(action, Scope::within(self.0.group_id, self.0.id)).is_ok()
    }

    /// Like [`Project::viewer_can`], for work that does not begin in an archived project.
    fn viewer_can_begin(&self, ctx: &Context<'_>, action: Action) -> bool {
        self.0.archived_at.is_none() && self.viewer_can(ctx, action)
    }

    fn current_state(&self) -> ProjectState {
        if self.0.archived_at.is_some() { ProjectState::Archived } else { ProjectState::Active }
    }

    /// What belongs to the project does not have to read its group again.
    fn know_group(&self, ctx: &Context<'_>) -> Result<(), ApiError> {
        ctx.know::<GroupOfProject>(self.0.id, self.0.group_id)
    }
}

/// A project of a group. Its jobs run in a Kubernetes namespace of their own.
#[Object]
impl Project {
    /// The ID of the project: `project_` followed by 26 characters.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_text())
    }

    /// The name of the project, unique within its group.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// A description of the project.
    async fn description(&self) -> &str {
        &self.0.description
    }

    /// The Kubernetes namespace that the project's jobs run in: `proj-` followed by the 26 characters of the ID.
    async fn namespace(&self) -> &str {
        &self.0.namespace
    }

    /// When the project was created.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// The group that the project belongs to.
    async fn group(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<Group>> {
        Group::load(ctx, self.0.group_id).await.map(AtOnce).graphql(ctx)
    }

    /// The jobs of the project, newest first.
    #[allow(clippy::too_many_arguments, reason = "a connection has four arguments before its own")]
    #[graphql(directive = connection_size::apply())]
    async fn jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first _n_ items of the list: 0 to 100, 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the jobs that come after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last _n_ items of the list: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Returns the jobs that come before this cursor.")] before: Option<String>,
        #[graphql(desc = "Which jobs to return; all of the project by default.")] filter: Option<JobFilter>,
        #[graphql(desc = "The order of the list; newest first by default.")] order_by: Option<JobOrder>,
        #[graphql(desc = "Only return jobs in one of these phases.", deprecation = "Use `filter: {phases: [...]}`.")]
        phases: Option<Vec<JobPhase>>,
    ) -> ApiResult<Connection<Job>> {
        let asked = JobsAsked { filter, order: order_by, phases };
        jobs_of_project(ctx, &self.0, PageArgs { first, after, last, before }, asked).await.graphql(ctx)
    }

    /// Whether the project is active or archived.
    async fn state(&self) -> ProjectState {
        self.current_state()
    }

    /// When the project was archived; null if it is active.
    async fn archived_at(&self) -> Option<DateTime<Utc>> {
        self.0.archived_at
    }

    /// Whether you can submit jobs in the project. Nobody can if it is archived.
    async fn viewer_can_submit_job(&self, ctx: &Context<'_>) -> bool {
        self.viewer_can_begin(ctx, Action::SubmitJob)
    }

    /// Whether you can create config files in the project. Nobody can if it is archived.
    async fn viewer_can_create_config_file(&self, ctx: &Context<'_>) -> bool {
        self.viewer_can_begin(ctx, Action::CreateConfigFile)
    }

    /// Whether you can change the name and the description of the project.
    async fn viewer_can_update(&self, ctx: &Context<'_>) -> bool {
        self.viewer_can(ctx, Action::UpdateProject)
    }

    /// Whether you can archive and restore the project.
    async fn viewer_can_archive(&self, ctx: &Context<'_>) -> bool {
        self.viewer_can(ctx, Action::ArchiveProject)
    }

    /// Whether you can delete the project once all its jobs have finished.
    async fn viewer_can_delete(&self, ctx: &Context<'_>) -> bool {
        self.viewer_can(ctx, Action::DeleteProject)
    }

    /// Whether you can set the limits of the project, except that of GPUs.
    async fn viewer_can_set_limits(&self, ctx: &Context<'_>) -> bool {
        self.viewer_can(ctx, Action::SetProjectLimits)
    }

    /// Whether you can set the schedule of the project.
    async fn viewer_can_set_schedule(&self, ctx: &Context<'_>) -> bool {
        self.viewer_can(ctx, Action::SetProjectSchedule)
    }

    /// Whether you can set the limit of GPUs of the project.
    async fn viewer_can_set_gpu_limit(&self, ctx: &Context<'_>) -> bool {
        self.viewer_can(ctx, Action::SetGpuLimit)
    }

    /// The lists that other rooms have under it.
    #[graphql(flatten)]
    async fn lists(&self, ctx: &Context<'_>) -> ApiResult<ProjectLists> {
        self.know_group(ctx).graphql(ctx)?;
        Ok(self.0.id.into())
    }
}

impl Written for Project {
    fn part(field: &str) -> Option<Part<Self>> {
        Some(match field {
            "id" => Part::column(|project, json| json.put(&project.0.id)),
            "name" => Part::column(|project, json| json.put(&project.0.name)),
            "description" => Part::column(|project, json| json.put(&project.0.description)),
            "namespace" => Part::column(|project, json| json.put(&project.0.namespace)),
            "createdAt" => Part::column(|project, json| json.put(&project.0.created_at)),
            "state" => Part::column(|project, json| json.put_enum(project.current_state())),
            "archivedAt" => Part::column(|project, json| json.put(&project.0.archived_at)),
            "viewerCanSubmitJob" => Part::scalar(|ctx, projects| can_begin(ctx, projects, Action::SubmitJob).boxed()),
            "viewerCanCreateConfigFile" => {
                Part::scalar(|ctx, projects| can_begin(ctx, projects, Action::CreateConfigFile).boxed())
            }
            "viewerCanUpdate" => Part::scalar(|ctx, projects| can(ctx, projects, Action::UpdateProject).boxed()),
            "viewerCanArchive" => Part::scalar(|ctx, projects| can(ctx, projects, Action::ArchiveProject).boxed()),
            "viewerCanDelete" => Part::scalar(|ctx, projects| can(ctx, projects, Action::DeleteProject).boxed()),
            "viewerCanSetLimits" => Part::scalar(|ctx, projects| can(ctx, projects, Action::SetProjectLimits).boxed()),
            "viewerCanSetSchedule" => {
                Part::scalar(|ctx, projects| can(ctx, projects, Action::SetProjectSchedule).boxed())
            }
            "viewerCanSetGpuLimit" => Part::scalar(|ctx, projects| can(ctx, projects, Action::SetGpuLimit).boxed()),
            "group" => Part::one(|ctx, projects| groups(ctx, projects).boxed()),
            "jobs" => Part::one(|ctx, projects| jobs(ctx, projects).boxed()),
            "configFiles" => Part::one(|ctx, projects| config_files(ctx, projects).boxed()),
            _ => return None,
        })
    }
}

async fn can(ctx: &Context<'_>, projects: &[&Project], action: Action) -> Option<Vec<bool>> {
    Some(projects.iter().map(|project| project.viewer_can(ctx, action)).collect())
}

async fn can_begin(ctx: &Context<'_>, projects: &[&Project], action: Action) -> Option<Vec<bool>> {
    Some(projects.iter().map(|project| project.viewer_can_begin(ctx, action)).collect())
}

async fn groups(ctx: &Context<'_>, projects: &[&Project]) -> Option<Vec<Group>> {
    let ids: Vec<_> = projects.iter().map(|project| project.0.group_id).collect();
    Group::load_all(ctx, &ids).await.ok()
}

async fn jobs(ctx: &Context<'_>, projects: &[&Project]) -> Option<Vec<Connection<Job>>> {
    let given = ctx.field().arguments().ok()?;
    let (args, asked) = (PageArgs::among(&given)?, JobsAsked::among(&given)?);
    each(projects, |project| jobs_of_project(ctx, &project.0, args.clone(), asked.clone())).await
}

async fn config_files(ctx: &Context<'_>, projects: &[&Project]) -> Option<Vec<Connection<ConfigFile>>> {
    let given = ctx.field().arguments().ok()?;
    let (filter, order) = (argument(&given, "filter")?, argument(&given, "orderBy")?);
    let (args, selection) = (PageArgs::among(&given)?, configs::selection(filter, order, SortBy::Name).ok()?);
    projects.iter().try_for_each(|project| project.know_group(ctx)).ok()?;
    each(projects, |project| edges::list::<ConfigFilesOfProject, _>(ctx, project.0.id, selection.clone(), args.clone()))
        .await
}

lists_under! {
    /// The lists under a project that other rooms contribute.
    ProjectLists(ProjectId):
        crate::configs::types::ConfigFilesUnderProject,
        crate::storage::types::lists::ClaimsUnderProject,
        crate::jobs::types::QuotaUnderProject,
        limits::LimitsUnderProject,
        schedule::ScheduleUnderProject,
}
