//! Queries for requests.

use async_graphql::{Context, Enum, InputObject, Object};

use super::loader::{MessagesById, RequestPages, RequestsById};
use super::model::{self, RequestStatus, RequestTag, Selection};
use super::types::{Request, RequestMessage, scope};
use crate::auth::acting::CallerExt;
use crate::auth::policy::{self, Action};
use crate::error::{ApiError, ApiErrors, both};
use crate::graphql::connection::{Connection, Page, PageArgs, TotalCount, connection};
use crate::graphql::context::RequestExt;
use crate::graphql::cursor::Position;
use crate::graphql::ids::{self, GivenId};
use crate::graphql::keyset::{OrderDirection, SortType};
use crate::graphql::limits::directives::connection_size;
use crate::graphql::loaders::ReadExt;
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::ids::{GroupKind, ProjectKind, RequestId, RequestKind, RequestMessageId, UserKind};

/// Filters for a list of requests. Omitted fields do not filter; a request must match all fields that are given:
/// `{statuses: [OPEN, IN_PROGRESS], tags: [ACCESS]}`.
#[derive(Debug, Default, InputObject)]
pub struct RequestFilter {
    /// Only return requests with one of these statuses.
    pub statuses: Option<Vec<RequestStatus>>,
    /// Only return requests with one of these tags.
    pub tags: Option<Vec<RequestTag>>,
    /// Only return requests of this user.
    pub author_id: Option<GivenId<UserKind>>,
    /// Only return requests about this group and its projects.
    pub group_id: Option<GivenId<GroupKind>>,
    /// Only return requests about this project.
    pub project_id: Option<GivenId<ProjectKind>>,
}

/// The fields that a list of requests can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum RequestOrderField {
    /// Sort by the time when the request was opened.
    CreatedAt,
}

/// Ordering options for a list of requests.
#[derive(Debug, InputObject)]
pub struct RequestOrder {
    /// The field to sort by.
    pub field: RequestOrderField,
    /// The direction to sort in.
    #[graphql(default_with = "Some(OrderDirection::Asc)")]
    pub direction: Option<OrderDirection>,
}

/// The queries for requests.
#[derive(Debug, Default)]
pub struct RequestQuery;

#[Object]
impl RequestQuery {
    /// Finds a request by ID. You must be its author, or responsible for what it is about.
    async fn request(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The ID of the request: `request_` followed by 26 characters.")] id: GivenId<RequestKind>,
    ) -> ApiResult<Option<AtOnce<Request>>> {
        async { find(ctx, id.at("id")?).await.map(AtOnce).map(Some) }.await.graphql(ctx)
    }

    /// The requests that you have opened, and those about groups that you manage, newest first by default. Platform admins
    /// see all requests.
    #[allow(clippy::too_many_arguments, reason = "a connection has four arguments before its own")]
    #[graphql(directive = connection_size::apply())]
    async fn requests(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first _n_ items of the list: 0 to 100, 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the requests that come after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last _n_ items of the list: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Returns the requests that come before this cursor.")] before: Option<String>,
        #[graphql(desc = "Which requests to return; all that you can see by default.")] filter: Option<RequestFilter>,
        #[graphql(desc = "The order of the list; newest first by default.")] order_by: Option<RequestOrder>,
    ) -> ApiResult<Connection<Request>> {
        list(ctx, PageArgs { first, after, last, before }, filter, order_by).await.graphql(ctx)
    }
}

/// The request with this ID, if the caller can see it.
///
/// # Errors
/// `NOT_FOUND` if it does not exist or the caller cannot see it.
pub async fn find(ctx: &Context<'_>, id: RequestId) -> Result<Request, ApiError> {
    ctx.caller().principal()?;
    let request = ctx.read::<RequestsById>(id).await?.ok_or_else(|| ApiError::not_found("request", id))?;
    policy::check(&ctx.caller(), Action::ViewRequest, scope(&request))?;
    Ok(Request(request))
}

/// The message with this ID, if the caller can see its request.
///
/// # Errors
/// `NOT_FOUND` if it does not exist or the caller cannot see it.
pub async fn find_message(ctx: &Context<'_>, id: RequestMessageId) -> Result<RequestMessage, ApiError> {
    ctx.caller().principal()?;
    let not_found = || ApiError::not_found("message", id);
    let message = ctx.read::<MessagesById>(id).await?.ok_or_else(not_found)?;
    let request = ctx.read::<RequestsById>(message.request_id).await?.ok_or_else(not_found)?;
    policy::check(&ctx.caller(), Action::ViewRequest, scope(&request)).map_err(|_| not_found())?;
    Ok(message.into())
}

async fn list(
    ctx: &Context<'_>,
    args: PageArgs,
    filter: Option<RequestFilter>,
    order: Option<RequestOrder>,
) -> Result<Connection<Request>, ApiErrors> {
    let visible = policy::groups_where(&ctx.caller(), Action::ViewRequest)?;
    let viewer = ctx.caller().principal()?.user;
    let filter = filter.unwrap_or_default();
    let author = ids::maybe(filter.author_id.as_ref(), "filter.authorId");
    let group = ids::maybe(filter.group_id.as_ref(), "filter.groupId");
    let project = ids::maybe(filter.project_id.as_ref(), "filter.projectId");
    let page = Page::parse(args).and_then(|page| page.sorted_by(SortType::Time));
    let (((author, group), project), page) = both(both(both(author, group), project), page)?;
    let direction = order.map(|RequestOrder { field: RequestOrderField::CreatedAt, direction }| direction);
    let selection = Selection {
        statuses: filter.statuses,
        tags: filter.tags,
        author,
        group,
        project,
        direction: direction.map_or(OrderDirection::Desc, Option::unwrap_or_default),
    };
    let db = ctx.db()?.clone();
    let key = (visible.clone(), viewer, selection.clone(), page.clone());
    let rows = ctx.read::<RequestPages>(key).await?.unwrap_or_default();
    let total = TotalCount::by(move |_| {
        let (db, visible, selection) = (db.clone(), visible.clone(), selection.clone());
        async move { Ok(model::count(&mut *db.connection().await?, &visible, viewer, &selection).await?) }
    });
    let position = |request: &model::Request| Position::at(request.created_at, request.id.uuid());
    Ok(connection(&page, rows.to_vec(), position, Request::from, total))
}
