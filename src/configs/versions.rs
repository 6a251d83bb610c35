//! Creates new versions of config files.

use std::sync::Arc;

use async_graphql::{Context, InputObject, Object, SimpleObject};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde_json::json;

use super::documents;
use super::loader::ConfigFilesById;
use super::model::{self, Blob, Commit};
use super::mutation::{MAX_MESSAGE, taken};
use super::types::{ConfigCommit, ConfigFile};
use crate::auth::acting::CallerExt;
use crate::auth::policy::{Action, Scope};
use crate::change::{ChangeExt, Changed, Done, Writes};
use crate::config::GpuResources;
use crate::db::or_taken;
use crate::error::{ApiError, ApiErrors, Problems};
use crate::graphql::ids::GivenId;
use crate::graphql::limits::directives::cost;
use crate::graphql::loaders::ReadExt;
use crate::graphql::{ApiResult, IntoGraphql, names};
use crate::ids::{CommitId, CommitKind, ConfigId, ConfigKind, GroupId, ProjectId, UserId};
use crate::projects::loader::ProjectsById;
use crate::projects::model as projects;

/// Input for `updateConfigFile`. Omitted fields keep their value.
#[derive(Debug, InputObject)]
pub struct UpdateConfigFileInput {
    /// The ID of the config file. You must be a manager or an admin of its project's group.
    pub id: GivenId<ConfigKind>,
    /// The ID of the version that you changed. It must be the latest version, so that no change of somebody else is
    /// overwritten.
    pub parent_id: GivenId<CommitKind>,
    /// The new YAML, as in `createConfigFile`. To restore an earlier version, pass its YAML.
    pub yaml: Option<String>,
    /// The commit message of the new version: at most 500 characters.
    #[graphql(default_with = "Some(String::new())")]
    pub message: Option<String>,
    /// The new name of the config file, unique within the project: 1 to 63 lowercase letters, digits, hyphens, dots and
    /// underscores. All versions are listed under the new name.
    pub name: Option<String>,
}

/// Result of `updateConfigFile`.
#[derive(Debug, SimpleObject)]
pub struct UpdateConfigFilePayload {
    /// The changed config file.
    pub config_file: ConfigFile,
    /// The latest version: the new one, or the one before if the YAML has not changed.
    pub commit: ConfigCommit,
}

/// The mutation that creates versions.
#[derive(Debug, Default)]
pub struct VersionMutation;

#[Object]
impl VersionMutation {
    /// Creates a new version of a config file, renames it, or both. The YAML is parsed and validated as in
    /// `createConfigFile`; earlier versions stay as they are and can still be submitted.
    ///
    /// If the YAML is the same as in the latest version, no version is created. Repeating an update that you have
    /// already made has no effect either and is not an error, so it is safe to retry a request that got no response.
    ///
    /// Fails with NOT_FOUND if the config file does not exist or you cannot see it, FORBIDDEN if you are not a manager
    /// or an admin of its project's group, BAD_USER_INPUT for each invalid field, and CONFLICT if `parentId` is no longer
    /// the latest version (the message contains the ID of the latest one), if the project is archived, or if it already
    /// has another config file with the new name.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn update_config_file(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The config file and its new content.")] input: UpdateConfigFileInput,
    ) -> ApiResult<Option<UpdateConfigFilePayload>> {
        update(ctx, input).await.map(Some).graphql(ctx)
    }
}

/// The config file that a mutation names in `input.id`, its project and its group.
///
/// # Errors
/// `UNAUTHENTICATED`, `BAD_USER_INPUT` for what is no ID, or `NOT_FOUND`.
pub(super) async fn place_of(
    ctx: &Context<'_>,
    given: &GivenId<ConfigKind>,
) -> Result<(ConfigId, ProjectId, GroupId), ApiError> {
    // An unauthenticated caller is not told whether the config file exists.
    ctx.caller().principal()?;
    let id = given.at("input.id")?;
    let not_found = || ApiError::not_found("config file", id).at("input.id");
    let file = ctx.read::<ConfigFilesById>(id).await?.filter(|file| file.deleted_at.is_none()).ok_or_else(not_found)?;
    let project = ctx.read::<ProjectsById>(file.project_id).await?.ok_or_else(not_found)?;
    Ok((id, project.id, project.group_id))
}

/// The parts of the input that depend on nothing else.
struct Parsed {
    parent: CommitId,
    name: Option<String>,
    message: String,
    blob: Option<Blob>,
}

fn parse(input: UpdateConfigFileInput, gpus: &GpuResources) -> Result<Parsed, ApiErrors> {
    let mut problems = Problems::default();
    let parent = problems.take(input.parent_id.at("input.parentId"));
    let name = input.name.map(|name| names::name(name, "-._", "input.name")).transpose();
    let name = problems.take(name).flatten();
    let message = problems.take(names::prose(input.message.unwrap_or_default(), MAX_MESSAGE, "input.message"));
    let blob = input.yaml.map(|yaml| documents::blob(yaml, "input.yaml", gpus)).transpose();
    let blob = problems.take_all(blob).flatten();
    problems.finish()?;
    let parent = parent.ok_or_else(|| ApiError::internal("an input without problems has a parent"))?;
    Ok(Parsed { parent, name, message: message.unwrap_or_default(), blob })
}

async fn update(ctx: &Context<'_>, input: UpdateConfigFileInput) -> Result<UpdateConfigFilePayload, ApiErrors> {
    let actor = ctx.caller().principal()?.user;
    let given = input.id.clone();
    let gpus = ctx.data_opt::<Arc<GpuResources>>().cloned();
    let gpus = gpus.ok_or_else(|| ApiError::internal("the request carries no list of GPUs"))?;
    // A megabyte of YAML takes a while to parse.
    let parsed = tokio::task::spawn_blocking(move || parse(input, &gpus)).await.map_err(ApiError::internal)?;
    let (id, project, group) = match given.at("input.id") {
        Ok(_) => place_of(ctx, &given).await?,
        Err(problem) => return Err(problem.and_of(parsed)),
    };
    let scope = Scope::within(group, id).in_project(project);
    let change = ctx.change(Action::UpdateConfigFile, scope).map_err(|error| error.at("input.id"))?;
    let parsed = parsed?;
    let (file, commit) = change.commit(async |writes| write(writes, (id, project, actor), parsed).await).await?;
    Ok(UpdateConfigFilePayload { config_file: file.into(), commit: commit.into() })
}

async fn write(
    writes: &mut Writes<'_>,
    (id, project, actor): (ConfigId, ProjectId, UserId),
    Parsed { parent, name, message, blob }: Parsed,
) -> Result<Done<(model::ConfigFile, Commit)>, ApiErrors> {
    projects::begin_work(writes, project).await.map_err(|error| error.at("input.id"))?;
    let not_found = || ApiError::not_found("config file", id).at("input.id");
    let before = model::lock(writes, id).await?.ok_or_else(not_found)?;
    let head = model::head(writes, id).await?;
    let name = name.unwrap_or_else(|| before.name.clone());
    let is_of_head = blob.as_ref().is_none_or(|blob| blob.sha256 == head.blob_sha256);
    if head.id != parent {
        let is_repeated = head.parent_id == Some(parent) && head.author_id == actor && head.message == message;
        if is_repeated && is_of_head && blob.is_some() && name == before.name {
            return Ok(Done::nothing().with((before, head)));
        }
        return Err(outdated(writes, id, parent, head.id).await?.into());
    }
    let after = model::ConfigFile { name, ..before.clone() };
    if after.name != before.name {
        let renamed = model::rename(writes, id, &after.name).await;
        renamed.map_err(or_taken("config_files_project_name_key", || taken(&after.name)))?;
    } else if is_of_head {
        return Ok(Done::nothing().with((before, head)));
    }
    let commit = match blob.filter(|_| !is_of_head) {
        Some(blob) => {
            let commit = next(&head, &blob, message, actor);
            model::append(writes, &commit, &blob).await?;
            commit
        }
        None => head.clone(),
    };
    let changed = Changed::default().field("name", &before.name, &after.name).field(
        "head",
        &head.id.to_text(),
        &commit.id.to_text(),
    );
    Ok(Done::to(id, json!({ "name": after.name })).changed(changed).with((after, commit)))
}

/// The next version after `head`.
fn next(head: &Commit, blob: &Blob, message: String, author_id: UserId) -> Commit {
    Commit {
        id: CommitId::generate(),
        config_file_id: head.config_file_id,
        parent_id: Some(head.id),
        blob_sha256: blob.sha256.clone(),
        message,
        author_id,
        created_at: created_after(head.created_at),
    }
}

/// The current time, but later than `before`: versions are listed by time, and the clocks of servers differ.
fn created_after(before: DateTime<Utc>) -> DateTime<Utc> {
    // PostgreSQL stores microseconds; the response must match what is read later.
    Utc::now().trunc_subsecs(6).max(before + TimeDelta::microseconds(1))
}

/// Why a version cannot be the parent of a new one.
async fn outdated(
    writes: &mut Writes<'_>,
    file: ConfigId,
    parent: CommitId,
    head: CommitId,
) -> Result<ApiError, ApiError> {
    let error = match model::has_version(writes, file, parent).await? {
        true => ApiError::conflict(format!(
            "{parent} is no longer the latest version of the config file; the latest one is {head}"
        )),
        false => ApiError::bad_input("input.parentId", format!("{parent} is not a version of the config file")),
    };
    Ok(error.at("input.parentId"))
}
