//! Finds file sessions.

use std::sync::Arc;

use async_graphql::Context;

use super::loader::FileSessionsById;
use super::model;
use super::types::{FileSession, scope};
use crate::auth::acting::CallerExt;
use crate::auth::policy::{self, Action, Scope};
use crate::error::ApiError;
use crate::graphql::loaders::ReadExt;
use crate::ids::FileSessionId;
use crate::storage::loader::ClaimsById;

/// The open file session with this ID, if the caller can see it.
///
/// # Errors
/// `NOT_FOUND` if there is none or the caller cannot see it.
pub async fn find(ctx: &Context<'_>, id: FileSessionId) -> Result<FileSession, ApiError> {
    let (session, scope) = visible(ctx, id).await?;
    policy::check(&ctx.caller(), Action::ViewFileSession, scope)?;
    Ok(FileSession::from(session))
}

/// An open file session, and what it is for the policy.
pub(super) async fn visible(
    ctx: &Context<'_>,
    id: FileSessionId,
) -> Result<(Arc<model::FileSession>, Scope), ApiError> {
    // Checked first, so that unauthenticated clients cannot find out which IDs exist.
    ctx.caller().principal()?;
    let not_found = || ApiError::not_found("file session", id);
    let session = ctx.read::<FileSessionsById>(id).await?.ok_or_else(not_found)?;
    let claim = ctx.read::<ClaimsById>(session.claim_id).await?.ok_or_else(not_found)?;
    let scope = scope(&session, &claim);
    policy::check(&ctx.caller(), Action::ViewFileSession, scope)?;
    Ok((session, scope))
}
