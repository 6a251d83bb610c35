//! Config files and their versions as the API shows them.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};

use super::documents::ConfigKind;
use super::loader::{
    BlobOutlines, BlobsByHash, CommitsById, CommitsOfConfigFile, ConfigFilesById, ConfigFilesOfProject,
    HeadOfConfigFile,
};
use super::model;
use crate::error::ApiError;
use crate::graphql::connection::{Connection, PageArgs};
use crate::graphql::edges;
use crate::graphql::limits::AnswerExt;
use crate::graphql::limits::directives::{connection_size, cost};
use crate::graphql::loaders::ReadExt;
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::ids::{CommitId, ConfigId, ProjectId};
use crate::projects::types::Project;
use crate::users::types::User;

/// A file of Kubernetes YAML in a project, versioned like git.
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

fn missing(id: impl std::fmt::Display) -> ApiError {
    ApiError::internal(format!("{id} is referred to and not there"))
}

/// A file of Kubernetes YAML in a project, versioned like git.
#[Object]
impl ConfigFile {
    /// The id: `config_` and 26 characters.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_text())
    }

    /// The name, unique in the project.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// When the first version was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// The project that the file belongs to.
    async fn project(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<Project>> {
        Project::load(ctx, self.0.project_id).await.map(AtOnce).graphql(ctx)
    }

    /// The newest version.
    async fn head(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<ConfigCommit>> {
        head(ctx, self.0.id).await.map(AtOnce).graphql(ctx)
    }

    /// All versions, newest first.
    #[graphql(directive = connection_size::apply())]
    async fn commits(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the start: 0 to 100, 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Begin after the version with this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "End before the version with this cursor.")] before: Option<String>,
    ) -> ApiResult<Connection<ConfigCommit>> {
        let args = PageArgs { first, after, last, before };
        edges::list::<CommitsOfConfigFile, _>(ctx, self.0.id, (), args).await.graphql(ctx)
    }
}

/// One version of a config file.
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
    /// The version with this id, for an edge whose start the viewer sees.
    ///
    /// # Errors
    /// The read failed, or a foreign key does not hold.
    pub async fn load(ctx: &Context<'_>, id: CommitId) -> Result<Self, ApiError> {
        ctx.read::<CommitsById>(id).await?.map(Self).ok_or_else(|| missing(id))
    }

    async fn outline(&self, ctx: &Context<'_>) -> Result<Arc<model::BlobOutline>, ApiError> {
        let hash = self.0.blob_sha256.clone();
        ctx.read::<BlobOutlines>(hash).await?.ok_or_else(|| missing(self.0.id))
    }

    /// The YAML. How large it is, is known before it is read.
    async fn text(&self, ctx: &Context<'_>) -> Result<String, ApiError> {
        let bytes = self.outline(ctx).await?.bytes;
        ctx.take_answer_bytes(usize::try_from(bytes).unwrap_or(usize::MAX))?;
        let hash = self.0.blob_sha256.clone();
        let blob = ctx.read::<BlobsByHash>(hash).await?.ok_or_else(|| missing(self.0.id))?;
        Ok(blob.yaml.clone())
    }
}

/// One version of a config file.
#[Object]
impl ConfigCommit {
    /// The id: `commit_` and 26 characters.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_text())
    }

    /// What the author says about this version.
    async fn message(&self) -> &str {
        &self.0.message
    }

    /// When the version was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// SHA-256 of the YAML, in hexadecimal.
    async fn sha256(&self) -> String {
        self.0.blob_sha256.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The YAML exactly as it was sent: up to 1 MiB. All of an answer may be 8 MiB unless the server says otherwise; what would
    /// be more fails with QUERY_TOO_COMPLEX before it is read.
    #[graphql(directive = cost::apply("64".to_owned()))]
    async fn yaml(&self, ctx: &Context<'_>) -> ApiResult<String> {
        self.text(ctx).await.graphql(ctx)
    }

    /// The kinds of the objects in the YAML, in order.
    async fn kinds(&self, ctx: &Context<'_>) -> ApiResult<Vec<ConfigKind>> {
        self.outline(ctx).await.map(|blob| blob.kinds.clone()).graphql(ctx)
    }

    /// Who made the version.
    async fn author(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<User>> {
        User::load(ctx, self.0.author_id).await.map(AtOnce).graphql(ctx)
    }

    /// The version before this one; null for the first.
    async fn parent(&self, ctx: &Context<'_>) -> ApiResult<Option<ConfigCommit>> {
        match self.0.parent_id {
            Some(parent) => Self::load(ctx, parent).await.map(Some).graphql(ctx),
            None => Ok(None),
        }
    }

    /// The file that this is a version of.
    async fn config_file(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<ConfigFile>> {
        let id = self.0.config_file_id;
        ctx.read::<ConfigFilesById>(id)
            .await
            .and_then(|file| file.map(ConfigFile).ok_or_else(|| missing(id)))
            .map(AtOnce)
            .graphql(ctx)
    }
}

async fn head(ctx: &Context<'_>, file: ConfigId) -> Result<ConfigCommit, ApiError> {
    ctx.read::<HeadOfConfigFile>(file).await?.map(ConfigCommit).ok_or_else(|| missing(file))
}

/// The config files that a project has.
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
    /// The project's config files, by name.
    #[graphql(directive = connection_size::apply())]
    async fn config_files(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the start: 0 to 100, 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Begin after the config file with this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "End before the config file with this cursor.")] before: Option<String>,
    ) -> ApiResult<Connection<ConfigFile>> {
        let args = PageArgs { first, after, last, before };
        edges::list::<ConfigFilesOfProject, _>(ctx, self.0, (), args).await.graphql(ctx)
    }
}
