//! Groups and memberships as GraphQL types.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use futures::FutureExt as _;

use super::loader::{GroupsById, MembersOfGroup};
use super::model::{self, Member};
use crate::auth::principal::GroupRole;
use crate::error::ApiError;
use crate::graphql::connection::{Connection, PageArgs};
use crate::graphql::edges;
use crate::graphql::limits::directives::connection_size;
use crate::graphql::loaders::ReadExt;
use crate::graphql::written::{Part, Written, each};
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::ids::GroupId;
use crate::projects::loader::ProjectsOfGroup;
use crate::projects::types::Project;
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
        let args = PageArgs { first, after, last, before };
        edges::list::<MembersOfGroup, _>(ctx, self.0.id, (), args).await.graphql(ctx)
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
        let args = PageArgs { first, after, last, before };
        edges::list::<ProjectsOfGroup, _>(ctx, self.0.id, (), args).await.graphql(ctx)
    }
}

/// Membership of a user in a group.
#[derive(Debug, Clone)]
pub struct Membership(Arc<Member>);

impl From<Arc<Member>> for Membership {
    fn from(member: Arc<Member>) -> Self {
        Self(member)
    }
}

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
    each(groups, |group| edges::list::<MembersOfGroup, _>(ctx, group.0.id, (), args.clone())).await
}

async fn projects(ctx: &Context<'_>, groups: &[&Group]) -> Option<Vec<Connection<Project>>> {
    let args = PageArgs::among(&ctx.field().arguments().ok()?)?;
    each(groups, |group| edges::list::<ProjectsOfGroup, _>(ctx, group.0.id, (), args.clone())).await
}

async fn groups(ctx: &Context<'_>, members: &[&Membership]) -> Option<Vec<Group>> {
    let ids: Vec<_> = members.iter().map(|member| member.0.group_id).collect();
    Group::load_all(ctx, &ids).await.ok()
}

async fn users(ctx: &Context<'_>, members: &[&Membership]) -> Option<Vec<User>> {
    let ids: Vec<_> = members.iter().map(|member| member.0.user_id).collect();
    User::load_all(ctx, &ids).await.ok()
}
