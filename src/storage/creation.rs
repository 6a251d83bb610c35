//! Creates storage claims of projects and groups.

use async_graphql::{Context, InputObject, SimpleObject};
use chrono::{SubsecRound, Utc};
use serde_json::{Value, json};

use super::classes;
use super::event::{PvcEvent, about};
use super::loader::ClaimsById;
use super::model::{self, Claim};
use super::mutation::{MAX_DISPLAY_NAME, wake};
use super::phase::{AccessMode, PvcEventKind, PvcPhase};
use super::size::Size;
use super::types::Pvc;
use crate::auth::acting::CallerExt;
use crate::auth::policy::{Action, Scope, StorageAccess};
use crate::change::{ChangeExt, Key, Writes};
use crate::cluster::names::Tenant;
use crate::db::or_taken;
use crate::error::{ApiError, ApiErrors, Code, both};
use crate::graphql::ids::{self, GivenId};
use crate::graphql::loaders::ReadExt;
use crate::graphql::names::{self, shown};
use crate::graphql::scalars::Quantity;
use crate::groups::loader::GroupsById;
use crate::groups::model as groups;
use crate::ids::{GroupId, GroupKind, ProjectId, ProjectKind, PvcId, UserId};
use crate::projects::loader::ProjectsById;
use crate::projects::model as projects;
use crate::projects::model::limits;

/// Input for `createPvc`. Give `projectId` or `groupId`.
#[derive(Debug, Clone, InputObject)]
pub struct CreatePvcInput {
    /// The ID of the project that the claim will belong to. You must be a manager or an admin of its group.
    pub project_id: Option<GivenId<ProjectKind>>,
    /// The ID of the group that the claim will belong to. You must be an admin of it.
    pub group_id: Option<GivenId<GroupKind>>,
    /// The name of the claim in the cluster, unique within the project or the group: 1 to 63 lowercase letters, digits and
    /// hyphens. Jobs name the claim by it; it cannot be changed.
    pub name: String,
    /// The name that is shown to people: at most 200 characters. The name by default.
    pub display_name: Option<String>,
    /// The size: `"10Gi"`. It can be increased later if the storage class allows it, and not decreased.
    pub size: Quantity,
    /// The storage class; the default one if omitted. `storageClasses` lists them.
    pub storage_class: Option<String>,
    /// How pods can mount the claim.
    #[graphql(default_with = "Some(AccessMode::ReadWriteOnce)")]
    pub access_mode: Option<AccessMode>,
    /// What members of the group may do with the claim.
    #[graphql(default_with = "Some(StorageAccess::Write)")]
    pub default_access: Option<StorageAccess>,
    /// Whether only admins of the group may use the claim, whatever `defaultAccess` is.
    #[graphql(default_with = "Some(false)")]
    pub admin_only: Option<bool>,
    /// A key of your choice that identifies this creation: if you send the same input with the same key again, you receive
    /// the claim that was created the first time.
    pub idempotency_key: Option<String>,
}

/// Result of `createPvc`.
#[derive(Debug, SimpleObject)]
pub struct CreatePvcPayload {
    /// The new claim.
    pub pvc: Pvc,
}

/// Where a new claim belongs.
#[derive(Debug, Clone)]
pub(super) struct Home {
    /// The tenant.
    pub tenant: Tenant,
    /// Its namespace.
    pub namespace: String,
    /// The group of the project, or the group itself.
    pub group: Option<GroupId>,
}

/// What a new claim is like.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub name: String,
    pub display_name: String,
    pub size: Size,
    pub class: Option<String>,
    pub access_mode: AccessMode,
    pub default_access: StorageAccess,
    pub admin_only: bool,
}

pub(super) async fn create(ctx: &Context<'_>, input: CreatePvcInput) -> Result<CreatePvcPayload, ApiErrors> {
    let user = ctx.caller().principal()?.user;
    let key = input.idempotency_key.as_deref().map(|key| Key::of(key, &input)).transpose();
    let given = both(home_ids(&input), key);
    let plan = plan(&input);
    let (home, key, plan) = match given {
        Ok((home, key)) => (home, key, plan),
        Err(problems) => {
            return Err(match plan {
                Ok(_) => problems,
                Err(others) => ApiErrors(problems.0.into_iter().chain(others.0).collect()),
            });
        }
    };
    let (home, scope, field) = find_home(ctx, home).await?;
    let change = ctx.change(Action::CreatePvc, scope).map_err(|error| error.at(field))?;
    let plan = match (plan, classes::choose(ctx, input.storage_class, "input.storageClass").await) {
        (Ok(plan), Ok(class)) => Plan { class, ..plan },
        (Err(problems), Ok(_)) => return Err(problems),
        (plan, Err(problem)) => return Err(problem.and_of(plan.map(drop))),
    };
    let claim = row(PvcId::generate(), home, user, plan);
    let id = change.create(key.as_ref(), claim.id, async |writes| write(writes, &claim).await).await?;
    wake(ctx);
    if id == claim.id {
        return Ok(CreatePvcPayload { pvc: claim.into() });
    }
    let gone = || ApiError::not_found("storage claim", id).at("input.idempotencyKey");
    Ok(CreatePvcPayload { pvc: Pvc(ctx.read::<ClaimsById>(id).await?.ok_or_else(gone)?) })
}

fn home_ids(input: &CreatePvcInput) -> Result<(Option<ProjectId>, Option<GroupId>), ApiErrors> {
    let project = ids::maybe(input.project_id.as_ref(), "input.projectId");
    let group = ids::maybe(input.group_id.as_ref(), "input.groupId");
    match both(project, group)? {
        (None, None) => {
            Err(ApiError::bad_input("input.projectId", "a claim belongs to a project or a group: give one of them")
                .into())
        }
        (Some(_), Some(_)) => {
            Err(ApiError::bad_input("input.groupId", "a claim belongs to a project or a group, not to both").into())
        }
        found => Ok(found),
    }
}

async fn find_home(
    ctx: &Context<'_>,
    given: (Option<ProjectId>, Option<GroupId>),
) -> Result<(Home, Scope, &'static str), ApiErrors> {
    match given {
        (Some(project), _) => {
            let not_found = || ApiError::not_found("project", project).at("input.projectId");
            let found = ctx.read::<ProjectsById>(project).await?.ok_or_else(not_found)?;
            let scope = Scope::within(found.group_id, project);
            let (tenant, namespace) = (Tenant::Project(project), found.namespace.clone());
            Ok((Home { tenant, namespace, group: Some(found.group_id) }, scope, "input.projectId"))
        }
        (None, Some(group)) => {
            let not_found = || ApiError::not_found("group", group).at("input.groupId");
            ctx.read::<GroupsById>(group).await?.ok_or_else(not_found)?;
            let scope = Scope::group(group);
            let tenant = Tenant::Group(group);
            Ok((Home { tenant, namespace: tenant.namespace(), group: Some(group) }, scope, "input.groupId"))
        }
        (None, None) => Err(ApiError::internal("a claim without an owner").into()),
    }
}

/// What the input says, without the class: that takes a look at the cluster.
fn plan(input: &CreatePvcInput) -> Result<Plan, ApiErrors> {
    let display = input.display_name.clone().map(|name| names::prose(name, MAX_DISPLAY_NAME, "input.displayName"));
    let name = names::name(input.name.clone(), "-", "input.name");
    let (name, (display_name, size)) = both(name, both(display.transpose(), Size::parse(&input.size, "input.size")))?;
    Ok(Plan {
        display_name: display_name.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| name.clone()),
        name,
        size,
        class: None,
        access_mode: input.access_mode.unwrap_or(AccessMode::ReadWriteOnce),
        default_access: input.default_access.unwrap_or(StorageAccess::Write),
        admin_only: input.admin_only.unwrap_or(false),
    })
}

/// The row of a new claim.
pub(super) fn row(id: PvcId, home: Home, creator: UserId, plan: Plan) -> Claim {
    let (project_id, user_id) = match home.tenant {
        Tenant::Project(project) => (Some(project), None),
        Tenant::Group(_) => (None, None),
        Tenant::User(user) => (None, Some(user)),
    };
    let now = Utc::now().trunc_subsecs(6);
    Claim {
        id,
        project_id,
        group_id: home.group,
        user_id,
        namespace: home.namespace,
        name: plan.name,
        object_uid: None,
        object_version: None,
        volume_name: None,
        display_name: plan.display_name,
        created_by: Some(creator),
        storage_class: plan.class,
        access_mode: plan.access_mode,
        sent_bytes: 0,
        size: plan.size.text,
        size_bytes: plan.size.bytes,
        capacity_bytes: None,
        phase: PvcPhase::Submitted,
        reason: None,
        message: None,
        resize: None,
        resize_message: None,
        default_access: plan.default_access,
        admin_only: plan.admin_only,
        source_id: None,
        shared_by: None,
        read_only: false,
        delete_requested_at: None,
        next_attempt_at: Some(now),
        attempts: 0,
        created_at: now,
    }
}

async fn write(writes: &mut Writes<'_>, claim: &Claim) -> Result<Value, ApiErrors> {
    if let Some(project) = claim.project_id {
        projects::begin_work(writes, project).await?;
    }
    fits(writes, claim, claim.size_bytes, "input.size").await?;
    let taken =
        || ApiError::conflict(format!("a claim named {} already exists here", shown(&claim.name))).at("input.name");
    model::insert(writes, claim).await.map_err(or_taken("storage_claims_object_key", taken))?;
    writes.tell(about(claim), &PvcEvent::of(claim, PvcEventKind::Created))?;
    Ok(json!({
        "name": claim.name, "size": claim.size, "storageClass": claim.storage_class,
        "accessMode": claim.access_mode.as_str(), "defaultAccess": claim.default_access.as_str(),
    }))
}

/// Whether the owner of a claim, which is a project or a group, may claim `more` bytes for it. Others that claim storage for the
/// same owner wait until the transaction ends.
///
/// # Errors
/// `QUOTA_EXCEEDED` with the limit, the usage and the request.
pub(super) async fn fits(
    writes: &mut Writes<'_>,
    claim: &Claim,
    more: i64,
    field: &'static str,
) -> Result<(), ApiError> {
    let (owner, limit, used) = match (claim.project_id, claim.group_id) {
        (Some(project), _) => {
            let limits = limits::lock(writes.conn(), project).await?;
            let limit = limits.and_then(|limits| limits.storage_bytes);
            ("project", limit, model::claimed(writes.conn(), project).await?)
        }
        (None, Some(group)) => {
            let limit = groups::lock(writes, group).await?.and_then(|group| group.storage_bytes);
            ("group", limit, model::claimed_by_group(writes.conn(), group).await?)
        }
        (None, None) => return Ok(()),
    };
    let Some(limit) = limit.filter(|limit| used.saturating_add(more) > *limit) else { return Ok(()) };
    let [limit, used, more] = [limit, used, more].map(|bytes| super::size::quantity(bytes).0);
    let message =
        format!("the {owner}'s limit is {limit} of storage; its claims have {used} and this one requests {more}");
    Err(ApiError::new(Code::QuotaExceeded, message).at(field))
}
