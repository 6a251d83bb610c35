//! How lists of projects are filtered and sorted.

use async_graphql::{Enum, InputObject};

use crate::error::{ApiErrors, both};
use crate::graphql::ids::{self, GivenId};
use crate::graphql::keyset::OrderDirection;
use crate::graphql::search::Search;
use crate::ids::GroupKind;
use crate::projects::model::{ProjectState, Selection, SortBy};

/// Filters for a list of projects. Omitted fields do not filter; a project must match all fields that are given:
/// `{groupId: "group_01h455vb4pex5vsknk084sn02q", names: ["detector", "tracker"]}`.
#[derive(Debug, Default, InputObject)]
pub struct ProjectFilter {
    /// Only return projects with one of these names.
    pub names: Option<Vec<String>>,
    /// Only return projects whose name matches: each word of this text must be the beginning of a word of the name, so
    /// "res 50" matches `train-resnet-50`. A blank text does not filter.
    pub search: Option<String>,
    /// Only return projects of this group.
    pub group_id: Option<GivenId<GroupKind>>,
    /// Only return projects in this state.
    pub state: Option<ProjectState>,
}

/// The fields that a list of projects can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum ProjectOrderField {
    /// Sort by name.
    Name,
    /// Sort by creation time.
    CreatedAt,
}

/// Ordering options for a list of projects.
#[derive(Debug, InputObject)]
pub struct ProjectOrder {
    /// The field to sort by.
    pub field: ProjectOrderField,
    /// The direction to sort in.
    #[graphql(default_with = "Some(OrderDirection::Asc)")]
    pub direction: Option<OrderDirection>,
}

/// Which projects a client requests, and in which order.
///
/// # Errors
/// `BAD_USER_INPUT` for each invalid field.
pub fn selection(filter: Option<ProjectFilter>, order: Option<ProjectOrder>) -> Result<Selection, ApiErrors> {
    let filter = filter.unwrap_or_default();
    let search = Search::parse(filter.search.as_deref(), "filter.search");
    let (search, group) = both(search, ids::maybe(filter.group_id.as_ref(), "filter.groupId"))?;
    Ok(Selection {
        only: None,
        names: filter.names,
        search,
        group,
        state: filter.state,
        sort: match order.as_ref().map(|order| order.field) {
            Some(ProjectOrderField::CreatedAt) => SortBy::CreatedAt,
            Some(ProjectOrderField::Name) | None => SortBy::Name,
        },
        direction: order.and_then(|order| order.direction).unwrap_or_default(),
    })
}
