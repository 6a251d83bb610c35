//! The result of previewing a submit, as shown by the API.

use async_graphql::{ComplexObject, Context, SimpleObject};

use super::admission::AdmissionVerdict;
use super::input::SubmitJobInput;
use super::model::manifest::Manifest;
use super::quota::QuotaResource;
use super::review::Review;
use super::room::Room;
use super::service::Submitter;
use crate::auth::acting::CallerExt;
use crate::error::{ApiError, ApiErrors};
use crate::executor::ExecutorMode;
use crate::graphql::context::RequestExt;
use crate::graphql::later::Later;
use crate::graphql::limits::directives::{assumed_list, cost};
use crate::graphql::limits::{AnswerExt, InTime};
use crate::graphql::scalars::{Json, Quantity};
use crate::graphql::{ApiResult, IntoGraphql};

/// What submitting needs of the server.
///
/// # Errors
/// The request does not carry it, which is a bug.
pub(super) fn submitter<'c>(ctx: &Context<'c>) -> Result<&'c Submitter, ApiError> {
    ctx.data_opt::<Submitter>().ok_or_else(|| ApiError::internal("the request carries no submitter"))
}

/// The preview of a submit.
///
/// # Errors
/// `UNAUTHENTICATED`, `NOT_FOUND`, `BAD_USER_INPUT` for an invalid project ID, or the database's.
pub(super) async fn preview(ctx: &Context<'_>, input: SubmitJobInput) -> Result<JobPreview, ApiErrors> {
    let submitter = submitter(ctx)?;
    let mut review = submitter.review(&ctx.caller(), input).await?;
    submitter.ask_cluster(&mut review).await?;
    Ok(review.into())
}

/// Like [`preview`], for a field of a query: those of one operation are made one after another, as those of a mutation
/// are. An operation then holds one input, one connection and one request to the cluster at a time.
///
/// # Errors
/// Those of [`preview`], or `TIMEOUT`.
pub(super) async fn preview_in_turn(ctx: &Context<'_>, input: Later<SubmitJobInput>) -> Result<JobPreview, ApiErrors> {
    let previewed = async {
        let _turn = ctx.turn().await;
        preview(ctx, input.read(ctx, "input")?).await
    };
    Box::pin(previewed).in_time(ctx).await
}

/// A preview of a submission: the verdict on each admission rule, the Kubernetes objects and the quota of the project.
#[derive(Debug, SimpleObject)]
#[graphql(complex)]
pub struct JobPreview {
    /// Whether the job would be accepted, that is, no rule has failed.
    pub admitted: bool,
    /// The verdict on every admission rule, always in the same order.
    #[graphql(directive = assumed_list::apply(17))]
    pub verdicts: Vec<AdmissionVerdict>,
    /// Reasons why the job would keep waiting even though the cluster accepts it, such as a Secret that its pods need
    /// and that does not exist in the project's namespace, or a task that is larger than any node of the cluster. Always
    /// empty in the result of `submitJob`, which does not ask the cluster.
    pub warnings: Vec<String>,
    /// For each limit of the project: what is allowed, what its unfinished jobs use and what this job requests.
    #[graphql(directive = assumed_list::apply(4))]
    pub quota: Vec<QuotaLine>,
    /// How the job is run, and its object for the cluster, equal tasks once.
    #[graphql(skip)]
    pub planned: Option<(ExecutorMode, Manifest)>,
}

#[ComplexObject]
impl JobPreview {
    /// The Kubernetes objects exactly as they would be sent to the cluster, including all tasks. In a preview they
    /// carry a newly generated ID that the submitted job will not have. Empty if a rule other than QUOTA or CLUSTER has
    /// failed. A response is limited to 8 MiB by default; an operation that would exceed the limit fails with
    /// QUERY_TOO_COMPLEX.
    #[graphql(directive = cost::apply("100".to_owned()))]
    async fn manifests(&self, ctx: &Context<'_>) -> ApiResult<Vec<Json>> {
        let Some((executor, manifest)) = &self.planned else { return Ok(Vec::new()) };
        ctx.take_answer_bytes(manifest.bytes()).graphql(ctx)?.keep();
        let objects = manifest.objects(*executor).map_err(ApiError::internal).graphql(ctx)?;
        Ok(objects.into_iter().map(Json::of_text).collect())
    }
}

/// A limit of a project and how much of it is used.
#[derive(Debug, PartialEq, Eq, SimpleObject)]
pub struct QuotaLine {
    /// The resource.
    pub resource: QuotaResource,
    /// The limit; null if there is none.
    pub limit: Option<Quantity>,
    /// What the project's unfinished jobs request.
    pub used: Quantity,
    /// What this job requests; `0` if that is not known yet.
    pub requested: Quantity,
    /// What remains of the limit after this job: negative if the job does not fit. Null if there is no limit.
    pub left: Option<Quantity>,
}

impl From<&Room> for QuotaLine {
    fn from(room: &Room) -> Self {
        let quantity = |amount| room.resource.quantity(amount);
        Self {
            resource: room.resource,
            limit: room.limit.map(quantity),
            used: quantity(room.used),
            requested: quantity(room.requested),
            left: room.left().map(quantity),
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
            planned: review.planned.map(|planned| (planned.executor, planned.manifest)),
        }
    }
}
