//! Groups and memberships as GraphQL types.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use futures::FutureExt as _;

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
use crate::graphql::written::{Part, Written, each};
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

fn missing(id: GroupId) -> ApiError {
    ApiError::internal(format!("{id} is referred to and not there"))
}

impl Group {
    /// The group with this ID, for an edge whose parent the viewer can see.
    ///
    /// # Errors
    /// The read failed, or a foreign key is violated.
    pub async fn load(ctx: &Context<'_>, id: GroupId) -> Result<Self, ApiError> {
        let group = ctx.read::<GroupsById>(id).await?;
        group.map(Self).ok_or_else(|| missing(id))
    }

    /// As [`Group::load`], for each of these ids.
    ///
    /// # Errors
    /// As [`Group::load`].
    pub async fn load_all(ctx: &Context<'_>, ids: &[GroupId]) -> Result<Vec<Self>, ApiError> {
        let found = ctx.read_all::<GroupsById>(ids).await?.into_iter().zip(ids);
        found.map(|(group, id)| group.map(Self).ok_or_else(|| missing(*id))).collect()
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

impl Written for Group {
    fn part(field: &str) -> Option<Part<Self>> {
        Some(match field {
            "id" => Part::column(|group, json| json.put(&group.0.id)),
            "name" => Part::column(|group, json| json.put(&group.0.name)),
            "description" => Part::column(|group, json| json.put(&group.0.description)),
            "createdAt" => Part::column(|group, json| json.put(&group.0.created_at)),
            "members" => Part::one(|ctx, groups| members(ctx, groups).boxed()),
            "projects" => Part::one(|ctx, groups| projects(ctx, groups).boxed()),
            _ => return None,
        })
    }
}

impl Written for Membership {
    fn part(field: &str) -> Option<Part<Self>> {
        Some(match field {
            "group" => Part::one(|ctx, members| groups(ctx, members).boxed()),
            "user" => Part::one(|ctx, members| users(ctx, members).boxed()),
            "role" => Part::column(|member, json| json.put_enum(member.0.role)),
            "joinedAt" => Part::column(|member, json| json.put(&member.0.joined_at)),
            _ => return None,
        })
    }
}

async fn members(ctx: &Context<'_>, groups: &[&Group]) -> Option<Vec<Connection<Membership>>> {
    let args = PageArgs::among(&ctx.field().arguments().ok()?)?;
    each(groups, |group| members_of_group(ctx, group.0.id, args.clone())).await
}

async fn projects(ctx: &Context<'_>, groups: &[&Group]) -> Option<Vec<Connection<Project>>> {
    let args = PageArgs::among(&ctx.field().arguments().ok()?)?;
    each(groups, |group| projects_of_group(ctx, group.0.id, args.clone())).await
}

async fn groups(ctx: &Context<'_>, members: &[&Membership]) -> Option<Vec<Group>> {
    let ids: Vec<_> = members.iter().map(|member| member.0.group_id).collect();
    Group::load_all(ctx, &ids).await.ok()
}

async fn users(ctx: &Context<'_>, members: &[&Membership]) -> Option<Vec<User>> {
    let ids: Vec<_> = members.iter().map(|member| member.0.user_id).collect();
    User::load_all(ctx, &ids).await.ok()
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
