//! Pages of claims, of everything that a viewer sees.

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::Claim;
use crate::auth::policy::Visible;
use crate::db::tables::storage_claims;
use crate::graphql::connection::Page;
use crate::graphql::cursor::Position;
use crate::graphql::edges::Order;
use crate::graphql::keyset::{self, Condition, OrderDirection};
use crate::graphql::search::Search;
use crate::ids::{GroupId, ProjectId, UserId};
use crate::storage::phase::PvcPhase;

/// The expression that is indexed for searches.
const SEARCHED: &str = "storage_claims.display_name || ' ' || storage_claims.name";

/// The filter and order of a list of claims: part of a loader's key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Selection {
    /// Only of this project.
    pub project: Option<ProjectId>,
    /// Only of this group and its projects.
    pub group: Option<GroupId>,
    /// Only those that are not a project's.
    pub without_project: bool,
    /// Only the drive of this user.
    pub user: Option<UserId>,
    /// Only in one of these phases.
    pub phases: Option<Vec<PvcPhase>>,
    /// Only of one of these storage classes.
    pub classes: Option<Vec<String>>,
    /// Only with a name that matches.
    pub search: Option<Search>,
    /// Only those that the platform has created, or only the others.
    pub managed: Option<bool>,
    /// The direction of the list, by creation time.
    pub direction: OrderDirection,
}

impl Selection {
    /// The conditions that the claims meet.
    pub fn conditions(&self) -> Vec<Condition<storage_claims::table>> {
        let mut conditions: Vec<Condition<storage_claims::table>> = Vec::new();
        // NULL counts as false.
        if let Some(project) = self.project {
            conditions.push(Box::new(storage_claims::project_id.eq(project).assume_not_null()));
        }
        if let Some(group) = self.group {
            conditions.push(Box::new(storage_claims::group_id.eq(group).assume_not_null()));
        }
        if self.without_project {
            conditions.push(Box::new(storage_claims::project_id.is_null()));
        }
        if let Some(user) = self.user {
            conditions.push(Box::new(storage_claims::user_id.eq(user).assume_not_null()));
        }
        if let Some(phases) = &self.phases {
            conditions.push(Box::new(storage_claims::phase.eq_any(phases.clone())));
        }
        if let Some(classes) = &self.classes {
            conditions.push(Box::new(storage_claims::storage_class.eq_any(classes.clone()).assume_not_null()));
        }
        if let Some(search) = &self.search {
            conditions.push(search.matches(SEARCHED));
        }
        match self.managed {
            Some(true) => conditions.push(Box::new(storage_claims::created_by.is_not_null())),
            Some(false) => conditions.push(Box::new(storage_claims::created_by.is_null())),
            None => {}
        }
        conditions
    }

    /// The order of the list.
    pub const fn order(&self) -> Order<storage_claims::table> {
        Order::by::<(storage_claims::created_at, storage_claims::id)>(self.direction)
    }

    /// The position of a claim in this order.
    pub fn position(claim: &Claim) -> Position {
        Position::at(claim.created_at, claim.id.uuid())
    }
}

fn selected<'a>(visible: &Visible, viewer: UserId, selection: &Selection) -> storage_claims::BoxedQuery<'a, Pg> {
    let mut query = storage_claims::table.into_boxed();
    if let Visible::Groups { groups, project } = visible {
        if let Some(project) = *project {
            query = query.filter(storage_claims::project_id.eq(project).assume_not_null());
        }
        let theirs = storage_claims::group_id.eq_any(groups.clone()).assume_not_null();
        query = query.filter(theirs.or(storage_claims::user_id.eq(viewer).assume_not_null()));
    }
    for condition in selection.conditions() {
        query = query.filter(condition);
    }
    query
}

/// A page of the claims that are visible and match the filter, in the page's own direction.
///
/// # Errors
/// The database's.
pub async fn page(
    conn: &mut AsyncPgConnection,
    visible: &Visible,
    viewer: UserId,
    selection: &Selection,
    page: &Page,
) -> QueryResult<Vec<Claim>> {
    let mut query = selected(visible, viewer, selection);
    let bounds = page.bounds(selection.direction);
    for condition in keyset::between(bounds, "storage_claims.created_at", "storage_claims.id") {
        query = query.filter(condition);
    }
    query = match page.ascending(selection.direction) {
        true => query.order((storage_claims::created_at.asc(), storage_claims::id.asc())),
        false => query.order((storage_claims::created_at.desc(), storage_claims::id.desc())),
    };
    query.limit(page.limit).select(Claim::as_select()).load(conn).await
}

/// The number of claims that are visible and match the filter.
///
/// # Errors
/// The database's.
pub async fn count(
    conn: &mut AsyncPgConnection,
    visible: &Visible,
    viewer: UserId,
    selection: &Selection,
) -> QueryResult<i64> {
    selected(visible, viewer, selection).count().get_result(conn).await
}
