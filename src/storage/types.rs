//! Storage claims as GraphQL types.

pub mod filter;
pub mod lists;

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};

pub use super::event::PvcEvent as Happened;
use super::loader::{ClaimsById, MountsOfClaim, PermissionsOfClaim, SharesOfClaim};
use super::model::Claim;
use super::model::mounts::Mount;
use super::model::permissions::Permission;
pub use super::phase::{AccessMode, PvcEventKind, PvcPhase, Resize};
use super::query::scope;
use super::size::quantity;
use crate::auth::acting::PolicyExt;
use crate::auth::policy::{Action, Scope, StorageAccess};
use crate::error::ApiError;
use crate::events::Logged;
use crate::graphql::limits::directives::assumed_list;
use crate::graphql::loaders::ReadExt;
use crate::graphql::scalars::{FeedCursor, Quantity};
use crate::graphql::written::Written;
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::groups::types::Group;
use crate::ids::JobId;
use crate::jobs::types::Job;
use crate::projects::types::Project;
use crate::users::types::User;

/// A storage claim.
#[derive(Debug, Clone)]
pub struct Pvc(pub Arc<Claim>);

impl From<Claim> for Pvc {
    fn from(claim: Claim) -> Self {
        Self(Arc::new(claim))
    }
}

impl From<Arc<Claim>> for Pvc {
    fn from(claim: Arc<Claim>) -> Self {
        Self(claim)
    }
}

impl Written for Pvc {}

impl Pvc {
    /// For what does not depend on what the claim grants to the viewer.
    fn viewer_can(&self, ctx: &Context<'_>, action: Action) -> bool {
        self.0.delete_requested_at.is_none() && ctx.check(action, self.0.scope(StorageAccess::None)).is_ok()
    }
}

/// A storage claim (PersistentVolumeClaim): storage of a certain size that jobs can mount. It belongs to a project, to a
/// group, or to a user, whose drive it is.
#[Object]
impl Pvc {
    /// The ID of the claim: `pvc_` followed by 26 characters.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_text())
    }

    /// The name of the claim in the cluster, unique within its namespace. It does not change.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The name that is shown to people.
    async fn display_name(&self) -> &str {
        &self.0.display_name
    }

    /// The project that the claim belongs to; null if it belongs to a group or a user.
    async fn project(&self, ctx: &Context<'_>) -> ApiResult<Option<AtOnce<Project>>> {
        let Some(project) = self.0.project_id else { return Ok(None) };
        Project::load(ctx, project).await.map(AtOnce).map(Some).graphql(ctx)
    }

    /// The group that the claim, or its project, belongs to; null for the drive of a user.
    async fn group(&self, ctx: &Context<'_>) -> ApiResult<Option<AtOnce<Group>>> {
        let Some(group) = self.0.group_id else { return Ok(None) };
        Group::load(ctx, group).await.map(AtOnce).map(Some).graphql(ctx)
    }

    /// The user whose drive it is; null if it belongs to a project or a group.
    async fn user(&self, ctx: &Context<'_>) -> ApiResult<Option<AtOnce<User>>> {
        let Some(user) = self.0.user_id else { return Ok(None) };
        User::load(ctx, user).await.map(AtOnce).map(Some).graphql(ctx)
    }

    /// The namespace of the claim in the cluster.
    async fn namespace(&self) -> &str {
        &self.0.namespace
    }

    /// Whether the platform created the claim. One that was created in the cluster by other means is shown as well.
    async fn managed(&self) -> bool {
        self.0.is_managed()
    }

    /// The user who created the claim; null if the platform did not create it.
    async fn created_by(&self, ctx: &Context<'_>) -> ApiResult<Option<AtOnce<User>>> {
        let Some(user) = self.0.created_by else { return Ok(None) };
        User::load(ctx, user).await.map(AtOnce).map(Some).graphql(ctx)
    }

    /// When the claim was created, or found in the cluster.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// The storage class; null if the cluster has not chosen one yet.
    async fn storage_class(&self) -> Option<&str> {
        self.0.storage_class.as_deref()
    }

    /// How pods can mount the claim.
    async fn access_mode(&self) -> AccessMode {
        self.0.access_mode
    }

    /// The requested size.
    async fn size(&self) -> Quantity {
        Quantity(self.0.size.clone())
    }

    /// The size of the volume; null until there is one. It can be larger than requested.
    async fn capacity(&self) -> Option<Quantity> {
        self.0.capacity_bytes.map(quantity)
    }

    /// The phase.
    async fn phase(&self) -> PvcPhase {
        self.0.phase
    }

    /// The reason for the phase, as a word; null if there is nothing to say.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// The reason for the phase, as a sentence; null if there is nothing to say.
    async fn message(&self) -> Option<&str> {
        self.0.message.as_deref()
    }

    /// The state of making the claim larger; null if that is not going on.
    async fn resize(&self) -> Option<PvcResize> {
        self.0.resize.map(|state| PvcResize { state, message: self.0.resize_message.clone() })
    }

    /// The name of the volume in the cluster; null until there is one.
    async fn volume_name(&self) -> Option<&str> {
        self.0.volume_name.as_deref()
    }

    /// What members of the group may do with the claim, unless a permission says otherwise. Admins of the group can always
    /// read and write.
    async fn default_access(&self) -> StorageAccess {
        self.0.default_access
    }

    /// Whether only admins of the group, and users with a permission, may use the claim, whatever `defaultAccess` is.
    async fn admin_only(&self) -> bool {
        self.0.admin_only
    }

    /// What single users may do with the claim; null if you are not responsible for it.
    #[graphql(directive = assumed_list::apply(10))]
    async fn permissions(&self, ctx: &Context<'_>) -> ApiResult<Option<Vec<StoragePermission>>> {
        if ctx.check(Action::SetStoragePermissions, self.0.scope(StorageAccess::None)).is_err() {
            return Ok(None);
        }
        let found = ctx.read::<PermissionsOfClaim>(self.0.id).await.graphql(ctx)?.unwrap_or_default();
        Ok(Some(found.iter().copied().map(StoragePermission::from).collect()))
    }

    /// Whether nobody can write through the claim, because it was shared with the project read-only.
    async fn read_only(&self) -> bool {
        self.0.read_only
    }

    /// The claim whose storage this one shows; null if it is not a share, or if you cannot see that claim.
    async fn shared_from(&self, ctx: &Context<'_>) -> ApiResult<Option<AtOnce<Self>>> {
        let Some(source) = self.0.source_id else { return Ok(None) };
        let found = ctx.read::<ClaimsById>(source).await.graphql(ctx)?;
        let visible = |claim: &Arc<Claim>| ctx.check(Action::ViewPvc, claim.scope(StorageAccess::None)).is_ok();
        Ok(found.filter(visible).map(Self).map(AtOnce))
    }

    /// The claims in projects that show the storage of this one; those that you can see.
    #[graphql(directive = assumed_list::apply(10))]
    async fn shares(&self, ctx: &Context<'_>) -> ApiResult<Vec<AtOnce<Self>>> {
        let found = ctx.read::<SharesOfClaim>(self.0.id).await.graphql(ctx)?.unwrap_or_default();
        let visible = |claim: &&Claim| ctx.check(Action::ViewPvc, claim.scope(StorageAccess::None)).is_ok();
        Ok(found.iter().filter(visible).cloned().map(Self::from).map(AtOnce).collect())
    }

    /// The pods that mount the claim now.
    #[graphql(directive = assumed_list::apply(10))]
    async fn mounts(&self, ctx: &Context<'_>) -> ApiResult<Vec<PvcMount>> {
        let found = ctx.read::<MountsOfClaim>(self.0.id).await.graphql(ctx)?.unwrap_or_default();
        Ok(found.iter().cloned().map(PvcMount::from).collect())
    }

    /// What you may do with the files of the claim.
    async fn viewer_access(&self, ctx: &Context<'_>) -> ApiResult<StorageAccess> {
        access(ctx, &self.0).await.graphql(ctx)
    }

    /// Whether you can change the name of the claim, and what it grants to members of the group.
    async fn viewer_can_update(&self, ctx: &Context<'_>) -> bool {
        self.viewer_can(ctx, Action::UpdatePvc)
    }

    /// Whether you can make the claim larger. Not every storage class allows it.
    async fn viewer_can_resize(&self, ctx: &Context<'_>) -> bool {
        self.viewer_can(ctx, Action::ResizePvc)
    }

    /// Whether you can delete the claim when nothing uses it.
    async fn viewer_can_delete(&self, ctx: &Context<'_>) -> bool {
        self.viewer_can(ctx, Action::DeletePvc)
    }

    /// Whether you can say what single users may do with the claim.
    async fn viewer_can_set_permissions(&self, ctx: &Context<'_>) -> bool {
        self.viewer_can(ctx, Action::SetStoragePermissions)
    }
}

/// What the viewer may do with the files of a claim.
async fn access(ctx: &Context<'_>, claim: &Claim) -> Result<StorageAccess, ApiError> {
    let scope = scope(ctx, claim).await?;
    Ok(claim.access(|action| ctx.check(action, scope).is_ok()))
}

/// The state of making a storage claim larger.
#[derive(Debug, Clone, SimpleObject)]
pub struct PvcResize {
    /// The state.
    pub state: Resize,
    /// Why it has failed, or what it is waiting for; null if there is nothing to say.
    pub message: Option<String>,
}

/// What a single user may do with a storage claim.
#[derive(Debug, Clone, Copy)]
pub struct StoragePermission(Permission);

impl From<Permission> for StoragePermission {
    fn from(permission: Permission) -> Self {
        Self(permission)
    }
}

/// What a single user may do with a storage claim, whatever its default is.
#[Object]
impl StoragePermission {
    /// The user.
    async fn user(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<User>> {
        User::load(ctx, self.0.user_id).await.map(AtOnce).graphql(ctx)
    }

    /// What they may do.
    async fn access(&self) -> StorageAccess {
        self.0.access
    }
}

/// A pod that mounts a storage claim.
#[derive(Debug, Clone)]
pub struct PvcMount(Mount);

impl From<Mount> for PvcMount {
    fn from(mount: Mount) -> Self {
        Self(mount)
    }
}

impl PvcMount {
    /// The job of the pod, if it exists and the viewer can see it: pods can have any labels.
    async fn find_job(&self, ctx: &Context<'_>, id: JobId) -> Result<Option<Job>, ApiError> {
        let Some(brief) = ctx.read::<crate::jobs::loader::BriefById>(id).await? else { return Ok(None) };
        let group = brief.group();
        let scope = Scope::within(group, id).in_project(brief.job.project_id).by(brief.job.submitted_by);
        if ctx.check(Action::ViewJob, scope).is_err() {
            return Ok(None);
        }
        Job::load(ctx, id).await.map(Some)
    }
}

/// A pod that mounts a storage claim.
#[Object]
impl PvcMount {
    /// The name of the pod.
    async fn pod(&self) -> &str {
        &self.0.pod
    }

    /// The job that the pod is a task of; null if it is not a task of a job that you can see.
    async fn job(&self, ctx: &Context<'_>) -> ApiResult<Option<AtOnce<Job>>> {
        let Some(id) = self.0.job_id else { return Ok(None) };
        self.find_job(ctx, id).await.map(|job| job.map(AtOnce)).graphql(ctx)
    }

    /// Whether it is the pod that shows the files of the claim, because somebody has opened them with `openFiles`. It does not
    /// keep the claim from being deleted.
    async fn shows_files(&self) -> bool {
        self.0.shows_files()
    }

    /// Whether it mounts the claim read-only.
    async fn read_only(&self) -> bool {
        self.0.read_only
    }

    /// Since when the platform knows of it.
    async fn since(&self) -> DateTime<Utc> {
        self.0.since
    }
}

/// An event of a storage claim, in the feed.
#[derive(Debug, Clone)]
pub struct PvcEvent(pub Arc<Logged<Happened>>);

/// An event of a storage claim.
#[Object]
impl PvcEvent {
    /// The ID of the event: `event_` followed by 26 characters. It is for caches; `node` does not find events.
    async fn id(&self) -> ID {
        ID(self.0.seq.id().to_text())
    }

    /// The position of the event in the event log. Pass it as `after` to `pvcEvents` to resume after this event.
    async fn cursor(&self) -> FeedCursor {
        FeedCursor(self.0.seq.cursor())
    }

    /// When the event happened.
    async fn at(&self) -> DateTime<Utc> {
        self.0.at
    }

    /// The kind of event.
    async fn kind(&self) -> PvcEventKind {
        self.0.event.kind
    }

    /// The phase of the claim after the event.
    async fn phase(&self) -> PvcPhase {
        self.0.event.phase
    }

    /// The phase of the claim before the event; null if the event did not change it.
    async fn previous_phase(&self) -> Option<PvcPhase> {
        self.0.event.previous_phase
    }

    /// The reason for the phase, as a word; null if there is nothing to say.
    async fn reason(&self) -> Option<&str> {
        self.0.event.reason.as_deref()
    }

    /// What happened, as a sentence; null if there is nothing to say.
    async fn message(&self) -> Option<&str> {
        self.0.event.message.as_deref()
    }

    /// The ID of the claim.
    async fn pvc_id(&self) -> ID {
        ID(self.0.subject().to_text())
    }

    /// The name of the claim.
    async fn pvc_name(&self) -> &str {
        &self.0.event.name
    }

    /// The claim in its current state, which is at least as recent as the event; null if it was deleted.
    async fn pvc(&self, ctx: &Context<'_>) -> ApiResult<Option<AtOnce<Pvc>>> {
        let found = ctx.read::<ClaimsById>(self.0.subject()).await.graphql(ctx)?;
        Ok(found.map(Pvc).map(AtOnce))
    }
}

/// A storage class of the cluster.
#[derive(Debug, Clone, SimpleObject)]
pub struct StorageClass {
    /// The name.
    pub name: String,
    /// The storage driver.
    pub provisioner: String,
    /// Whether claims that name no storage class get this one.
    pub is_default: bool,
    /// Whether claims of the class can be made larger.
    pub allows_expansion: bool,
    /// Whether the volume of a claim is only created when the first pod that mounts it is placed on a node.
    pub waits_for_first_consumer: bool,
    /// Whether a volume, with everything in it, is deleted together with its claim.
    pub deletes_volumes: bool,
}

impl From<&crate::cluster::storage_classes::Class> for StorageClass {
    fn from(class: &crate::cluster::storage_classes::Class) -> Self {
        Self {
            name: class.name.clone(),
            provisioner: class.provisioner.clone(),
            is_default: class.is_default,
            allows_expansion: class.expands,
            waits_for_first_consumer: class.waits_for_consumer,
            deletes_volumes: class.deletes,
        }
    }
}
