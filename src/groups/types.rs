//! Groups and memberships as GraphQL types.

pub mod filter;

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use futures::FutureExt as _;

use self::filter::{MembershipFilter, MembershipOrder, memberships};
use super::loader::{GroupsById, MembersOfGroup};
use super::model::{self, Member};
use crate::auth::acting::{CallerExt, PolicyExt};
use crate::auth::policy::{self, Action, Scope};
use crate::auth::principal::GroupRole;
use crate::error::ApiError;
use crate::graphql::connection::{Connection, PageArgs, argument};
use crate::graphql::edges;
use crate::graphql::limits::directives::connection_size;
use crate::graphql::loaders::ReadExt;
use crate::graphql::scalars::Quantity;
use crate::graphql::written::{Name, Part, Written, each};
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::ids::GroupId;
use crate::lists_under;
use crate::projects::loader::ProjectsOfGroup;
use crate::projects::model::Selection;
use crate::projects::types::Project;
use crate::projects::types::filter::{ProjectFilter, ProjectOrder, selection};
use crate::quantity;
use crate::users::types::User;

/// A group of users who work together. Every project belongs to a group.
#[derive(Debug, Clone)]
pub struct Group(pub Arc<model::Group>);

impl From<model::Group> for Group {
    fn from(group: model::Group) -> Self {
        Self(Arc::new(group))
    }
}

impl Group {
    /// The group with this ID, for an edge whose parent the viewer can see.
    ///
    /// # Errors
    /// The read failed, or a foreign key is violated.
    pub async fn load(ctx: &Context<'_>, id: GroupId) -> Result<Self, ApiError> {
        ctx.read_known::<GroupsById>(id).await.map(Self)
    }

    /// As [`Group::load`], for each of these ids.
    ///
    /// # Errors
    /// As [`Group::load`].
    pub async fn load_all(ctx: &Context<'_>, ids: &[GroupId]) -> Result<Vec<Self>, ApiError> {
        Ok(ctx.read_all_known::<GroupsById>(ids).await?.into_iter().map(Self).collect())
    }

    fn viewer_can(&self, ctx: &Context<'_>, action: Action) -> bool {
        ctx.check(action, Scope::group(self.0.id)).is_ok()
    }
}

/// A group of users who work together. Every project belongs to a group.
#[Object]
impl Group {
    /// The ID of the group: `group_` followed by 26 characters.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_text())
    }

    /// The name of the group, unique on the platform.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// A description of the group.
    async fn description(&self) -> &str {
        &self.0.description
    }

    /// When the group was created.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// The number of members that the group can have; null for any number.
    async fn max_members(&self) -> Option<i32> {
        self.0.max_members
    }

    /// The storage that the claims of the group itself can have together; null for any amount. Those of its projects count
    /// against the limits of the projects.
    async fn storage_limit(&self) -> Option<Quantity> {
        let quantity = |bytes| Quantity(quantity::Quantity::of_bytes(bytes).as_str().to_owned());
        self.0.storage_bytes.map(quantity)
    }

    /// Your role in the group; null if you are not a member, which is possible for platform admins.
    async fn viewer_role(&self, ctx: &Context<'_>) -> Option<GroupRole> {
        ctx.caller().role_in(self.0.id)
    }

    /// Whether you can create projects in the group.
    async fn viewer_can_create_project(&self, ctx: &Context<'_>) -> bool {
        self.viewer_can(ctx, Action::CreateProject)
    }

    /// Whether you can change the name and the description of the group.
    async fn viewer_can_update(&self, ctx: &Context<'_>) -> bool {
        self.viewer_can(ctx, Action::UpdateGroup)
    }

    /// Whether you can delete the group once it has no projects.
    async fn viewer_can_delete(&self, ctx: &Context<'_>) -> bool {
        self.viewer_can(ctx, Action::DeleteGroup)
    }

    /// Whether you can add, change and remove members with the roles MEMBER and MANAGER.
    async fn viewer_can_manage_members(&self, ctx: &Context<'_>) -> bool {
        self.viewer_can(ctx, Action::AddGroupMembers)
    }

    /// Whether you can make users admins of the group, and change or remove its admins.
    async fn viewer_can_appoint_admins(&self, ctx: &Context<'_>) -> bool {
        self.viewer_can(ctx, Action::AppointGroupAdmin)
    }

    /// The lists that other rooms have under it.
    #[graphql(flatten)]
    async fn lists(&self) -> GroupLists {
        self.0.id.into()
    }

    /// Whether you can set the limits of the group.
    async fn viewer_can_set_limits(&self, ctx: &Context<'_>) -> bool {
        self.viewer_can(ctx, Action::SetGroupLimits)
    }

    /// The memberships of the group, oldest first by default.
    #[allow(clippy::too_many_arguments, reason = "a connection has four arguments before its own")]
    #[graphql(directive = connection_size::apply())]
    async fn members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first _n_ items of the list: 0 to 100, 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the memberships that come after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last _n_ items of the list: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Returns the memberships that come before this cursor.")] before: Option<String>,
        #[graphql(desc = "Which memberships to return; all of the group by default.")] filter: Option<MembershipFilter>,
        #[graphql(desc = "The order of the list; oldest first by default.")] order_by: Option<MembershipOrder>,
    ) -> ApiResult<Connection<Membership>> {
        let args = PageArgs { first, after, last, before };
        let selection = memberships(filter, order_by).graphql(ctx)?;
        edges::list::<MembersOfGroup, _>(ctx, self.0.id, selection, args).await.graphql(ctx)
    }

    /// The projects of the group, ordered by name by default.
    #[allow(clippy::too_many_arguments, reason = "a connection has four arguments before its own")]
    #[graphql(directive = connection_size::apply())]
    async fn projects(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first _n_ items of the list: 0 to 100, 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the projects that come after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last _n_ items of the list: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Returns the projects that come before this cursor.")] before: Option<String>,
        #[graphql(desc = "Which projects to return; all of the group by default.")] filter: Option<ProjectFilter>,
        #[graphql(desc = "The order of the list; by name by default.")] order_by: Option<ProjectOrder>,
    ) -> ApiResult<Connection<Project>> {
        let args = PageArgs { first, after, last, before };
        let selection = Selection { only: ctx.only_project(), ..selection(filter, order_by).graphql(ctx)? };
        edges::list::<ProjectsOfGroup, _>(ctx, self.0.id, selection, args).await.graphql(ctx)
    }
}

lists_under! {
    /// The lists under a group that other rooms contribute.
    GroupLists(GroupId):
        crate::storage::types::lists::ClaimsUnderGroup,
}

/// Membership of a user in a group.
#[derive(Debug, Clone)]
pub struct Membership(Arc<Member>);

impl From<Arc<Member>> for Membership {
    fn from(member: Arc<Member>) -> Self {
        Self(member)
    }
}

impl Membership {
    /// Only platform admins change and remove admins.
    fn viewer_can(&self, ctx: &Context<'_>, action: Action) -> bool {
        let scope = Scope::within(self.0.group_id, self.0.id);
        let appoints = policy::to_grant(self.0.role).is_none_or(|action| ctx.check(action, scope).is_ok());
        appoints && ctx.check(action, scope).is_ok()
    }
}

/// Membership of a user in a group.
#[Object]
impl Membership {
    /// The ID of the membership: `membership_` followed by 26 characters.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_text())
    }

    /// The group that the user belongs to.
    async fn group(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<Group>> {
        Group::load(ctx, self.0.group_id).await.map(AtOnce).graphql(ctx)
    }

    /// The user who belongs to the group.
    async fn user(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<User>> {
        User::load(ctx, self.0.user_id).await.map(AtOnce).graphql(ctx)
    }

    /// The role of the user in the group.
    async fn role(&self) -> GroupRole {
        self.0.role
    }

    /// When the user joined the group.
    async fn joined_at(&self) -> DateTime<Utc> {
        self.0.joined_at
    }

    /// Whether you can change the role. The last admin of a group keeps the role nevertheless.
    async fn viewer_can_set_role(&self, ctx: &Context<'_>) -> bool {
        self.viewer_can(ctx, Action::SetGroupRole)
    }

    /// Whether you can remove the member from the group. The last admin of a group stays nevertheless. To leave a group
    /// yourself, you do not need a permission.
    async fn viewer_can_remove(&self, ctx: &Context<'_>) -> bool {
        self.viewer_can(ctx, Action::RemoveGroupMember)
    }
}

impl Written for Group {
    fn part(field: &str) -> Option<Part<Self>> {
        Some(match field {
            "id" => Part::column(|group, json| json.put(&group.0.id)),
            "name" => Part::column(|group, json| json.put(&group.0.name)),
            "description" => Part::column(|group, json| json.put(&group.0.description)),
            "createdAt" => Part::column(|group, json| json.put(&group.0.created_at)),
            "viewerRole" => Part::scalar(|ctx, groups| roles(ctx, groups).boxed()),
            "viewerCanCreateProject" => Part::scalar(|ctx, groups| can(ctx, groups, Action::CreateProject).boxed()),
            "viewerCanUpdate" => Part::scalar(|ctx, groups| can(ctx, groups, Action::UpdateGroup).boxed()),
            "viewerCanDelete" => Part::scalar(|ctx, groups| can(ctx, groups, Action::DeleteGroup).boxed()),
            "viewerCanManageMembers" => Part::scalar(|ctx, groups| can(ctx, groups, Action::AddGroupMembers).boxed()),
            "maxMembers" => Part::column(|group, json| json.put(&group.0.max_members)),
            "viewerCanSetLimits" => Part::scalar(|ctx, groups| can(ctx, groups, Action::SetGroupLimits).boxed()),
            "viewerCanAppointAdmins" => Part::scalar(|ctx, groups| can(ctx, groups, Action::AppointGroupAdmin).boxed()),
            "members" => Part::one(|ctx, groups| members(ctx, groups).boxed()),
            "projects" => Part::one(|ctx, groups| projects(ctx, groups).boxed()),
            _ => return None,
        })
    }
}

impl Written for Membership {
    fn part(field: &str) -> Option<Part<Self>> {
        Some(match field {
            "id" => Part::column(|member, json| json.put(&member.0.id)),
            "group" => Part::one(|ctx, members| groups(ctx, members).boxed()),
            "user" => Part::one(|ctx, members| users(ctx, members).boxed()),
            "role" => Part::column(|member, json| json.put_enum(member.0.role)),
            "joinedAt" => Part::column(|member, json| json.put(&member.0.joined_at)),
            _ => return None,
        })
    }
}

async fn roles(ctx: &Context<'_>, groups: &[&Group]) -> Option<Vec<Option<Name<GroupRole>>>> {
    let caller = ctx.caller();
    Some(groups.iter().map(|group| caller.role_in(group.0.id).map(Name)).collect())
}

async fn can(ctx: &Context<'_>, groups: &[&Group], action: Action) -> Option<Vec<bool>> {
    Some(groups.iter().map(|group| group.viewer_can(ctx, action)).collect())
}

async fn members(ctx: &Context<'_>, groups: &[&Group]) -> Option<Vec<Connection<Membership>>> {
    let given = ctx.field().arguments().ok()?;
    let selection = memberships(argument(&given, "filter")?, argument(&given, "orderBy")?).ok()?;
    let args = PageArgs::among(&given)?;
    each(groups, |group| edges::list::<MembersOfGroup, _>(ctx, group.0.id, selection.clone(), args.clone())).await
}

async fn projects(ctx: &Context<'_>, groups: &[&Group]) -> Option<Vec<Connection<Project>>> {
    let given = ctx.field().arguments().ok()?;
    let selection = selection(argument(&given, "filter")?, argument(&given, "orderBy")?).ok()?;
    let selection = Selection { only: ctx.only_project(), ..selection };
    let args = PageArgs::among(&given)?;
    each(groups, |group| edges::list::<ProjectsOfGroup, _>(ctx, group.0.id, selection.clone(), args.clone())).await
}

async fn groups(ctx: &Context<'_>, members: &[&Membership]) -> Option<Vec<Group>> {
    let ids: Vec<_> = members.iter().map(|member| member.0.group_id).collect();
    Group::load_all(ctx, &ids).await.ok()
}

async fn users(ctx: &Context<'_>, members: &[&Membership]) -> Option<Vec<User>> {
    let ids: Vec<_> = members.iter().map(|member| member.0.user_id).collect();
    User::load_all(ctx, &ids).await.ok()
}
