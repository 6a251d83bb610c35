//! Templates as GraphQL types.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};
use tokio::sync::OnceCell;

use super::loader::LastUses;
pub use super::model::JobTemplateKind;
use super::model::Template;
use super::outline::Outline;
use crate::auth::acting::CallerExt;
use crate::cluster::parameters::{Parameter, ParameterType};
use crate::config::GpuResources;
use crate::configs::loader::{BlobOutlines, BlobsByHash, CommitsById, ConfigFilesById};
use crate::configs::types::{ConfigCommit, ConfigFile};
use crate::error::ApiError;
use crate::graphql::limits::AnswerExt;
use crate::graphql::limits::directives::{assumed_list, cost};
use crate::graphql::loaders::ReadExt;
use crate::graphql::written::Written;
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::projects::types::Project;

/// A version of a config file that contains something to run.
#[derive(Debug, Clone)]
pub struct JobTemplate {
    row: Arc<Template>,
    /// What its YAML says, once it was read.
    outline: Arc<OnceCell<Outline>>,
}

impl From<Arc<Template>> for JobTemplate {
    fn from(row: Arc<Template>) -> Self {
        Self { row, outline: Arc::default() }
    }
}

impl From<Template> for JobTemplate {
    fn from(row: Template) -> Self {
        Arc::new(row).into()
    }
}

/// Most fields are read from the YAML by the executor.
impl Written for JobTemplate {}

/// A version of a config file that contains something to run: a Pod, a Job, a FlashJob or a Workflow. Submit it with
/// `submitJob` as `source.templateId`, with values for its parameters.
#[Object]
impl JobTemplate {
    /// The ID of the template: `template_` followed by 26 characters.
    pub async fn id(&self) -> ID {
        ID(self.row.id.to_text())
    }

    /// The name of the template: that of its config file.
    async fn name(&self, ctx: &Context<'_>) -> ApiResult<String> {
        let file = ctx.read_known::<ConfigFilesById>(self.row.config_file_id).await;
        file.map(|file| file.name.clone()).graphql(ctx)
    }

    /// What the template is run as.
    async fn kind(&self) -> JobTemplateKind {
        self.row.kind
    }

    /// Whether the template is the latest version of its config file.
    async fn is_latest(&self) -> bool {
        self.row.is_latest
    }

    /// When the version was created.
    async fn created_at(&self) -> DateTime<Utc> {
        self.row.created_at
    }

    /// The project that the template belongs to. Its jobs can only be submitted to this project.
    async fn project(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<Project>> {
        Project::load(ctx, self.row.project_id).await.map(AtOnce).graphql(ctx)
    }

    /// The config file that the template is a version of.
    async fn config_file(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<ConfigFile>> {
        let file = ctx.read_known::<ConfigFilesById>(self.row.config_file_id).await;
        file.map(ConfigFile).map(AtOnce).graphql(ctx)
    }

    /// The version, with its YAML, message and author.
    async fn commit(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<ConfigCommit>> {
        ConfigCommit::load(ctx, self.row.commit()).await.map(AtOnce).graphql(ctx)
    }

    /// The parameters, in the order in which they are declared: in comments of the form
    /// `# platform: param NAME TYPE DEFAULT DESCRIPTION`, or as `spec.arguments.parameters` of a Workflow.
    #[graphql(directive = cost::apply("5".to_owned()), directive = assumed_list::apply(5))]
    async fn parameters(&self, ctx: &Context<'_>) -> ApiResult<Vec<TemplateParameter>> {
        let outline = self.outline(ctx).await.graphql(ctx)?;
        Ok(outline.parameters.iter().map(TemplateParameter::from).collect())
    }

    /// The fields of `overrides` that can be given when the template is submitted. Empty for a workflow, and for a
    /// template that contains more than one job, which cannot be submitted.
    #[graphql(directive = cost::apply("5".to_owned()))]
    async fn overridable_fields(&self, ctx: &Context<'_>) -> ApiResult<Vec<JobOverrideField>> {
        let outline = self.outline(ctx).await.graphql(ctx)?;
        let Some(job) = &outline.job else { return Ok(Vec::new()) };
        let all = JobOverrideField::ALL.iter().copied();
        Ok(all.filter(|field| job.is_uniform || *field != JobOverrideField::Replicas).collect())
    }

    /// The images of the containers, each once, with the defaults of parameters. A parameter without a default is shown
    /// as it is written: `${{ params.image }}`.
    #[graphql(directive = cost::apply("5".to_owned()))]
    async fn images(&self, ctx: &Context<'_>) -> ApiResult<Vec<String>> {
        let outline = self.outline(ctx).await.graphql(ctx)?;
        Ok(outline.images.iter().cloned().collect())
    }

    /// The number of GPUs that all tasks together request, with the defaults of parameters, and 1 where a parameter has
    /// no default. Null for a workflow, and if the template contains more than one job.
    #[graphql(directive = cost::apply("5".to_owned()))]
    async fn gpus(&self, ctx: &Context<'_>) -> ApiResult<Option<i32>> {
        let outline = self.outline(ctx).await.graphql(ctx)?;
        Ok(outline.job.as_ref().map(|job| i32::try_from(job.gpus).unwrap_or(i32::MAX)))
    }

    /// The number of tasks, with the defaults of parameters, and 1 where a parameter has no default. Null for a
    /// workflow, and if the template contains more than one job.
    #[graphql(directive = cost::apply("5".to_owned()))]
    async fn replicas(&self, ctx: &Context<'_>) -> ApiResult<Option<i32>> {
        Ok(self.outline(ctx).await.graphql(ctx)?.job.as_ref().map(|job| job.tasks))
    }

    /// When you last submitted a job from this template; null if you never did.
    async fn last_used_at(&self, ctx: &Context<'_>) -> ApiResult<Option<DateTime<Utc>>> {
        let user = ctx.caller().principal().map(|principal| principal.user).graphql(ctx)?;
        ctx.read::<LastUses>((self.row.commit(), user)).await.graphql(ctx)
    }
}

impl JobTemplate {
    /// What its YAML says. The size of the YAML is checked before it is read.
    async fn outline(&self, ctx: &Context<'_>) -> Result<&Outline, ApiError> {
        self.outline.get_or_try_init(|| self.read_outline(ctx)).await
    }

    async fn read_outline(&self, ctx: &Context<'_>) -> Result<Outline, ApiError> {
        let hash = ctx.read_known::<CommitsById>(self.row.commit()).await?.blob_sha256.clone();
        let dangling = || ApiError::dangling(&self.row.id);
        let bytes = ctx.read::<BlobOutlines>(hash.clone()).await?.ok_or_else(dangling)?.bytes;
        // The text takes as much memory as if it were shown, and only while it is read.
        let _room = ctx.take_answer_bytes(usize::try_from(bytes).unwrap_or(usize::MAX))?;
        let blob = ctx.read::<BlobsByHash>(hash).await?.ok_or_else(dangling)?;
        let gpus = ctx.data_opt::<Arc<GpuResources>>().cloned();
        let gpus = gpus.ok_or_else(|| ApiError::internal("the request carries no list of GPUs"))?;
        // A megabyte of YAML takes a while to parse.
        tokio::task::spawn_blocking(move || Outline::of(&blob.yaml, &gpus)).await.map_err(ApiError::internal)
    }
}

/// The type of a parameter of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum TemplateParameterType {
    /// Any text.
    String,
    /// A whole number.
    Int,
    /// A decimal number.
    Number,
    /// `true` or `false`.
    Bool,
    /// A Kubernetes quantity, such as `500m` or `4Gi`.
    Quantity,
    /// One of `allowedValues`.
    Enum,
}

/// A parameter of a template.
#[derive(Debug, Clone, SimpleObject)]
pub struct TemplateParameter {
    /// The name of the parameter.
    pub name: String,
    /// The type of its values.
    #[graphql(name = "type")]
    pub of_type: TemplateParameterType,
    /// The value that is used if none is given, as text; null if a value is required.
    pub default: Option<String>,
    /// What the parameter means; may be empty.
    pub description: String,
    /// Whether a value must be given, because there is no default.
    pub required: bool,
    /// The values that are allowed, if the type is ENUM; null otherwise.
    pub allowed_values: Option<Vec<String>>,
}

impl From<&Parameter> for TemplateParameter {
    fn from(parameter: &Parameter) -> Self {
        let (of_type, allowed_values) = match &parameter.of_type {
            ParameterType::String => (TemplateParameterType::String, None),
            ParameterType::Int => (TemplateParameterType::Int, None),
            ParameterType::Number => (TemplateParameterType::Number, None),
            ParameterType::Bool => (TemplateParameterType::Bool, None),
            ParameterType::Quantity => (TemplateParameterType::Quantity, None),
            ParameterType::Enum(options) => (TemplateParameterType::Enum, Some(options.clone())),
        };
        Self {
            name: parameter.name.clone(),
            of_type,
            default: parameter.default.clone(),
            description: parameter.description.clone(),
            required: parameter.default.is_none(),
            allowed_values,
        }
    }
}

/// A field of `overrides`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum JobOverrideField {
    /// `overrides.image`.
    Image,
    /// `overrides.command`.
    Command,
    /// `overrides.args`.
    Args,
    /// `overrides.workingDir`.
    WorkingDir,
    /// `overrides.env`.
    Env,
    /// `overrides.resources`.
    Resources,
    /// `overrides.mounts`.
    Mounts,
    /// `overrides.replicas`: only if all tasks are equal.
    Replicas,
    /// `overrides.minAvailable`.
    MinAvailable,
    /// `overrides.activeDeadlineSeconds`.
    ActiveDeadlineSeconds,
    /// `overrides.ttlSecondsAfterFinished`.
    TtlSecondsAfterFinished,
    /// `overrides.retries`.
    Retries,
}

impl JobOverrideField {
    const ALL: [Self; 12] = [
        Self::Image,
        Self::Command,
        Self::Args,
        Self::WorkingDir,
        Self::Env,
        Self::Resources,
        Self::Mounts,
        Self::Replicas,
        Self::MinAvailable,
        Self::ActiveDeadlineSeconds,
        Self::TtlSecondsAfterFinished,
        Self::Retries,
    ];
}
