//! Entries of the audit log as GraphQL types.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::loader::EntriesById;
use super::model::Entry;
use crate::auth::acting::PolicyExt;
use crate::auth::policy::{Action, Scope};
use crate::error::ApiError;
use crate::events::Logged;
use crate::graphql::limits::directives::assumed_list;
use crate::graphql::loaders::ReadExt;
use crate::graphql::scalars::{FeedCursor, Json};
use crate::graphql::written::Written;
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::groups::loader::GroupsById;
use crate::groups::types::Group;
use crate::projects::loader::ProjectsById;
use crate::projects::types::Project;
use crate::trail::event::Recorded;
use crate::trail::{Credential, Outcome};
use crate::users::types::User;

/// An entry of the audit log.
#[derive(Debug, Clone)]
pub struct AuditEntry(pub Arc<Entry>);

impl From<Entry> for AuditEntry {
    fn from(entry: Entry) -> Self {
        Self(Arc::new(entry))
    }
}

impl Written for AuditEntry {}

/// An entry of the audit log: somebody did something, or tried to.
#[Object]
impl AuditEntry {
    /// The ID of the entry: `audit_` followed by 26 characters.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_text())
    }

    /// When it happened.
    async fn at(&self) -> DateTime<Utc> {
        self.0.at
    }

    /// The user who did it; null for the operator of the platform, for the platform itself, and for clients that were not
    /// logged in.
    async fn actor(&self, ctx: &Context<'_>) -> ApiResult<Option<AtOnce<User>>> {
        let Some(actor) = self.0.actor_id else { return Ok(None) };
        User::load(ctx, actor).await.map(AtOnce).map(Some).graphql(ctx)
    }

    /// What was done, named like the mutation: `createProject`.
    async fn action(&self) -> &str {
        &self.0.action
    }

    /// Whether it was done or refused.
    async fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// The ID of the object that it was done to, which may no longer exist; null for the platform itself.
    async fn subject_id(&self) -> Option<ID> {
        self.0.subject.clone().map(ID)
    }

    /// The kind of the object, as in the prefix of its ID: `project`. Null for the platform itself.
    async fn subject_kind(&self) -> Option<&str> {
        self.0.subject.as_deref().and_then(|id| id.rsplit_once('_')).map(|(kind, _)| kind)
    }

    /// The group that the object belongs to, if it still exists.
    async fn group(&self, ctx: &Context<'_>) -> ApiResult<Option<AtOnce<Group>>> {
        let Some(group) = self.0.group else { return Ok(None) };
        let found = ctx.read::<GroupsById>(group).await.graphql(ctx)?;
        Ok(found.map(Group).map(AtOnce))
    }

    /// The project that the object belongs to, if it still exists.
    async fn project(&self, ctx: &Context<'_>) -> ApiResult<Option<AtOnce<Project>>> {
        let Some(project) = self.0.project else { return Ok(None) };
        let found = ctx.read::<ProjectsById>(project).await.graphql(ctx)?;
        Ok(found.map(Project).map(AtOnce))
    }

    /// What else is worth knowing about it, as a JSON object. Secrets are removed.
    async fn detail(&self) -> Json {
        Json::of_text(self.0.detail.to_string())
    }

    /// The fields that were changed, with their values before and after.
    #[graphql(directive = assumed_list::apply(16))]
    async fn changes(&self) -> Vec<AuditChange> {
        let fields = self.0.changes.as_object().into_iter().flatten();
        let json = |value: &serde_json::Value| Json::of_text(value.to_string());
        fields
            .map(|(field, change)| AuditChange {
                field: field.clone(),
                before: json(&change["before"]),
                after: json(&change["after"]),
            })
            .collect()
    }

    /// How often the same was tried in a row; more than 1 only for attempts that were refused.
    async fn times(&self) -> i32 {
        self.0.times
    }

    /// The ID of the request: `X-Request-Id`, and `requestId` in the errors of its response.
    async fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// The credentials that the request had; null without valid ones, as for logins.
    async fn credential(&self) -> Option<Credential> {
        self.0.credential
    }

    /// The ID of the API token that the request had; null if it had none.
    async fn api_token_id(&self) -> Option<ID> {
        self.0.api_token.map(|id| ID(id.to_text()))
    }

    /// The IP address of the client. Only visible to platform admins, null for others.
    async fn address(&self, ctx: &Context<'_>) -> Option<&str> {
        if shows_client(ctx) { self.0.address.as_deref() } else { None }
    }

    /// The user agent of the client. Only visible to platform admins, null for others.
    async fn user_agent(&self, ctx: &Context<'_>) -> Option<&str> {
        if shows_client(ctx) { self.0.user_agent.as_deref() } else { None }
    }
}

fn shows_client(ctx: &Context<'_>) -> bool {
    ctx.check(Action::ViewAuditClient, Scope::PLATFORM).is_ok()
}

/// A field of an object, before and after a change.
#[derive(Debug, SimpleObject)]
pub struct AuditChange {
    /// The name of the field.
    pub field: String,
    /// The value before the change; `"[removed]"` for a secret.
    pub before: Json,
    /// The value after the change; `"[removed]"` for a secret.
    pub after: Json,
}

/// A new entry of the audit log, in the feed.
#[derive(Debug, Clone)]
pub struct AuditEvent(pub Arc<Logged<Recorded>>);

/// A new entry of the audit log.
#[Object]
impl AuditEvent {
    /// The ID of the event: `event_` followed by 26 characters. It is for caches; `node` does not find events.
    async fn id(&self) -> ID {
        ID(self.0.seq.id().to_text())
    }

    /// The position of the event in the event log. Pass it as `after` to `auditEvents` to resume after this event.
    async fn cursor(&self) -> FeedCursor {
        FeedCursor(self.0.seq.cursor())
    }

    /// The entry.
    async fn entry(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<AuditEntry>> {
        let id = self.0.subject();
        let found = ctx.read::<EntriesById>(id).await.and_then(|entry| entry.ok_or_else(|| removed(id)));
        found.map(AuditEntry).map(AtOnce).graphql(ctx)
    }
}

fn removed(id: crate::ids::AuditId) -> ApiError {
    ApiError::not_found("audit entry", id)
}
