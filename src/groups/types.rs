//! Groups and memberships as the API shows them.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};

use super::loader::{GroupsById, MembersOfGroup};
use super::model::{self, Member};
use crate::auth::principal::GroupRole;
use crate::error::ApiError;
use crate::graphql::connection::{Connection, PageArgs};
use crate::graphql::edges;
use crate::graphql::limits::directives::connection_size;
use crate::graphql::loaders::ReadExt;
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::ids::GroupId;
use crate::projects::loader::ProjectsOfGroup;
use crate::projects::types::Project;
use crate::users::types::User;

/// A group of people who work together; projects belong to one.
#[derive(Debug, Clone)]
pub struct Group(pub Arc<model::Group>);

impl From<model::Group> for Group {
    fn from(group: model::Group) -> Self {
        Self(Arc::new(group))
    }
}

impl Group {
    /// The group with this id, for an edge whose start the viewer sees.
    ///
    /// # Errors
    /// The read failed, or a foreign key does not hold.
    pub async fn load(ctx: &Context<'_>, id: GroupId) -> Result<Self, ApiError> {
        let group = ctx.read::<GroupsById>(id).await?;
        group.map(Self).ok_or_else(|| ApiError::internal(format!("{id} is referred to and not there")))
    }
}

/// A group of people who work together; projects belong to one.
#[Object]
impl Group {
    /// The id: `group_` and 26 characters.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_text())
    }

    /// The name, unique on the platform.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What the group is about.
    async fn description(&self) -> &str {
        &self.0.description
    }

    /// When the group was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// Who is in the group, longest membership first.
    #[graphql(directive = connection_size::apply())]
    async fn members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the start: 0 to 100, 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Begin after the membership with this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "End before the membership with this cursor.")] before: Option<String>,
    ) -> ApiResult<Connection<Membership>> {
        let args = PageArgs { first, after, last, before };
        edges::list::<MembersOfGroup, _>(ctx, self.0.id, (), args).await.graphql(ctx)
    }

    /// The group's projects, by name.
    #[graphql(directive = connection_size::apply())]
    async fn projects(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the start: 0 to 100, 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Begin after the project with this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "End before the project with this cursor.")] before: Option<String>,
    ) -> ApiResult<Connection<Project>> {
        let args = PageArgs { first, after, last, before };
        edges::list::<ProjectsOfGroup, _>(ctx, self.0.id, (), args).await.graphql(ctx)
    }
}

/// That a person is in a group, and as what.
#[derive(Debug, Clone)]
pub struct Membership(Arc<Member>);

impl From<Arc<Member>> for Membership {
    fn from(member: Arc<Member>) -> Self {
        Self(member)
    }
}

/// That a person is in a group, and as what.
#[Object]
impl Membership {
    /// The group.
    async fn group(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<Group>> {
        Group::load(ctx, self.0.group_id).await.map(AtOnce).graphql(ctx)
    }

    /// The person.
    async fn user(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<User>> {
        User::load(ctx, self.0.user_id).await.map(AtOnce).graphql(ctx)
    }

    /// What the person may do in the group.
    async fn role(&self) -> GroupRole {
        self.0.role
    }

    /// Since when the person is in the group.
    async fn joined_at(&self) -> DateTime<Utc> {
        self.0.joined_at
    }
}
