//! How lists of memberships are filtered and sorted.

use async_graphql::{Enum, InputObject};

use crate::auth::policy::Visible;
use crate::auth::principal::GroupRole;
use crate::error::ApiErrors;
use crate::graphql::keyset::OrderDirection;
use crate::graphql::search::Search;
use crate::groups::model::{Memberships, UserMemberships};

/// Filters for a list of memberships. Omitted fields do not filter; a membership must match all fields that are given.
#[derive(Debug, Default, InputObject)]
pub struct MembershipFilter {
    /// Only return memberships with one of these roles.
    pub roles: Option<Vec<GroupRole>>,
    /// Only return memberships of users whose username and display name match: each word of this text must be the
    /// beginning of a word of them. A blank text does not filter.
    pub search: Option<String>,
}

/// The fields that a list of memberships can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum MembershipOrderField {
    /// Sort by the time when the user joined the group.
    JoinedAt,
}

/// Ordering options for a list of memberships.
#[derive(Debug, InputObject)]
pub struct MembershipOrder {
    /// The field to sort by.
    pub field: MembershipOrderField,
    /// The direction to sort in.
    #[graphql(default_with = "Some(OrderDirection::Asc)")]
    pub direction: Option<OrderDirection>,
}

/// Which memberships a client requests, and in which order.
///
/// # Errors
/// `BAD_USER_INPUT` for each invalid field.
pub fn memberships(filter: Option<MembershipFilter>, order: Option<MembershipOrder>) -> Result<Memberships, ApiErrors> {
    let filter = filter.unwrap_or_default();
    let direction = order.and_then(|MembershipOrder { field: MembershipOrderField::JoinedAt, direction }| direction);
    Ok(Memberships {
        roles: filter.roles,
        search: Search::parse(filter.search.as_deref(), "filter.search")?,
        direction: direction.unwrap_or_default(),
    })
}

/// Filters for the memberships of a user. Omitted fields do not filter; a membership must match all fields that are given.
#[derive(Debug, Default, InputObject)]
pub struct UserMembershipFilter {
    /// Only memberships with one of these roles.
    pub roles: Option<Vec<GroupRole>>,
    /// Only memberships in groups whose name matches: each word of this text must be the beginning of a word of the name. A
    /// blank text does not filter.
    pub search: Option<String>,
}

/// Which memberships of a user a client requests, and in which order, among those in `visible` groups.
///
/// # Errors
/// `BAD_USER_INPUT` for each invalid field.
pub fn memberships_of_user(
    visible: Visible,
    filter: Option<UserMembershipFilter>,
    order: Option<MembershipOrder>,
) -> Result<UserMemberships, ApiErrors> {
    let UserMembershipFilter { roles, search } = filter.unwrap_or_default();
    let selected = memberships(Some(MembershipFilter { roles, search }), order)?;
    Ok(UserMemberships { visible, selected })
}
