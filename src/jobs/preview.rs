//! The result of previewing a submit, as shown by the API.

use async_graphql::{ComplexObject, Context, SimpleObject};

use super::admission::AdmissionVerdict;
use super::model::manifest::Manifest;
use super::review::{Review, Room};
use crate::graphql::limits::AnswerExt;
use crate::graphql::limits::directives::{assumed_list, cost};
use crate::graphql::scalars::Json;
use crate::graphql::{ApiResult, IntoGraphql};

/// What a submit comes to: the verdict on each rule, the objects for the cluster and the room left in the project.
#[derive(Debug, SimpleObject)]
#[graphql(complex)]
pub struct JobPreview {
    /// Whether the job would be accepted: no rule has failed.
    pub admitted: bool,
    /// The verdict on every rule, always in the same order.
    #[graphql(directive = assumed_list::apply(16))]
    pub verdicts: Vec<AdmissionVerdict>,
    /// What would keep the job waiting though the cluster takes it, such as a Secret that its pods need and the project's
    /// namespace does not have. Empty in the answer of a `submitJob` that is no dry run, which does not ask the cluster.
    pub warnings: Vec<String>,
    /// What the project may have, what its unfinished jobs use and what this job asks for.
    #[graphql(directive = assumed_list::apply(4))]
    pub quota: Vec<QuotaLine>,
    /// The object for the cluster, equal tasks once.
    #[graphql(skip)]
    pub planned: Option<Manifest>,
}

#[ComplexObject]
impl JobPreview {
    /// The Kubernetes objects exactly as they go to the cluster, with all their tasks; of a preview, under an id that only a
    /// submit gives. Empty when another rule than QUOTA or CLUSTER has failed. All of an answer may be 8 MiB unless the server says
    /// otherwise; what would be more fails with QUERY_TOO_COMPLEX.
    #[graphql(directive = cost::apply("100".to_owned()))]
    async fn manifests(&self, ctx: &Context<'_>) -> ApiResult<Vec<Json>> {
        let Some(manifest) = &self.planned else { return Ok(Vec::new()) };
        ctx.take_answer_bytes(manifest.bytes()).graphql(ctx)?;
        Ok(vec![Json::of_text(manifest.expanded().into_owned())])
    }
}

/// One limit of a project.
#[derive(Debug, PartialEq, Eq, SimpleObject)]
pub struct QuotaLine {
    /// What is limited: `gpu`, `cpuMillis` (thousandths of a CPU), `memoryBytes` or `jobs`.
    pub resource: String,
    /// The limit; null for none.
    pub limit: Option<String>,
    /// What the project's unfinished jobs ask for.
    pub used: String,
    /// What this job asks for; `0` while that cannot be told.
    pub requested: String,
    /// What is left when this job has what it asks for: below zero where it does not fit. Null where there is no limit.
    pub left: Option<String>,
}

impl From<&Room> for QuotaLine {
    fn from(room: &Room) -> Self {
        Self {
            resource: room.resource.to_owned(),
            limit: room.limit.map(|limit| limit.to_string()),
            used: room.used.to_string(),
            requested: room.requested.to_string(),
            left: room.left().map(|left| left.to_string()),
        }
    }
}

impl From<Review> for JobPreview {
    fn from(review: Review) -> Self {
        Self {
            admitted: review.findings.are_none(),
            verdicts: review.findings.verdicts(),
            warnings: review.warnings,
            quota: review.rooms.iter().map(QuotaLine::from).collect(),
            planned: review.planned.map(|planned| planned.manifest),
        }
    }
}
