//! Queries for the audit log.

use async_graphql::{Context, Enum, InputObject, Object};
use chrono::{DateTime, Utc};

use super::loader::{AuditPages, EntriesById};
use super::model::{self, Selection};
use super::types::AuditEntry;
use crate::auth::acting::CallerExt;
use crate::auth::policy::{self, Action, Scope};
use crate::error::{ApiError, ApiErrors, both};
use crate::graphql::connection::{Connection, Page, PageArgs, TotalCount, connection};
use crate::graphql::context::RequestExt;
use crate::graphql::cursor::Position;
use crate::graphql::ids::{self, GivenId};
use crate::graphql::keyset::{OrderDirection, SortType};
use crate::graphql::limits::directives::connection_size;
use crate::graphql::loaders::ReadExt;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::{AuditId, GroupId, GroupKind, ProjectId, ProjectKind, UserId, UserKind};
use crate::trail::Outcome;

/// Filters for the audit log. Omitted fields do not filter; an entry must match all fields that are given:
/// `{outcome: REFUSED, actions: ["login"]}`.
#[derive(Debug, Default, InputObject)]
pub struct AuditFilter {
    /// Only return what this user did.
    pub actor_id: Option<GivenId<UserKind>>,
    /// Only return these actions, which are named like mutations: `["createProject", "login"]`.
    pub actions: Option<Vec<String>>,
    /// Only return what was done to the object with this ID, of whichever kind. The object need not exist any more.
    pub subject_id: Option<async_graphql::ID>,
    /// Only return what was done to this group, its projects and what belongs to them.
    pub group_id: Option<GivenId<GroupKind>>,
    /// Only return what was done to this project and what belongs to it.
    pub project_id: Option<GivenId<ProjectKind>>,
    /// Only return entries from this time on.
    pub from: Option<DateTime<Utc>>,
    /// Only return entries before this time.
    pub to: Option<DateTime<Utc>>,
    /// Only return entries with this outcome.
    pub outcome: Option<Outcome>,
}

/// The fields that the audit log can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum AuditOrderField {
    /// Sort by time.
    At,
}

/// Ordering options for the audit log.
#[derive(Debug, InputObject)]
pub struct AuditOrder {
    /// The field to sort by.
    pub field: AuditOrderField,
    /// The direction to sort in.
    #[graphql(default_with = "Some(OrderDirection::Asc)")]
    pub direction: Option<OrderDirection>,
}

/// The queries for the audit log.
#[derive(Debug, Default)]
pub struct AuditQuery;

#[Object]
impl AuditQuery {
    /// The audit log, newest entry first by default: each mutation, each login, and each attempt that was refused.
    ///
    /// Platform admins see all entries, group admins those of their groups; others see none. Entries are kept for the time
    /// that the operator has configured (`AUDIT_RETENTION_DAYS`). `GET /audit.ndjson` exports them.
    #[allow(clippy::too_many_arguments, reason = "a connection has four arguments before its own")]
    #[graphql(directive = connection_size::apply())]
    async fn audit_log(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first _n_ items of the list: 0 to 100, 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the entries that come after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last _n_ items of the list: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Returns the entries that come before this cursor.")] before: Option<String>,
        #[graphql(desc = "Which entries to return; all that you can see by default.")] filter: Option<AuditFilter>,
        #[graphql(desc = "The order of the list; newest first by default.")] order_by: Option<AuditOrder>,
    ) -> ApiResult<Connection<AuditEntry>> {
        list(ctx, PageArgs { first, after, last, before }, filter, order_by).await.graphql(ctx)
    }
}

/// The entry with this ID, if the caller can see it.
///
/// # Errors
/// `NOT_FOUND` if it does not exist or the caller cannot see it.
pub async fn find(ctx: &Context<'_>, id: AuditId) -> Result<AuditEntry, ApiError> {
    ctx.caller().principal()?;
    let entry = ctx.read::<EntriesById>(id).await?.ok_or_else(|| ApiError::not_found("audit entry", id))?;
    policy::check(
        &ctx.caller(),
        Action::ViewAuditEntry,
        Scope::of_group_or_none(entry.group, id).in_project(entry.project),
    )?;
    Ok(AuditEntry(entry))
}

/// Where the IDs of a filter are in the input: of who did it, of the group and of the project.
pub(super) struct IdPaths([&'static str; 3]);

/// The IDs of the argument `filter`.
pub(super) const OF_FILTER: IdPaths = IdPaths(["filter.actorId", "filter.groupId", "filter.projectId"]);
/// The IDs of the field `filter` of an input.
pub(super) const OF_INPUT: IdPaths =
    IdPaths(["input.filter.actorId", "input.filter.groupId", "input.filter.projectId"]);

impl AuditFilter {
    /// What it selects.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` for each ID that is not valid.
    pub(super) fn selection(self, paths: &IdPaths, direction: OrderDirection) -> Result<Selection, ApiErrors> {
        let ids = given(self.actor_id.as_ref(), self.group_id.as_ref(), self.project_id.as_ref(), paths);
        let ((actor, group), project) = ids?;
        Ok(Selection {
            actor,
            actions: self.actions,
            subject: self.subject_id.map(|id| id.0),
            group,
            project,
            from: self.from,
            to: self.to,
            outcome: self.outcome,
            direction,
        })
    }
}

/// The IDs of a filter, if they are valid.
type Given = ((Option<UserId>, Option<GroupId>), Option<ProjectId>);

/// The IDs of who did it, of the group and of the project in a filter.
///
/// # Errors
/// `BAD_USER_INPUT` for each that is not valid.
pub(super) fn given(
    actor: Option<&GivenId<UserKind>>,
    group: Option<&GivenId<GroupKind>>,
    project: Option<&GivenId<ProjectKind>>,
    &IdPaths([of_actor, of_group, of_project]): &IdPaths,
) -> Result<Given, ApiErrors> {
    both(both(ids::maybe(actor, of_actor), ids::maybe(group, of_group)), ids::maybe(project, of_project))
}

async fn list(
    ctx: &Context<'_>,
    args: PageArgs,
    filter: Option<AuditFilter>,
    order: Option<AuditOrder>,
) -> Result<Connection<AuditEntry>, ApiErrors> {
    let visible = policy::groups_where(&ctx.caller(), Action::ViewAuditEntry)?;
    let direction = order.map(|AuditOrder { field: AuditOrderField::At, direction }| direction.unwrap_or_default());
    let selection = filter.unwrap_or_default().selection(&OF_FILTER, direction.unwrap_or(OrderDirection::Desc));
    let page = Page::parse(args).and_then(|page| page.sorted_by(SortType::Time));
    let (selection, page) = both(selection, page)?;
    let db = ctx.db()?.clone();
    let key = (visible.clone(), selection.clone(), page.clone());
    let rows = ctx.read::<AuditPages>(key).await?.unwrap_or_default();
    let total = TotalCount::by(move |_| {
        let (db, visible, selection) = (db.clone(), visible.clone(), selection.clone());
        async move { Ok(model::count(&mut *db.connection().await?, &visible, &selection).await?) }
    });
    let position = |entry: &model::Entry| Position::at(entry.at, entry.id.uuid());
    Ok(connection(&page, rows.to_vec(), position, AuditEntry::from, total))
}
