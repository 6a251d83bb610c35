//! Opens and closes the files of a storage claim.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use chrono::{SubsecRound, Utc};
use http::header;
use serde_json::json;

use super::model;
use super::query;
use super::ticket::{CookieSecret, Ticket};
use super::types::{FileSession, access, is_read_only};
use super::worker::FilesWake;
use crate::auth::acting::CallerExt;
use crate::auth::policy::{self, Action, StorageAccess};
use crate::auth::principal::Credential;
use crate::change::{ChangeExt, Done, Writes};
use crate::error::{ApiError, ApiErrors, Code};
use crate::graphql::ids::GivenId;
use crate::graphql::limits::directives::cost;
use crate::graphql::loaders::ReadExt;
use crate::graphql::names::shown;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::{FileSessionId, FileSessionKind, PvcKind};
use crate::storage::loader::{ClaimsById, scope_for};
use crate::storage::model::{self as storage, Claim, mounts};

/// The number of file sessions that a user can have at a time.
const MOST_OF_USER: i64 = 20;
/// How long a session lasts at most, in hours.
const LONGEST_HOURS: i64 = 12;

/// Input for `openFiles`.
#[derive(Debug, InputObject)]
pub struct OpenFilesInput {
    /// The ID of the storage claim. You must have access to it.
    pub claim_id: GivenId<PvcKind>,
}

/// Result of `openFiles`.
#[derive(Debug, SimpleObject)]
pub struct OpenFilesPayload {
    /// The session, with its URL.
    pub file_session: FileSession,
}

/// Input for `closeFiles`.
#[derive(Debug, InputObject)]
pub struct CloseFilesInput {
    /// The ID of the file session.
    pub id: GivenId<FileSessionKind>,
}

/// Result of `closeFiles`.
#[derive(Debug, SimpleObject)]
pub struct CloseFilesPayload {
    /// The ID of the file session, which does not exist any more.
    pub file_session_id: ID,
}

/// The mutations of file sessions.
#[derive(Debug, Default)]
pub struct FilesMutation;

#[Object]
impl FilesMutation {
    /// Opens the files of a storage claim: its URL shows them in the browser, and to WebDAV clients. You can download with
    /// read access, and also upload, rename and delete with write access. Sets a cookie that the URL works with, and with
    /// which it works in this browser only. The session ends when it is not used for a while, when you log out, when you lose
    /// the access, and after 12 hours.
    ///
    /// Fails with NOT_FOUND if the claim does not exist or you cannot see it, FORBIDDEN if you have no access to it,
    /// QUOTA_EXCEEDED if you have 20 file sessions, and CONFLICT if the claim is lost, failed or being deleted, or if its access
    /// mode is READ_WRITE_ONCE_POD and a pod mounts it.
    #[graphql(directive = cost::apply("20".to_owned()))]
    async fn open_files(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The claim.")] input: OpenFilesInput,
    ) -> ApiResult<Option<OpenFilesPayload>> {
        open(ctx, input).await.map(Some).graphql(ctx)
    }

    /// Closes a file session. Uploads and downloads that are going on are ended.
    ///
    /// Fails with NOT_FOUND if the session does not exist or you did not open it.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn close_files(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The session.")] input: CloseFilesInput,
    ) -> ApiResult<Option<CloseFilesPayload>> {
        close(ctx, input).await.map(Some).graphql(ctx)
    }
}

async fn open(ctx: &Context<'_>, input: OpenFilesInput) -> Result<OpenFilesPayload, ApiErrors> {
    let at = |error: ApiError| error.at("input.claimId");
    let caller = ctx.caller();
    let principal = caller.principal()?;
    let id = input.claim_id.at("input.claimId")?;
    let not_found = || at(ApiError::not_found("storage claim", id));
    let claim = ctx.read::<ClaimsById>(id).await?.ok_or_else(not_found)?;
    policy::check(&caller, Action::ViewPvc, claim.scope(StorageAccess::None)).map_err(at)?;
    let scope = scope_for(ctx, &claim, principal.user).await?;
    let change = ctx.change(Action::OpenFiles, scope).map_err(at)?;
    let access = access(&claim, |action| policy::check(&caller, action, scope).is_ok());
    let (ticket, secret) = (Ticket::generate(), CookieSecret::generate());
    let (session_id, api_token_id) = match principal.credential {
        Credential::Session { id, .. } => (Some(id), None),
        Credential::ApiToken { id, .. } => (None, Some(id)),
    };
    let now = Utc::now().trunc_subsecs(6);
    let lasts = chrono::Duration::hours(LONGEST_HOURS);
    let session = model::FileSession {
        id: FileSessionId::generate(),
        claim_id: id,
        user_id: principal.user,
        session_id,
        api_token_id,
        ticket_hash: ticket.hash().to_vec(),
        cookie_hash: secret.hash().to_vec(),
        created_at: now,
        last_used_at: now,
        expires_at: now + lasts,
    };
    let session = change
        .commit(async |writes| {
            if model::count(writes, session.user_id).await? >= MOST_OF_USER {
                let message = format!("you have {MOST_OF_USER} file sessions; close one with closeFiles");
                return Err(ApiError::new(Code::QuotaExceeded, message).into());
            }
            let claim = storage::lock(writes.conn(), id).await?.ok_or_else(not_found)?;
            can_be_shown(writes, &claim).await.map_err(at)?;
            model::open(writes, &session, &claim, is_read_only(&claim)).await?;
            let detail = json!({ "fileSession": session.id.to_text(), "access": access.as_str() });
            let done = Done::to(id, detail);
            Ok(claim.project_id.into_iter().fold(done, Done::in_project).with(session))
        })
        .await?;
    if let Some(FilesWake(wake)) = ctx.data_opt::<FilesWake>() {
        wake.now();
    }
    // A WebSocket and an event stream have no headers for it.
    if let Some(cookie) = secret.store(&ticket, lasts.num_seconds()) {
        ctx.append_http_header(header::SET_COOKIE, cookie);
    }
    Ok(OpenFilesPayload { file_session: FileSession::opened(session, ticket.path()) })
}

/// Whether a pod can mount the claim now, or later.
async fn can_be_shown(writes: &mut Writes<'_>, claim: &Claim) -> Result<(), ApiError> {
    if let Some(why) = claim.phase.obstacle() {
        return Err(ApiError::conflict(format!("{} is a claim that {why}", shown(&claim.name))));
    }
    if claim.access_mode.in_kubernetes() == "ReadWriteOncePod" {
        let mounts = mounts::of_claims(writes.conn(), &[claim.id]).await?;
        if let Some(other) = mounts.iter().find(|mount| !mount.shows_files()) {
            let pod = shown(&other.pod);
            return Err(ApiError::conflict(format!(
                "only one pod at a time can mount the claim, and the pod {pod} does; wait until it has ended"
            )));
        }
    }
    Ok(())
}

async fn close(ctx: &Context<'_>, input: CloseFilesInput) -> Result<CloseFilesPayload, ApiErrors> {
    ctx.caller().principal()?;
    let at = |error: ApiError| error.at("input.id");
    let id = input.id.at("input.id")?;
    let (session, scope) = query::visible(ctx, id).await.map_err(at)?;
    let change = ctx.change(Action::CloseFiles, scope).map_err(at)?;
    change
        .commit(async |writes| match model::close(writes, id).await? {
            true => Ok(Done::to(session.claim_id, json!({ "fileSession": id.to_text() }))),
            false => Err(at(ApiError::not_found("file session", id)).into()),
        })
        .await?;
    if let Some(FilesWake(wake)) = ctx.data_opt::<FilesWake>() {
        wake.now();
    }
    Ok(CloseFilesPayload { file_session_id: ID(id.to_text()) })
}
