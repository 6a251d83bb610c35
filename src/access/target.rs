//! The object that is asked about, found by its ID, of whichever kind it is.

use async_graphql::Context;
use uuid::Uuid;

use super::model;
use crate::auth::acting::CallerExt;
use crate::auth::policy::{self, Action, Kind, Scope, StorageAccess, Visible};
use crate::configs::loader::{CommitsById, ConfigFilesById};
use crate::error::{ApiError, Code};
use crate::graphql::context::RequestExt;
use crate::graphql::loaders::ReadExt;
use crate::groups::loader::GroupsById;
use crate::ids::{
    self, CommitKind, ConfigKind, GroupId, GroupKind, Id, JobKind, Kind as _, ProjectId, ProjectKind, PvcId, PvcKind,
    UserId, UserKind,
};
use crate::jobs::loader::BriefById;
use crate::projects::loader::GroupOfProject;
use crate::storage::loader::{ClaimsById, scope_for};
use crate::users::loader::UsersById;
use crate::users::model::is_in_one_of;

/// What is asked about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    /// The kind of object.
    pub kind: Kind,
    /// The object, for the policy.
    pub scope: Scope,
    /// The user that it is, if it is one: whether others share a group with them depends on the others.
    pub user: Option<UserId>,
    /// The storage claim that it is, if it is one: what it grants depends on the user.
    pub claim: Option<PvcId>,
}

const PLATFORM: Target = Target { kind: Kind::Platform, scope: Scope::PLATFORM, user: None, claim: None };

impl Target {
    /// The object with this ID, if the caller can see it; the platform without one.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` for an ID of a kind that has no permissions, `NOT_FOUND` if there is no object that the caller can
    /// see.
    pub async fn find(ctx: &Context<'_>, id: Option<&str>) -> Result<Self, ApiError> {
        ctx.caller().principal()?;
        let Some(text) = id else { return Ok(PLATFORM) };
        let found = match ids::split(text) {
            Some((prefix, uuid)) => find(ctx, prefix, uuid).await?,
            None => None,
        };
        let (target, see) = found.ok_or_else(|| not_an_id(text))?;
        let scope = match target.user {
            // As the caller sees users: with an API token for a project, the members of its group.
            Some(user) => target.scope.among(is_visible(ctx, user).await?),
            None => target.scope,
        };
        policy::check(&ctx.caller(), see, scope)?;
        Ok(target)
    }

    /// The object as it concerns this user.
    ///
    /// # Errors
    /// The database's.
    pub async fn scope_for(&self, ctx: &Context<'_>, user: UserId) -> Result<Scope, ApiError> {
        if let Some(claim) = self.claim {
            let not_found = || ApiError::not_found(PvcKind::NOUN, claim);
            return scope_for(ctx, &*ctx.read::<ClaimsById>(claim).await?.ok_or_else(not_found)?, user).await;
        }
        match self.user {
            Some(other) => {
                let fellows = model::are_fellows(&mut *ctx.db()?.connection().await?, user, other).await?;
                Ok(self.scope.among(fellows))
            }
            None => Ok(self.scope),
        }
    }
}

async fn is_visible(ctx: &Context<'_>, user: UserId) -> Result<bool, ApiError> {
    match policy::visible(&ctx.caller())? {
        Visible::Everything => Ok(true),
        Visible::Groups { groups, .. } => Ok(is_in_one_of(&mut *ctx.db()?.connection().await?, user, &groups).await?),
    }
}

fn not_an_id(text: &str) -> ApiError {
    let shown = crate::graphql::names::shown(text);
    ApiError::new(
        Code::BadUserInput,
        format!("{shown} is not the ID of a user, group, project, config file, commit, job or storage claim"),
    )
}

/// The object, and the action of seeing it. `None` if no permission is asked for objects with this prefix.
async fn find(ctx: &Context<'_>, prefix: &str, uuid: Uuid) -> Result<Option<(Target, Action)>, ApiError> {
    Ok(Some(match prefix {
        UserKind::PREFIX => {
            let user: UserId = Id::from_uuid(uuid);
            ctx.read::<UsersById>(user).await?.ok_or_else(|| ApiError::not_found(UserKind::NOUN, user))?;
            (Target { kind: Kind::User, scope: Scope::person(user), user: Some(user), claim: None }, Action::ViewUser)
        }
        GroupKind::PREFIX => {
            let group: GroupId = Id::from_uuid(uuid);
            ctx.read::<GroupsById>(group).await?.ok_or_else(|| ApiError::not_found(GroupKind::NOUN, group))?;
            (Target { kind: Kind::Group, scope: Scope::group(group), user: None, claim: None }, Action::ViewGroup)
        }
        ProjectKind::PREFIX => {
            let project = Id::from_uuid(uuid);
            (of_project(ctx, Kind::Project, project, project).await?, Action::ViewProject)
        }
        ConfigKind::PREFIX => {
            let id = Id::<ConfigKind>::from_uuid(uuid);
            let file = ctx.read::<ConfigFilesById>(id).await?.filter(|file| file.deleted_at.is_none());
            let file = file.ok_or_else(|| ApiError::not_found(ConfigKind::NOUN, id))?;
            (of_project(ctx, Kind::ConfigFile, file.project_id, id).await?, Action::ViewConfigFile)
        }
        CommitKind::PREFIX => {
            let id = Id::<CommitKind>::from_uuid(uuid);
            let not_found = || ApiError::not_found(CommitKind::NOUN, id);
            let commit = ctx.read::<CommitsById>(id).await?.ok_or_else(not_found)?;
            let file = ctx.read::<ConfigFilesById>(commit.config_file_id).await?;
            let file = file.filter(|file| file.deleted_at.is_none()).ok_or_else(not_found)?;
            (of_project(ctx, Kind::ConfigCommit, file.project_id, id).await?, Action::ViewCommit)
        }
        JobKind::PREFIX => {
            let id = Id::<JobKind>::from_uuid(uuid);
            let job = ctx.read::<BriefById>(id).await?.ok_or_else(|| ApiError::not_found(JobKind::NOUN, id))?;
            let target = of_project(ctx, Kind::Job, job.job.project_id, id).await?;
            (Target { scope: target.scope.by(job.job.submitted_by), ..target }, Action::ViewJob)
        }
        PvcKind::PREFIX => {
            let id = Id::<PvcKind>::from_uuid(uuid);
            let claim = ctx.read::<ClaimsById>(id).await?.ok_or_else(|| ApiError::not_found(PvcKind::NOUN, id))?;
            let target =
                Target { kind: Kind::Pvc, scope: claim.scope(StorageAccess::None), user: None, claim: Some(id) };
            (target, Action::ViewPvc)
        }
        _ => return Ok(None),
    }))
}

async fn of_project<K: ids::Kind>(
    ctx: &Context<'_>,
    kind: Kind,
    project: ProjectId,
    id: Id<K>,
) -> Result<Target, ApiError> {
    let group = ctx.read::<GroupOfProject>(project).await?.ok_or_else(|| ApiError::not_found(K::NOUN, id))?;
    Ok(Target { kind, scope: Scope::within(group, id).in_project(project), user: None, claim: None })
}
