//! How lists of templates are filtered and sorted.

use async_graphql::{Enum, InputObject};

use super::model::{JobTemplateKind, Selection};
use crate::error::{ApiErrors, both};
use crate::graphql::ids::{self, GivenId};
use crate::graphql::keyset::OrderDirection;
use crate::graphql::search::Search;
use crate::ids::{ConfigKind, ProjectKind};

/// Filters for a list of job templates. Omitted fields do not filter; a template must match all fields that are given:
/// `{projectId: "project_01h455vb4pex5vsknk084sn02q", kind: JOB, onlyLatest: true}`.
#[derive(Debug, Default, InputObject)]
pub struct JobTemplateFilter {
    /// Only return templates of this project.
    pub project_id: Option<GivenId<ProjectKind>>,
    /// Only return versions of this config file.
    pub config_file_id: Option<GivenId<ConfigKind>>,
    /// Only return templates of this kind.
    pub kind: Option<JobTemplateKind>,
    /// Only return templates whose config file has a name that matches: each word of this text must be the beginning of
    /// a word of the name, so "train" matches `resnet-train.yaml`. A blank text does not filter.
    pub search: Option<String>,
    /// Only return the latest version of each config file, if that is a template. By default, earlier versions are
    /// returned too.
    #[graphql(default_with = "Some(false)")]
    pub only_latest: Option<bool>,
}

/// The fields that a list of job templates can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum JobTemplateOrderField {
    /// Sort by the time at which the version was created.
    CreatedAt,
}

/// Ordering options for a list of job templates.
#[derive(Debug, InputObject)]
pub struct JobTemplateOrder {
    /// The field to sort by.
    pub field: JobTemplateOrderField,
    /// The direction to sort in.
    #[graphql(default_with = "Some(OrderDirection::Desc)")]
    pub direction: Option<OrderDirection>,
}

/// Which templates a client requests, and in which order.
///
/// # Errors
/// `BAD_USER_INPUT` for each invalid field.
pub(super) fn selection(
    filter: Option<JobTemplateFilter>,
    order: Option<JobTemplateOrder>,
) -> Result<Selection, ApiErrors> {
    let filter = filter.unwrap_or_default();
    let search = Search::parse(filter.search.as_deref(), "filter.search");
    let ids = both(
        ids::maybe(filter.project_id.as_ref(), "filter.projectId"),
        ids::maybe(filter.config_file_id.as_ref(), "filter.configFileId"),
    );
    let ((project, config_file), search) = both(ids, search)?;
    let direction = order.and_then(|JobTemplateOrder { field: JobTemplateOrderField::CreatedAt, direction }| direction);
    Ok(Selection {
        project,
        config_file,
        kind: filter.kind,
        search,
        only_latest: filter.only_latest.unwrap_or(false),
        direction: direction.unwrap_or(OrderDirection::Desc),
    })
}
