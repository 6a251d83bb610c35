//! How lists of storage claims are filtered and sorted.

use async_graphql::{Enum, InputObject};

use crate::error::{ApiErrors, Problems};
use crate::graphql::ids::{self, GivenId};
use crate::graphql::keyset::OrderDirection;
use crate::graphql::search::Search;
use crate::ids::{GroupKind, ProjectKind, UserKind};
use crate::storage::model::list::Selection;
use crate::storage::phase::PvcPhase;

/// The conditions that all lists of storage claims have in common.
#[derive(Debug, Default, InputObject)]
pub struct PvcConditions {
    /// Only return claims in one of these phases.
    pub phases: Option<Vec<PvcPhase>>,
    /// Only return claims of one of these storage classes.
    pub storage_classes: Option<Vec<String>>,
    /// Only return claims whose names match: each word of this text must be the beginning of a word of the name or the
    /// display name. A blank text does not filter.
    pub search: Option<String>,
    /// If true, only return claims that the platform created; if false, only the others.
    pub managed: Option<bool>,
}

/// Filters for a list of storage claims. Omitted fields do not filter; a claim must match all fields that are given.
#[derive(Debug, Default, InputObject)]
pub struct PvcFilter {
    /// The conditions that all lists have.
    #[graphql(flatten)]
    pub conditions: PvcConditions,
    /// Only return claims of this project.
    pub project_id: Option<GivenId<ProjectKind>>,
    /// Only return claims of this group and its projects.
    pub group_id: Option<GivenId<GroupKind>>,
    /// Only return the drive of this user.
    pub user_id: Option<GivenId<UserKind>>,
}

/// Filters for the storage claims of a project or a group. Omitted fields do not filter; a claim must match all fields that
/// are given.
#[derive(Debug, Default, InputObject)]
pub struct ClaimFilter {
    /// The conditions that all lists have.
    #[graphql(flatten)]
    pub conditions: PvcConditions,
}

/// The fields that a list of storage claims can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum PvcOrderField {
    /// Sort by the time when the claim was created.
    CreatedAt,
}

/// Ordering options for a list of storage claims.
#[derive(Debug, InputObject)]
pub struct PvcOrder {
    /// The field to sort by.
    pub field: PvcOrderField,
    /// The direction to sort in.
    #[graphql(default_with = "Some(OrderDirection::Asc)")]
    pub direction: Option<OrderDirection>,
}

/// Which claims a client requests, and in which order.
///
/// # Errors
/// `BAD_USER_INPUT` for each invalid field.
pub fn selection(filter: Option<PvcFilter>, order: Option<PvcOrder>) -> Result<Selection, ApiErrors> {
    let PvcFilter { conditions, project_id, group_id, user_id } = filter.unwrap_or_default();
    let direction = order.and_then(|PvcOrder { field: PvcOrderField::CreatedAt, direction }| direction);
    let mut problems = Problems::default();
    let selection = Selection {
        project: problems.take(ids::maybe(project_id.as_ref(), "filter.projectId")).flatten(),
        group: problems.take(ids::maybe(group_id.as_ref(), "filter.groupId")).flatten(),
        without_project: false,
        user: problems.take(ids::maybe(user_id.as_ref(), "filter.userId")).flatten(),
        phases: conditions.phases,
        classes: conditions.storage_classes,
        search: problems.take(Search::parse(conditions.search.as_deref(), "filter.search")).flatten(),
        managed: conditions.managed,
        direction: direction.unwrap_or_default(),
    };
    problems.finish().map(|()| selection)
}

/// Which claims of a project or a group a client requests, and in which order.
///
/// # Errors
/// `BAD_USER_INPUT` for each invalid field.
pub fn of_parent(filter: Option<ClaimFilter>, order: Option<PvcOrder>) -> Result<Selection, ApiErrors> {
    let conditions = filter.unwrap_or_default().conditions;
    selection(Some(PvcFilter { conditions, ..PvcFilter::default() }), order)
}
