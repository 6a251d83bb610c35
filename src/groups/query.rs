//! Queries for groups.

use async_graphql::{Context, Enum, InputObject, Object};

use super::loader::{GroupPages, GroupsById, MembershipsById};
use super::model::{self, Selection, SortBy};
use super::types::{Group, Membership};
use crate::auth::acting::CallerExt;
use crate::auth::policy::{self, Action, Scope};
use crate::error::{ApiError, ApiErrors};
use crate::graphql::connection::{Connection, Page, PageArgs, TotalCount, connection};
use crate::graphql::context::RequestExt;
use crate::graphql::cursor::Position;
use crate::graphql::ids::GivenId;
use crate::graphql::keyset::{OrderDirection, SortType};
use crate::graphql::limits::directives::connection_size;
use crate::graphql::loaders::ReadExt;
use crate::graphql::search::Search;
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::ids::{GroupId, GroupKind, MembershipId};

/// Filters for a list of groups. Omitted fields do not filter; a group must match all fields that are given:
/// `{mine: true, names: ["vision"]}`.
#[derive(Debug, Default, InputObject)]
pub struct GroupFilter {
    /// Only return groups with one of these names.
    pub names: Option<Vec<String>>,
    /// Only return groups whose name matches: each word of this text must be the beginning of a word of the name, so
    /// "res 50" matches `train-resnet-50`. A blank text does not filter.
    pub search: Option<String>,
    /// If true, only return groups that you are a member of.
    pub mine: Option<bool>,
}

/// The fields that a list of groups can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum GroupOrderField {
    /// Sort by name.
    Name,
    /// Sort by creation time.
    CreatedAt,
}

/// Ordering options for a list of groups.
#[derive(Debug, InputObject)]
pub struct GroupOrder {
    /// The field to sort by.
    pub field: GroupOrderField,
    /// The direction to sort in.
    #[graphql(default_with = "Some(OrderDirection::Asc)")]
    pub direction: Option<OrderDirection>,
}

/// The queries for groups.
#[derive(Debug, Default)]
pub struct GroupQuery;

#[Object]
impl GroupQuery {
    /// Finds a group by ID. You must be a member of it.
    async fn group(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The ID of the group: `group_` followed by 26 characters.")] id: GivenId<GroupKind>,
    ) -> ApiResult<Option<AtOnce<Group>>> {
        async { find(ctx, id.at("id")?).await.map(AtOnce).map(Some) }.await.graphql(ctx)
    }

    /// The groups that you are a member of. Platform admins see all groups.
    #[allow(clippy::too_many_arguments, reason = "a connection has four arguments before its own")]
    #[graphql(directive = connection_size::apply())]
    async fn groups(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first _n_ items of the list: 0 to 100, 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the groups that come after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last _n_ items of the list: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Returns the groups that come before this cursor.")] before: Option<String>,
        #[graphql(desc = "Which groups to return; all that you can see by default.")] filter: Option<GroupFilter>,
        #[graphql(desc = "The order of the list; by name by default.")] order_by: Option<GroupOrder>,
    ) -> ApiResult<Connection<Group>> {
        list(ctx, PageArgs { first, after, last, before }, filter, order_by).await.graphql(ctx)
    }
}

/// The group with this ID, if the caller can see it.
///
/// # Errors
/// `NOT_FOUND` if it does not exist or the caller cannot see it.
pub async fn find(ctx: &Context<'_>, id: GroupId) -> Result<Group, ApiError> {
    policy::check(&ctx.caller(), Action::ViewGroup, Scope::group(id))?;
    let group = ctx.read::<GroupsById>(id).await?.ok_or_else(|| ApiError::not_found("group", id))?;
    Ok(Group(group))
}

/// The membership with this ID, if the caller can see its group.
///
/// # Errors
/// `NOT_FOUND` if it does not exist or the caller cannot see it.
pub async fn find_membership(ctx: &Context<'_>, id: MembershipId) -> Result<Membership, ApiError> {
    ctx.caller().principal()?;
    let member = ctx.read::<MembershipsById>(id).await?.ok_or_else(|| ApiError::not_found("membership", id))?;
    policy::check(&ctx.caller(), Action::ViewGroup, Scope::within(member.group_id, id))?;
    Ok(member.into())
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
        search: Search::parse(filter.search.as_deref(), "filter.search")?,
        member: if mine { Some(ctx.caller().principal()?.user) } else { None },
        sort,
        direction: order.and_then(|order| order.direction).unwrap_or_default(),
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
