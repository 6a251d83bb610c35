//! Requests as GraphQL types.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::event::{RequestEvent as Happened, RequestEventKind};
use super::loader::{MessagesOfRequest, RequestsById};
use super::model::{self, RequestStatus, RequestTag, Wanted};
use crate::auth::acting::PolicyExt;
use crate::auth::policy::{Action, Scope};
use crate::auth::principal::GroupRole;
use crate::error::ApiError;
use crate::events::Logged;
use crate::graphql::connection::{Connection, PageArgs};
use crate::graphql::edges;
use crate::graphql::limits::directives::connection_size;
use crate::graphql::loaders::ReadExt;
use crate::graphql::scalars::{FeedCursor, Quantity};
use crate::graphql::written::Written;
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::groups::loader::GroupsById;
use crate::groups::types::Group;
use crate::projects::loader::ProjectsById;
use crate::projects::types::Project;
use crate::quantity;
use crate::users::types::User;

/// A request of a user.
#[derive(Debug, Clone)]
pub struct Request(pub Arc<model::Request>);

impl From<model::Request> for Request {
    fn from(request: model::Request) -> Self {
        Self(Arc::new(request))
    }
}

impl Written for Request {}

/// The request, for the policy.
pub fn scope(request: &model::Request) -> Scope {
    Scope::of_group_or_none(request.group_id, request.id).in_project(request.project_id).by(request.author_id)
}

/// A request of a user to those who are responsible for the platform, a group or a project. Only they and its author can see
/// it.
#[Object]
impl Request {
    /// The ID of the request: `request_` followed by 26 characters.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_text())
    }

    /// The user who opened it.
    async fn author(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<User>> {
        User::load(ctx, self.0.author_id).await.map(AtOnce).graphql(ctx)
    }

    /// What it is about.
    async fn tag(&self) -> RequestTag {
        self.0.tag
    }

    /// The title.
    async fn title(&self) -> &str {
        &self.0.title
    }

    /// The status.
    async fn status(&self) -> RequestStatus {
        self.0.status
    }

    /// The name of the group that it is about; null for the platform. Its author need not be a member of the group.
    async fn group_name(&self, ctx: &Context<'_>) -> ApiResult<Option<String>> {
        let Some(group) = self.0.group_id else { return Ok(None) };
        let found = ctx.read::<GroupsById>(group).await.graphql(ctx)?;
        Ok(found.map(|group| group.name.clone()))
    }

    /// The group that it is about; null for the platform, and if you are not a member of the group.
    async fn group(&self, ctx: &Context<'_>) -> ApiResult<Option<AtOnce<Group>>> {
        let Some(group) = self.0.group_id else { return Ok(None) };
        if ctx.check(Action::ViewGroup, Scope::group(group)).is_err() {
            return Ok(None);
        }
        let found = ctx.read::<GroupsById>(group).await.graphql(ctx)?;
        Ok(found.map(Group).map(AtOnce))
    }

    /// The project that it is about, if it is about one; null if you are not a member of its group.
    async fn project(&self, ctx: &Context<'_>) -> ApiResult<Option<AtOnce<Project>>> {
        let (Some(group), Some(project)) = (self.0.group_id, self.0.project_id) else { return Ok(None) };
        if ctx.check(Action::ViewProject, Scope::within(group, project)).is_err() {
            return Ok(None);
        }
        let found = ctx.read::<ProjectsById>(project).await.graphql(ctx)?;
        Ok(found.map(Project).map(AtOnce))
    }

    /// The role in the group that the author gets when the request is resolved; null if it is not about a role.
    async fn wanted_role(&self) -> Option<GroupRole> {
        match self.0.wanted()? {
            Wanted::Role { role } => Some(role.into()),
            Wanted::Limits(_) => None,
        }
    }

    /// The limits that the project gets when the request is resolved; null if it is not about limits.
    async fn wanted_limits(&self) -> Option<WantedLimits> {
        match self.0.wanted()? {
            Wanted::Limits(limits) => Some(limits.into()),
            Wanted::Role { .. } => None,
        }
    }

    /// When the role or the limits were granted; null if they were not.
    async fn applied_at(&self) -> Option<DateTime<Utc>> {
        self.0.applied_at
    }

    /// The user who resolved or rejected it; null if nobody has.
    async fn resolved_by(&self, ctx: &Context<'_>) -> ApiResult<Option<AtOnce<User>>> {
        let Some(user) = self.0.resolved_by else { return Ok(None) };
        User::load(ctx, user).await.map(AtOnce).map(Some).graphql(ctx)
    }

    /// When it was opened.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When the last message was written.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }

    /// Whether you can change the status of the request now.
    async fn viewer_can_resolve(&self, ctx: &Context<'_>) -> bool {
        !self.0.status.is_final() && ctx.check(Action::ResolveRequest, scope(&self.0)).is_ok()
    }

    /// The messages in the request, oldest first.
    #[graphql(directive = connection_size::apply())]
    async fn messages(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first _n_ items of the list: 0 to 100, 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the messages that come after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last _n_ items of the list: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Returns the messages that come before this cursor.")] before: Option<String>,
    ) -> ApiResult<Connection<RequestMessage>> {
        let args = PageArgs { first, after, last, before };
        edges::list::<MessagesOfRequest, _>(ctx, self.0.id, (), args).await.graphql(ctx)
    }
}

/// Limits of a project that somebody asks for. A limit that is null stays as it is.
#[derive(Debug, SimpleObject)]
pub struct WantedLimits {
    /// GPUs.
    pub gpu: Option<i32>,
    /// CPUs.
    pub cpu: Option<Quantity>,
    /// Memory.
    pub memory: Option<Quantity>,
    /// Storage.
    pub storage: Option<Quantity>,
    /// Unfinished jobs.
    pub concurrent_jobs: Option<i32>,
    /// Unfinished jobs that have not started yet.
    pub queued_jobs: Option<i32>,
    /// Unfinished jobs of each user.
    pub concurrent_jobs_per_user: Option<i32>,
    /// Unfinished jobs of each user that have not started yet.
    pub queued_jobs_per_user: Option<i32>,
    /// The longest time that a job can run, in seconds.
    pub max_run_seconds: Option<i32>,
    /// Members of the project's group.
    pub max_members: Option<i32>,
}

impl From<model::Limits> for WantedLimits {
    fn from(limits: model::Limits) -> Self {
        let quantity = |quantity: quantity::Quantity| Quantity(quantity.as_str().to_owned());
        Self {
            gpu: limits.gpu,
            cpu: limits.cpu_millis.map(quantity::Quantity::of_millis).map(quantity),
            memory: limits.memory_bytes.map(quantity::Quantity::of_bytes).map(quantity),
            storage: limits.storage_bytes.map(quantity::Quantity::of_bytes).map(quantity),
            concurrent_jobs: limits.concurrent_jobs,
            queued_jobs: limits.queued_jobs,
            concurrent_jobs_per_user: limits.concurrent_jobs_per_user,
            queued_jobs_per_user: limits.queued_jobs_per_user,
            max_run_seconds: limits.max_run_seconds.map(|seconds| i32::try_from(seconds).unwrap_or(i32::MAX)),
            max_members: limits.max_members,
        }
    }
}

/// A message in a request.
#[derive(Debug, Clone)]
pub struct RequestMessage(pub Arc<model::Message>);

impl From<Arc<model::Message>> for RequestMessage {
    fn from(message: Arc<model::Message>) -> Self {
        Self(message)
    }
}

impl Written for RequestMessage {}

/// A message in a request.
#[Object]
impl RequestMessage {
    /// The ID of the message: `message_` followed by 26 characters.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_text())
    }

    /// The user who wrote it.
    async fn author(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<User>> {
        User::load(ctx, self.0.author_id).await.map(AtOnce).graphql(ctx)
    }

    /// The text; empty if somebody has only changed the status.
    async fn text(&self) -> &str {
        &self.0.text
    }

    /// The status that the request has had since this message; null if it did not change it.
    async fn status(&self) -> Option<RequestStatus> {
        self.0.status
    }

    /// When it was written.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }
}

/// An event of a request, in the feed.
#[derive(Debug, Clone)]
pub struct RequestEvent(pub Arc<Logged<Happened>>);

/// An event of a request.
#[Object]
impl RequestEvent {
    /// The ID of the event: `event_` followed by 26 characters. It is for caches; `node` does not find events.
    async fn id(&self) -> ID {
        ID(self.0.seq.id().to_text())
    }

    /// The position of the event in the event log. Pass it as `after` to `requestEvents` to resume after this event.
    async fn cursor(&self) -> FeedCursor {
        FeedCursor(self.0.seq.cursor())
    }

    /// When the event happened.
    async fn at(&self) -> DateTime<Utc> {
        self.0.at
    }

    /// The kind of event.
    async fn kind(&self) -> RequestEventKind {
        self.0.event.kind
    }

    /// The status of the request after the event.
    async fn status(&self) -> RequestStatus {
        self.0.event.status
    }

    /// The request in its current state, which is at least as recent as the event.
    async fn request(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<Request>> {
        let id = self.0.subject();
        let found = ctx.read::<RequestsById>(id).await;
        let found = found.and_then(|found| found.ok_or_else(|| ApiError::not_found("request", id)));
        found.map(Request).map(AtOnce).graphql(ctx)
    }
}
