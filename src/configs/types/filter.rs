//! How lists of config files are filtered and sorted.

use async_graphql::{Enum, InputObject};

use crate::configs::model::{Commits, Selection, SortBy};
use crate::error::{ApiErrors, both};
use crate::graphql::ids::{self, GivenId};
use crate::graphql::keyset::OrderDirection;
use crate::graphql::search::Search;
use crate::graphql::time::{TimeRange, TimeRangeInput};
use crate::ids::{ProjectKind, UserKind};

/// Filters for a list of config files. Omitted fields do not filter; a config file must match all fields that are
/// given: `{projectId: "project_01h455vb4pex5vsknk084sn02q", names: ["train.yaml", "eval.yaml"]}`.
#[derive(Debug, Default, InputObject)]
pub struct ConfigFileFilter {
    /// Only return config files of this project.
    pub project_id: Option<GivenId<ProjectKind>>,
    /// Only return config files with one of these names.
    pub names: Option<Vec<String>>,
    /// Only return config files whose name matches: each word of this text must be the beginning of a word of the name,
    /// so "train" matches `resnet-train.yaml`. A blank text does not filter.
    pub search: Option<String>,
}

/// The fields that a list of config files can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum ConfigFileOrderField {
    /// Sort by name.
    Name,
    /// Sort by creation time.
    CreatedAt,
}

/// Ordering options for a list of config files.
#[derive(Debug, InputObject)]
pub struct ConfigFileOrder {
    /// The field to sort by.
    pub field: ConfigFileOrderField,
    /// The direction to sort in.
    #[graphql(default_with = "Some(OrderDirection::Asc)")]
    pub direction: Option<OrderDirection>,
}

/// Which config files a client requests, and in which order: `default`, ascending, if they do not say.
///
/// # Errors
/// `BAD_USER_INPUT` for each invalid field.
pub fn selection(
    filter: Option<ConfigFileFilter>,
    order: Option<ConfigFileOrder>,
    default: SortBy,
) -> Result<Selection, ApiErrors> {
    let filter = filter.unwrap_or_default();
    let search = Search::parse(filter.search.as_deref(), "filter.search");
    let (project, search) = both(ids::maybe(filter.project_id.as_ref(), "filter.projectId"), search)?;
    Ok(Selection {
        project,
        names: filter.names,
        search,
        sort: match order.as_ref().map(|order| order.field) {
            Some(ConfigFileOrderField::Name) => SortBy::Name,
            Some(ConfigFileOrderField::CreatedAt) => SortBy::CreatedAt,
            None => default,
        },
        direction: order.and_then(|order| order.direction).unwrap_or_default(),
    })
}

/// Filters for the versions of a config file. Omitted fields do not filter; a version must match all fields that are given.
#[derive(Debug, Default, InputObject)]
pub struct ConfigCommitFilter {
    /// Only versions that this user created.
    pub author_id: Option<GivenId<UserKind>>,
    /// Only versions that were created within this time.
    pub created_at: Option<TimeRangeInput>,
}

/// The fields that the versions of a config file can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum ConfigCommitOrderField {
    /// Sort by creation time.
    CreatedAt,
}

/// Ordering options for the versions of a config file.
#[derive(Debug, InputObject)]
pub struct ConfigCommitOrder {
    /// The field to sort by.
    pub field: ConfigCommitOrderField,
    /// The direction to sort in.
    #[graphql(default_with = "Some(OrderDirection::Desc)")]
    pub direction: Option<OrderDirection>,
}

/// Which versions of a config file a client requests, and in which order.
///
/// # Errors
/// `BAD_USER_INPUT` for each invalid field.
pub fn commits(filter: Option<ConfigCommitFilter>, order: Option<ConfigCommitOrder>) -> Result<Commits, ApiErrors> {
    let filter = filter.unwrap_or_default();
    let created = TimeRange::parse(filter.created_at, "filter.createdAt");
    let (author, created) = both(ids::maybe(filter.author_id.as_ref(), "filter.authorId"), created)?;
    let direction =
        order.and_then(|ConfigCommitOrder { field: ConfigCommitOrderField::CreatedAt, direction }| direction);
    Ok(Commits { author, created, direction: direction.unwrap_or(OrderDirection::Desc) })
}
