//! Config files and their versions as GraphQL types.

pub mod filter;

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use futures::FutureExt as _;

use self::filter::{ConfigCommitFilter, ConfigCommitOrder, ConfigFileFilter, ConfigFileOrder, selection};
use super::documents::ConfigKind;
use super::loader::{
    BlobOutlines, BlobsByHash, CommitsById, CommitsOfConfigFile, ConfigFilesById, ConfigFilesOfProject,
    HeadOfConfigFile,
};
use super::model::{self, SortBy};
use crate::auth::acting::PolicyExt;
use crate::auth::policy::{Action, Scope};
use crate::error::ApiError;
use crate::graphql::connection::{Connection, PageArgs, argument};
use crate::graphql::edges;
use crate::graphql::limits::AnswerExt;
use crate::graphql::limits::directives::{connection_size, cost};
use crate::graphql::loaders::ReadExt;
use crate::graphql::written::{Part, Written, each};
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::ids::{CommitId, ConfigId, ProjectId};
use crate::projects::loader::GroupOfProject;
use crate::projects::types::Project;
use crate::users::types::User;

/// A versioned file of Kubernetes YAML that belongs to a project.
#[derive(Debug, Clone)]
pub struct ConfigFile(pub Arc<model::ConfigFile>);

impl From<model::ConfigFile> for ConfigFile {
    fn from(file: model::ConfigFile) -> Self {
        Self(Arc::new(file))
    }
}

impl From<Arc<model::ConfigFile>> for ConfigFile {
    fn from(file: Arc<model::ConfigFile>) -> Self {
        Self(file)
    }
}

impl ConfigFile {
    /// Whether the viewer may do this to the config file; nobody can do anything to a deleted one.
    async fn can(&self, ctx: &Context<'_>, action: Action) -> Result<bool, ApiError> {
        let project = self.0.project_id;
        let group = ctx.read_known::<GroupOfProject>(project).await?;
        let scope = Scope::within(group, self.0.id).in_project(project);
        Ok(self.0.deleted_at.is_none() && ctx.check(action, scope).is_ok())
    }
}

/// A versioned file of Kubernetes YAML that belongs to a project.
#[Object]
impl ConfigFile {
    /// The ID of the config file: `config_` followed by 26 characters.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_text())
    }

    /// The name of the config file, unique within the project.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// When the config file was created.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// The project that the config file belongs to.
    async fn project(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<Project>> {
        Project::load(ctx, self.0.project_id).await.map(AtOnce).graphql(ctx)
    }

    /// When the config file was deleted; null if it was not. Only the jobs that were created from a deleted config file
    /// still show its versions.
    async fn deleted_at(&self) -> Option<DateTime<Utc>> {
        self.0.deleted_at
    }

    /// Whether you can create new versions of the config file, and rename it.
    async fn viewer_can_update(&self, ctx: &Context<'_>) -> ApiResult<bool> {
        self.can(ctx, Action::UpdateConfigFile).await.graphql(ctx)
    }

    /// Whether you can delete the config file.
    async fn viewer_can_delete(&self, ctx: &Context<'_>) -> ApiResult<bool> {
        self.can(ctx, Action::DeleteConfigFile).await.graphql(ctx)
    }

    /// The latest version.
    async fn head(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<ConfigCommit>> {
        head(ctx, self.0.id).await.map(AtOnce).graphql(ctx)
    }

    /// The versions of the config file, newest first by default.
    #[allow(clippy::too_many_arguments, reason = "a connection has four arguments before its own")]
    #[graphql(directive = connection_size::apply())]
    async fn commits(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first _n_ items of the list: 0 to 100, 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the versions that come after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last _n_ items of the list: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Returns the versions that come before this cursor.")] before: Option<String>,
        #[graphql(desc = "Which versions to return; all of the config file by default.")] filter: Option<
            ConfigCommitFilter,
        >,
        #[graphql(desc = "The order of the list; newest first by default.")] order_by: Option<ConfigCommitOrder>,
    ) -> ApiResult<Connection<ConfigCommit>> {
        let (args, selected) =
            (PageArgs { first, after, last, before }, filter::commits(filter, order_by).graphql(ctx)?);
        edges::list::<CommitsOfConfigFile, _>(ctx, self.0.id, selected, args).await.graphql(ctx)
    }
}

/// A version of a config file.
#[derive(Debug, Clone)]
pub struct ConfigCommit(pub Arc<model::Commit>);

impl From<model::Commit> for ConfigCommit {
    fn from(commit: model::Commit) -> Self {
        Self(Arc::new(commit))
    }
}

impl From<Arc<model::Commit>> for ConfigCommit {
    fn from(commit: Arc<model::Commit>) -> Self {
        Self(commit)
    }
}

impl ConfigCommit {
    /// The version with this ID, for an edge whose parent the viewer can see.
    ///
    /// # Errors
    /// The read failed, or a foreign key is violated.
    pub async fn load(ctx: &Context<'_>, id: CommitId) -> Result<Self, ApiError> {
        ctx.read_known::<CommitsById>(id).await.map(Self)
    }

    async fn outline(&self, ctx: &Context<'_>) -> Result<Arc<model::BlobOutline>, ApiError> {
        let hash = self.0.blob_sha256.clone();
        ctx.read::<BlobOutlines>(hash).await?.ok_or_else(|| ApiError::dangling(&self.0.id))
    }

    /// The YAML. Its size is checked before it is read.
    async fn text(&self, ctx: &Context<'_>) -> Result<String, ApiError> {
        let bytes = self.outline(ctx).await?.bytes;
        let room = ctx.take_answer_bytes(usize::try_from(bytes).unwrap_or(usize::MAX))?;
        let hash = self.0.blob_sha256.clone();
        let blob = ctx.read::<BlobsByHash>(hash).await?.ok_or_else(|| ApiError::dangling(&self.0.id))?;
        room.keep();
        Ok(blob.yaml.clone())
    }
}

/// A version of a config file.
#[Object]
impl ConfigCommit {
    /// The ID of the version: `commit_` followed by 26 characters.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_text())
    }

    /// The commit message.
    async fn message(&self) -> &str {
        &self.0.message
    }

    /// When the version was created.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// The SHA-256 hash of the YAML, in hexadecimal.
    async fn sha256(&self) -> String {
        self.0.blob_sha256.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The YAML exactly as it was uploaded: up to 1 MiB. A response is limited to 8 MiB by default; an operation that
    /// would exceed the limit fails with QUERY_TOO_COMPLEX before the YAML is read.
    #[graphql(directive = cost::apply("64".to_owned()))]
    async fn yaml(&self, ctx: &Context<'_>) -> ApiResult<String> {
        self.text(ctx).await.graphql(ctx)
    }

    /// The kinds of the Kubernetes objects in the YAML, in the order in which they appear.
    async fn kinds(&self, ctx: &Context<'_>) -> ApiResult<Vec<ConfigKind>> {
        self.outline(ctx).await.map(|blob| blob.kinds.clone()).graphql(ctx)
    }

    /// The user who created the version.
    async fn author(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<User>> {
        User::load(ctx, self.0.author_id).await.map(AtOnce).graphql(ctx)
    }

    /// The previous version; null for the first one.
    async fn parent(&self, ctx: &Context<'_>) -> ApiResult<Option<ConfigCommit>> {
        match self.0.parent_id {
            Some(parent) => Self::load(ctx, parent).await.map(Some).graphql(ctx),
            None => Ok(None),
        }
    }

    /// The config file that the version belongs to.
    async fn config_file(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<ConfigFile>> {
        let id = self.0.config_file_id;
        ctx.read_known::<ConfigFilesById>(id).await.map(ConfigFile).map(AtOnce).graphql(ctx)
    }
}

impl Written for ConfigFile {
    fn part(field: &str) -> Option<Part<Self>> {
        Some(match field {
            "id" => Part::column(|file, json| json.put(&file.0.id)),
            "name" => Part::column(|file, json| json.put(&file.0.name)),
            "createdAt" => Part::column(|file, json| json.put(&file.0.created_at)),
            "deletedAt" => Part::column(|file, json| json.put(&file.0.deleted_at)),
            "viewerCanUpdate" => {
                Part::scalar(|ctx, files| each(files, |file| file.can(ctx, Action::UpdateConfigFile)).boxed())
            }
            "viewerCanDelete" => {
                Part::scalar(|ctx, files| each(files, |file| file.can(ctx, Action::DeleteConfigFile)).boxed())
            }
            "project" => Part::one(|ctx, files| projects(ctx, files).boxed()),
            "head" => Part::one(|ctx, files| each(files, move |file| head(ctx, file.0.id)).boxed()),
            "commits" => Part::one(|ctx, files| commits(ctx, files).boxed()),
            _ => return None,
        })
    }
}

/// The YAML and its outline are resolved by the executor.
impl Written for ConfigCommit {
    fn part(field: &str) -> Option<Part<Self>> {
        Some(match field {
            "id" => Part::column(|commit, json| json.put(&commit.0.id)),
            "message" => Part::column(|commit, json| json.put(&commit.0.message)),
            "createdAt" => Part::column(|commit, json| json.put(&commit.0.created_at)),
            "author" => Part::one(|ctx, commits| authors(ctx, commits).boxed()),
            _ => return None,
        })
    }
}

async fn projects(ctx: &Context<'_>, files: &[&ConfigFile]) -> Option<Vec<Project>> {
    let ids: Vec<_> = files.iter().map(|file| file.0.project_id).collect();
    Project::load_all(ctx, &ids).await.ok()
}

async fn commits(ctx: &Context<'_>, files: &[&ConfigFile]) -> Option<Vec<Connection<ConfigCommit>>> {
    let given = ctx.field().arguments().ok()?;
    let selected = filter::commits(argument(&given, "filter")?, argument(&given, "orderBy")?).ok()?;
    let args = PageArgs::among(&given)?;
    each(files, |file| edges::list::<CommitsOfConfigFile, _>(ctx, file.0.id, selected.clone(), args.clone())).await
}

async fn authors(ctx: &Context<'_>, commits: &[&ConfigCommit]) -> Option<Vec<User>> {
    let ids: Vec<_> = commits.iter().map(|commit| commit.0.author_id).collect();
    User::load_all(ctx, &ids).await.ok()
}

async fn head(ctx: &Context<'_>, file: ConfigId) -> Result<ConfigCommit, ApiError> {
    ctx.read_known::<HeadOfConfigFile>(file).await.map(ConfigCommit)
}

/// The config files of a project.
#[derive(Debug)]
pub struct ConfigFilesUnderProject(ProjectId);

impl From<ProjectId> for ConfigFilesUnderProject {
    fn from(project: ProjectId) -> Self {
        Self(project)
    }
}

/// The config files that a project has.
#[Object]
impl ConfigFilesUnderProject {
    /// The config files of the project, ordered by name by default.
    #[allow(clippy::too_many_arguments, reason = "a connection has four arguments before its own")]
    #[graphql(directive = connection_size::apply())]
    async fn config_files(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first _n_ items of the list: 0 to 100, 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the config files that come after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last _n_ items of the list: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Returns the config files that come before this cursor.")] before: Option<String>,
        #[graphql(desc = "Which config files to return; all of the project by default.")] filter: Option<
            ConfigFileFilter,
        >,
        #[graphql(desc = "The order of the list; by name by default.")] order_by: Option<ConfigFileOrder>,
    ) -> ApiResult<Connection<ConfigFile>> {
        let args = PageArgs { first, after, last, before };
        let selection = selection(filter, order_by, SortBy::Name).graphql(ctx)?;
        edges::list::<ConfigFilesOfProject, _>(ctx, self.0, selection, args).await.graphql(ctx)
    }
}
