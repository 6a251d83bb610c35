//! Projects as the API shows them.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};

use super::loader::ProjectsById;
use super::model;
use crate::error::ApiError;
use crate::graphql::connection::{Connection, PageArgs};
use crate::graphql::limits::directives::connection_size;
use crate::graphql::loaders::ReadExt;
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::groups::types::Group;
use crate::ids::ProjectId;
use crate::jobs::types::{Job, JobPhase, jobs_of_project};
use crate::lists_under;

/// A group's project: its jobs run in a Kubernetes namespace of its own.
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
    /// The project with this id, for an edge whose start the viewer sees.
    ///
    /// # Errors
    /// The read failed, or a foreign key does not hold.
    pub async fn load(ctx: &Context<'_>, id: ProjectId) -> Result<Self, ApiError> {
        let project = ctx.read::<ProjectsById>(id).await?;
        project.map(Self).ok_or_else(|| ApiError::internal(format!("{id} is referred to and not there")))
    }
}

/// A group's project: its jobs run in a Kubernetes namespace of its own.
#[Object]
impl Project {
    /// The id: `project_` and 26 characters.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_text())
    }

    /// The name, unique in its group.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What the project is about.
    async fn description(&self) -> &str {
        &self.0.description
    }

    /// The Kubernetes namespace the project's jobs run in: `proj-` and the 26 characters of the id.
    async fn namespace(&self) -> &str {
        &self.0.namespace
    }

    /// When the project was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// The group that the project belongs to.
    async fn group(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<Group>> {
        Group::load(ctx, self.0.group_id).await.map(AtOnce).graphql(ctx)
    }

    /// The project's jobs, newest first.
    #[allow(clippy::too_many_arguments, reason = "a connection has four arguments before its own")]
    #[graphql(directive = connection_size::apply())]
    async fn jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the start: 0 to 100, 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Begin after the job with this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "End before the job with this cursor.")] before: Option<String>,
        #[graphql(desc = "Jobs in one of these phases only.")] phases: Option<Vec<JobPhase>>,
    ) -> ApiResult<Connection<Job>> {
        jobs_of_project(ctx, self.0.id, PageArgs { first, after, last, before }, phases).await.graphql(ctx)
    }

    /// What other rooms have under it.
    #[graphql(flatten)]
    async fn lists(&self) -> ProjectLists {
        self.0.id.into()
    }
}

lists_under! {
    /// What other rooms have under a project, beside its jobs.
    ProjectLists(ProjectId):
        crate::configs::types::ConfigFilesUnderProject,
}
