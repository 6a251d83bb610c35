//! Groups and memberships as GraphQL types.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};

use super::loader::{GroupsById, MemberCounts, MembersOfGroup, MembershipCounts, MembershipsOfUser};
use super::model::{self, Member};
use crate::auth::acting::PolicyExt;
use crate::auth::principal::GroupRole;
use crate::error::{ApiError, ApiErrors};
use crate::graphql::connection::{Connection, Page, PageArgs, TotalCount, connection};
use crate::graphql::context::RequestExt;
use crate::graphql::cursor::Position;
use crate::graphql::keyset::SortType;
use crate::graphql::limits::directives::connection_size;
use crate::graphql::loaders::ReadExt;
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::ids::{GroupId, UserId};
use crate::projects::types::{Project, projects_of_group};
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
        let group = ctx.read::<GroupsById>(id).await?;
        group.map(Self).ok_or_else(|| ApiError::internal(format!("{id} is referred to and not there")))
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

    /// The memberships of the group, oldest first.
    #[graphql(directive = connection_size::apply())]
    async fn members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first _n_ items of the list: 0 to 100, 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the memberships that come after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last _n_ items of the list: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Returns the memberships that come before this cursor.")] before: Option<String>,
    ) -> ApiResult<Connection<Membership>> {
        members_of_group(ctx, self.0.id, PageArgs { first, after, last, before }).await.graphql(ctx)
    }

    /// The projects of the group, ordered by name.
    #[graphql(directive = connection_size::apply())]
    async fn projects(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first _n_ items of the list: 0 to 100, 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the projects that come after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last _n_ items of the list: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Returns the projects that come before this cursor.")] before: Option<String>,
    ) -> ApiResult<Connection<Project>> {
        projects_of_group(ctx, self.0.id, PageArgs { first, after, last, before }).await.graphql(ctx)
    }
}

/// Membership of a user in a group.
#[derive(Debug, Clone)]
pub struct Membership(Member);

/// Membership of a user in a group.
#[Object]
impl Membership {
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
}

async fn members_of_group(
    ctx: &Context<'_>,
    group: GroupId,
    args: PageArgs,
) -> Result<Connection<Membership>, ApiErrors> {
    let page = Page::parse(args)?.sorted_by(SortType::Time)?;
    let rows = ctx.read::<MembersOfGroup>((group, page.clone())).await?.unwrap_or_default();
    let loaders = ctx.loaders()?;
    let total = TotalCount::by(move |_| {
        let loaders = Arc::clone(&loaders);
        async move { Ok(loaders.read::<MemberCounts>(group).await?.unwrap_or(0)) }
    });
    let position = |member: &Member| Position::at(member.joined_at, member.user_id.uuid());
    Ok(connection(&page, (*rows).clone(), position, Membership, total))
}

/// The page of a user's memberships that the viewer can see.
///
/// # Errors
/// `BAD_USER_INPUT` for invalid arguments, or those of the read.
pub async fn memberships_of_user(
    ctx: &Context<'_>,
    user: UserId,
    args: PageArgs,
) -> Result<Connection<Membership>, ApiErrors> {
    let page = Page::parse(args)?.sorted_by(SortType::Time)?;
    let visible = ctx.visible()?;
    let rows = ctx.read::<MembershipsOfUser>((user, visible.clone(), page.clone())).await?.unwrap_or_default();
    let loaders = ctx.loaders()?;
    let total = TotalCount::by(move |_| {
        let (loaders, visible) = (Arc::clone(&loaders), visible.clone());
        async move { Ok(loaders.read::<MembershipCounts>((user, visible)).await?.unwrap_or(0)) }
    });
    let position = |member: &Member| Position::at(member.joined_at, member.group_id.uuid());
    Ok(connection(&page, (*rows).clone(), position, Membership, total))
}
