//! Mutations of config files.

use std::sync::Arc;

use async_graphql::{Context, InputObject, Object, SimpleObject};
use chrono::{SubsecRound, Utc};
use serde_json::json;

use super::documents;
use super::model::{self, Blob};
use super::types::{ConfigCommit, ConfigFile};
use crate::auth::acting::CallerExt;
use crate::auth::policy::{Action, Scope};
use crate::change::{ChangeExt, Done};
use crate::config::GpuResources;
use crate::db::or_taken;
use crate::error::{ApiError, ApiErrors, Problems};
use crate::graphql::ids::GivenId;
use crate::graphql::limits::directives::cost;
use crate::graphql::loaders::ReadExt;
use crate::graphql::{ApiResult, IntoGraphql, names};
use crate::ids::{CommitId, ConfigId, ProjectId, ProjectKind, UserId};
use crate::projects::loader::ProjectsById;
use crate::projects::model as projects;

/// The maximum length of a commit message in characters.
pub(super) const MAX_MESSAGE: usize = 500;

/// Input for `createConfigFile`.
#[derive(Debug, InputObject)]
pub struct CreateConfigFileInput {
    /// The ID of the project that the config file will belong to. You must be a manager or an admin of its group.
    pub project_id: GivenId<ProjectKind>,
    /// The name of the config file, unique within the project: 1 to 63 lowercase letters, digits, hyphens, dots and
    /// underscores.
    pub name: String,
    /// One or more Kubernetes objects as YAML, at most 1 MiB. Supported kinds: Pod, Service, Deployment, ConfigMap,
    /// Ingress, Job, CronJob, FlashJob, Workflow, PersistentVolumeClaim.
    ///
    /// The YAML is parsed the way kubectl parses it: `yes`, `no`, `on` and `off` are booleans, `0644` is an octal
    /// number, and strings that look like one of these must be quoted. Fields that do not exist in the schema of a kind
    /// are rejected.
    ///
    /// The comment `# platform: param NAME TYPE DEFAULT DESCRIPTION` declares a parameter, whose value is put wherever
    /// `${{ params.NAME }}` is in a value. TYPE is `string`, `int`, `number`, `bool`, `quantity` or `enum(a|b|c)`, and the
    /// DEFAULT `-` means that a value must be given when a job is submitted. The YAML is checked with the defaults.
    pub yaml: String,
    /// The commit message of the first version: at most 500 characters.
    #[graphql(default_with = "Some(String::new())")]
    pub message: Option<String>,
}

/// Result of `createConfigFile`.
#[derive(Debug, SimpleObject)]
pub struct CreateConfigFilePayload {
    /// The new config file.
    pub config_file: ConfigFile,
    /// The first version of the config file. It can be submitted as a job.
    pub commit: ConfigCommit,
}

/// The mutations of config files.
#[derive(Debug, Default)]
pub struct ConfigMutation;

#[Object]
impl ConfigMutation {
    /// Creates a config file with its first version. The YAML is parsed and validated; every problem is reported with
    /// its line and column.
    ///
    /// Fails with NOT_FOUND if the project does not exist or you cannot see it, FORBIDDEN if you are not a manager or
    /// an admin of its group, BAD_USER_INPUT for each invalid field, and CONFLICT if the project is archived or already
    /// has a config file with this name.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn create_config_file(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new config file.")] input: CreateConfigFileInput,
    ) -> ApiResult<Option<CreateConfigFilePayload>> {
        create(ctx, input).await.map(Some).graphql(ctx)
    }
}

/// The name is another config file's.
pub(super) fn taken(name: &str) -> ApiError {
    let name = names::shown(name);
    ApiError::conflict(format!("a config file named {name} already exists in this project")).at("input.name")
}

struct Parsed {
    name: String,
    message: String,
    blob: Blob,
}

fn parse(input: CreateConfigFileInput, gpus: &GpuResources) -> Result<Parsed, ApiErrors> {
    let mut problems = Problems::default();
    let name = problems.take(names::name(input.name, "-._", "input.name"));
    let message = problems.take(names::prose(input.message.unwrap_or_default(), MAX_MESSAGE, "input.message"));
    let blob = problems.take_all(documents::blob(input.yaml, "input.yaml", gpus));
    problems.finish()?;
    let blob = blob.ok_or_else(|| ApiError::internal("YAML without problems has objects"))?;
    Ok(Parsed { name: name.unwrap_or_default(), message: message.unwrap_or_default(), blob })
}

async fn create(ctx: &Context<'_>, input: CreateConfigFileInput) -> Result<CreateConfigFilePayload, ApiErrors> {
    let actor = ctx.caller().principal()?.user;
    let project = input.project_id.at("input.projectId");
    let gpus = ctx.data_opt::<Arc<GpuResources>>().cloned();
    let gpus = gpus.ok_or_else(|| ApiError::internal("the request carries no list of GPUs"))?;
    // A megabyte of YAML takes a while to parse.
    let parsed = tokio::task::spawn_blocking(move || parse(input, &gpus)).await.map_err(ApiError::internal)?;
    let project = match project {
        Ok(project) => project,
        Err(problem) => return Err(problem.and_of(parsed)),
    };
    let not_found = || ApiError::not_found("project", project).at("input.projectId");
    let group = ctx.read::<ProjectsById>(project).await?.ok_or_else(not_found)?.group_id;
    let change = ctx
        .change(Action::CreateConfigFile, Scope::within(group, project))
        .map_err(|error| error.at("input.projectId"))?;
    let parsed = parsed?;
    let (file, commit) = rows(project, actor, parsed.name, parsed.message, &parsed.blob);
    change
        .commit(async |writes| {
            projects::begin_work(writes, project).await?;
            let inserted = model::insert(writes, &file, &commit, &parsed.blob).await;
            inserted.map_err(or_taken("config_files_project_name_key", || taken(&file.name)))?;
            Ok(Done::to(file.id, json!({ "name": file.name, "project": project.to_string() })))
        })
        .await?;
    Ok(CreateConfigFilePayload { config_file: file.into(), commit: commit.into() })
}

fn rows(
    project_id: ProjectId,
    author_id: UserId,
    name: String,
    message: String,
    blob: &Blob,
) -> (model::ConfigFile, model::Commit) {
    // PostgreSQL stores microseconds; the response must match what is read later.
    let created_at = Utc::now().trunc_subsecs(6);
    let file = model::ConfigFile { id: ConfigId::generate(), project_id, name, created_at, deleted_at: None };
    let commit = model::Commit {
        id: CommitId::generate(),
        config_file_id: file.id,
        parent_id: None,
        blob_sha256: blob.sha256.clone(),
        message,
        author_id,
        created_at,
    };
    (file, commit)
}
