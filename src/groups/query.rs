//! Asking about groups.

use async_graphql::{Context, Enum, InputObject, Object};

use super::loader::{GroupPages, GroupsById};
use super::model::{self, Selection, SortBy};
use super::types::Group;
use crate::auth::acting::CallerExt;
use crate::auth::policy::{self, Action, Scope};
use crate::error::{ApiError, ApiErrors};
use crate::graphql::connection::{Connection, Page, PageArgs, TotalCount, connection};
use crate::graphql::context::RequestExt;
use crate::graphql::cursor::Position;
use crate::graphql::keyset::{OrderDirection, SortType};
use crate::graphql::limits::directives::connection_size;
use crate::graphql::loaders::ReadExt;
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::ids::GroupId;

/// Which groups to list; conditions that are left out do not count, several are joined by "and":
/// `{mine: true, names: ["vision"]}`.
#[derive(Debug, Default, InputObject)]
pub struct GroupFilter {
    /// Only groups with one of these names.
    pub names: Option<Vec<String>>,
    /// True: only groups that you are in yourself.
    pub mine: Option<bool>,
}

/// What groups can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum GroupOrderField {
    /// The name.
    Name,
    /// When the group was made.
    CreatedAt,
}

/// The order of a list of groups.
#[derive(Debug, InputObject)]
pub struct GroupOrder {
    /// What to sort by.
    pub field: GroupOrderField,
    /// Which end comes first.
    #[graphql(default)]
    pub direction: OrderDirection,
}

/// The groups part of the query root.
#[derive(Debug, Default)]
pub struct GroupQuery;

#[Object]
impl GroupQuery {
    /// The group with this id, if you are in it.
    async fn group(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The group's id: `group_` and 26 characters.")] id: GroupId,
    ) -> ApiResult<AtOnce<Group>> {
        find(ctx, id).await.map(AtOnce).graphql(ctx)
    }

    /// The groups that you are in; all for platform admins.
    #[allow(clippy::too_many_arguments, reason = "a connection has four arguments before its own")]
    #[graphql(directive = connection_size::apply())]
    async fn groups(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the start: 0 to 100, 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Begin after the group with this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "End before the group with this cursor.")] before: Option<String>,
        #[graphql(desc = "Which groups; all that you can see when left out.")] filter: Option<GroupFilter>,
        #[graphql(desc = "The order; by name when left out.")] order_by: Option<GroupOrder>,
    ) -> ApiResult<Connection<Group>> {
        list(ctx, PageArgs { first, after, last, before }, filter, order_by).await.graphql(ctx)
    }
}

/// The group with this id, if the caller may see it.
///
/// # Errors
/// `NOT_FOUND` if there is none that the caller may know of.
pub async fn find(ctx: &Context<'_>, id: GroupId) -> Result<Group, ApiError> {
    policy::check(&ctx.caller(), Action::ViewGroup, Scope::group(id))?;
    let group = ctx.read::<GroupsById>(id).await?.ok_or_else(|| ApiError::not_found("group", id))?;
    Ok(Group(group))
}

async fn list(
    ctx: &Context<'_>,
    args: PageArgs,
    filter: Option<GroupFilter>,
    order: Option<GroupOrder>,
) -> Result<Connection<Group>, ApiErrors> {
    let visible = policy::visible(&ctx.caller())?;
    let filter = filter.unwrap_or_default();
    let sort = match order.as_ref().map(|order| order.field) {
        Some(GroupOrderField::CreatedAt) => SortBy::CreatedAt,
        Some(GroupOrderField::Name) | None => SortBy::Name,
    };
    let mine = filter.mine.unwrap_or(false);
    let selection = Selection {
        names: filter.names,
        member: if mine { Some(ctx.caller().principal()?.user) } else { None },
        sort,
        direction: order.map(|order| order.direction).unwrap_or_default(),
    };
    let page = Page::parse(args)?.sorted_by(match sort {
        SortBy::Name => SortType::Text,
        SortBy::CreatedAt => SortType::Time,
    })?;
    let db = ctx.db()?.clone();
    let key = (visible.clone(), selection.clone(), page.clone());
    let rows = ctx.read::<GroupPages>(key).await?.unwrap_or_default();
    let total = TotalCount::by(move |_| {
        let (db, visible, selection) = (db.clone(), visible.clone(), selection.clone());
        async move { Ok(model::count(&mut *db.connection().await?, &visible, &selection).await?) }
    });
    let position = |group: &model::Group| match sort {
        SortBy::Name => Position::of(group.name.clone(), group.id.uuid()),
        SortBy::CreatedAt => Position::at(group.created_at, group.id.uuid()),
    };
    Ok(connection(&page, rows.to_vec(), position, Group::from, total))
}
