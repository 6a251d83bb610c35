//! File sessions as GraphQL objects.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use futures::future::try_join_all;

use super::loader::{FilePods, FileSessionsOfUser};
use super::model;
pub use super::phase::FilesPhase;
use crate::auth::acting::PolicyExt;
use crate::auth::policy::{Action, Scope, StorageAccess};
use crate::error::ApiError;
use crate::graphql::limits::directives::assumed_list;
use crate::graphql::loaders::ReadExt;
use crate::graphql::written::Written;
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::ids::UserId;
use crate::storage::loader::{ClaimsById, scope_for};
use crate::storage::model::Claim;
use crate::storage::types::Pvc;
use crate::users::types::User;

/// A file session.
#[derive(Debug, Clone)]
pub struct FileSession {
    session: Arc<model::FileSession>,
    /// Known only when it is opened.
    url: Option<String>,
}

impl From<Arc<model::FileSession>> for FileSession {
    fn from(session: Arc<model::FileSession>) -> Self {
        Self { session, url: None }
    }
}

impl Written for FileSession {}

impl FileSession {
    /// A session that was opened just now.
    pub fn opened(session: model::FileSession, url: String) -> Self {
        Self { session: Arc::new(session), url: Some(url) }
    }

    async fn claim_of(&self, ctx: &Context<'_>) -> Result<Arc<Claim>, ApiError> {
        let id = self.session.claim_id;
        ctx.read::<ClaimsById>(id).await?.ok_or_else(|| ApiError::not_found("storage claim", id))
    }
}

/// The object of a session, for the policy.
pub fn scope(session: &model::FileSession, claim: &Claim) -> Scope {
    Scope::owned(session.user_id, session.id).in_project(claim.project_id)
}

/// Whether a claim is only ever mounted read-only.
pub fn is_read_only(claim: &Claim) -> bool {
    claim.read_only || claim.access_mode.in_kubernetes() == "ReadOnlyMany"
}

/// What somebody may do with the files of a claim, of whom the policy `allows` this.
pub fn access(claim: &Claim, allows: impl Fn(Action) -> bool) -> StorageAccess {
    let access = claim.access(allows);
    if is_read_only(claim) { access.min(StorageAccess::Read) } else { access }
}

/// Files of a storage claim that a user has opened, to see and change them in a browser or with a WebDAV client.
#[Object]
impl FileSession {
    /// The ID of the session: `files_` followed by 26 characters. It is not the secret in the URL.
    pub async fn id(&self) -> ID {
        ID(self.session.id.to_text())
    }

    /// The user who opened it.
    async fn user(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<User>> {
        User::load(ctx, self.session.user_id).await.map(AtOnce).graphql(ctx)
    }

    /// The storage claim whose files it shows.
    async fn claim(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<Pvc>> {
        self.claim_of(ctx).await.map(Pvc::from).map(AtOnce).graphql(ctx)
    }

    /// The URL of the files, relative to the server: `/files/<ticket>/`. It works in the browser that opened the session, and
    /// for WebDAV clients and scripts with the access token or the API token that the session was opened with. Only in the
    /// response to `openFiles`, null later.
    async fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// What you may do with the files. It follows what the claim grants, also while the session is open.
    async fn access(&self, ctx: &Context<'_>) -> ApiResult<StorageAccess> {
        let found = async {
            let claim = self.claim_of(ctx).await?;
            let scope = scope_for(ctx, &claim, self.session.user_id).await?;
            Ok::<_, ApiError>(access(&claim, |action| ctx.check(action, scope).is_ok()))
        };
        found.await.graphql(ctx)
    }

    /// Whether the files can be seen yet. The first request waits for that, too.
    async fn phase(&self, ctx: &Context<'_>) -> ApiResult<FilesPhase> {
        let pod = ctx.read::<FilePods>(self.session.claim_id).await.graphql(ctx)?;
        Ok(pod.map_or(FilesPhase::Starting, |pod| pod.phase))
    }

    /// The reason for the phase, as a sentence; null if there is nothing to say.
    async fn message(&self, ctx: &Context<'_>) -> ApiResult<Option<String>> {
        let pod = ctx.read::<FilePods>(self.session.claim_id).await.graphql(ctx)?;
        Ok(pod.and_then(|pod| pod.message.clone()))
    }

    /// When it was opened.
    async fn created_at(&self) -> DateTime<Utc> {
        self.session.created_at
    }

    /// When it was last used, to half a minute. A session that is not used for a while ends; the operator decides how long
    /// that is, 15 minutes by default.
    async fn last_used_at(&self) -> DateTime<Utc> {
        self.session.last_used_at
    }

    /// When it ends in any case.
    async fn expires_at(&self) -> DateTime<Utc> {
        self.session.expires_at
    }
}

/// The file sessions of a user.
#[derive(Debug)]
pub struct FileSessionsUnderUser(UserId);

impl From<UserId> for FileSessionsUnderUser {
    fn from(user: UserId) -> Self {
        Self(user)
    }
}

/// The file sessions that a user has.
#[Object]
impl FileSessionsUnderUser {
    /// The open file sessions of the user, the newest first: 20 at most. Only visible to the user and to platform admins, null
    /// for others.
    #[graphql(directive = assumed_list::apply(10))]
    async fn file_sessions(&self, ctx: &Context<'_>) -> ApiResult<Option<Vec<AtOnce<FileSession>>>> {
        list(ctx, self.0).await.graphql(ctx)
    }
}

async fn list(ctx: &Context<'_>, user: UserId) -> Result<Option<Vec<AtOnce<FileSession>>>, ApiError> {
    if ctx.check(Action::ViewUserPrivate, Scope::person(user)).is_err() {
        return Ok(None);
    }
    let found = ctx.read::<FileSessionsOfUser>(user).await?.unwrap_or_default();
    let claims = try_join_all(found.iter().map(|session| ctx.read::<ClaimsById>(session.claim_id))).await?;
    let visible = |session: &model::FileSession, claim: Option<Arc<Claim>>| {
        claim.is_some_and(|claim| ctx.check(Action::ViewFileSession, scope(session, &claim)).is_ok())
    };
    let sessions = found.into_iter().zip(claims).filter(|(session, claim)| visible(session, claim.clone()));
    Ok(Some(sessions.map(|(session, _)| AtOnce(FileSession::from(session))).collect()))
}
