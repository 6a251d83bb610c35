//! How lists of config files are filtered and sorted.

use async_graphql::{Enum, InputObject};

use crate::configs::model::{Selection, SortBy};
use crate::error::{ApiErrors, both};
use crate::graphql::ids::{self, GivenId};
use crate::graphql::keyset::OrderDirection;
use crate::graphql::search::Search;
use crate::ids::ProjectKind;

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
