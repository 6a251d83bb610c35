//! Mutations of projects.

use std::time::Duration;

use async_graphql::{Context, InputObject, Object, SimpleObject};
use chrono::{SubsecRound, Utc};
use serde_json::json;

use super::event::{ProjectEvent, ProjectEventKind, about};
use super::loader::ProjectsById;
use super::model;
use super::types::Project;
use crate::auth::acting::CallerExt;
use crate::auth::policy::{Action, Scope};
use crate::change::{ChangeExt, Changed, Done};
use crate::cluster::names::Tenant;
use crate::cluster::{Cluster, namespaces};
use crate::db::or_taken;
use crate::error::{ApiError, ApiErrors, both};
use crate::graphql::ids::GivenId;
use crate::graphql::limits::directives::cost;
use crate::graphql::loaders::ReadExt;
use crate::graphql::names::{self, MAX_DESCRIPTION};
use crate::graphql::{ApiResult, IntoGraphql};
use crate::groups::loader::GroupsById;
use crate::ids::{GroupId, GroupKind, ProjectId, ProjectKind};

/// How long the response waits for the namespace.
const NAMESPACE_PATIENCE: Duration = Duration::from_secs(2);

/// Input for `createProject`.
#[derive(Debug, InputObject)]
pub struct CreateProjectInput {
    /// The ID of the group that the project will belong to. You must be a manager or an admin of the group.
    pub group_id: GivenId<GroupKind>,
    /// The name of the project, unique within the group: 1 to 63 lowercase letters, digits and hyphens.
    pub name: String,
    /// A description of the project: at most 2000 characters.
    #[graphql(default_with = "Some(String::new())")]
    pub description: Option<String>,
}

/// Result of `createProject`.
#[derive(Debug, SimpleObject)]
pub struct CreateProjectPayload {
    /// The new project.
    pub project: Project,
}

/// Input for `updateProject`. Omitted fields keep their value.
#[derive(Debug, InputObject)]
pub struct UpdateProjectInput {
    /// The ID of the project. You must be a manager or an admin of its group.
    pub project_id: GivenId<ProjectKind>,
    /// The new name of the project, unique within its group: 1 to 63 lowercase letters, digits and hyphens. The
    /// namespace keeps its name.
    pub name: Option<String>,
    /// The new description of the project: at most 2000 characters.
    pub description: Option<String>,
}

/// Result of `updateProject`.
#[derive(Debug, SimpleObject)]
pub struct UpdateProjectPayload {
    /// The changed project.
    pub project: Project,
}

/// The mutations of projects.
#[derive(Debug, Default)]
pub struct ProjectMutation;

#[Object]
impl ProjectMutation {
    /// Creates a project in a group, and its namespace in the cluster. If the cluster is unavailable, the project is
    /// created nevertheless, and the namespace is created later.
    ///
    /// Fails with NOT_FOUND if the group does not exist or you are not a member of it, FORBIDDEN if you are not a
    /// manager or an admin of it, BAD_USER_INPUT for each invalid field, and CONFLICT if the group already has a
    /// project with this name.
    #[graphql(directive = cost::apply("20".to_owned()))]
    async fn create_project(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new project.")] input: CreateProjectInput,
    ) -> ApiResult<Option<CreateProjectPayload>> {
        create(ctx, input).await.map(Some).graphql(ctx)
    }

    /// Changes the name or the description of a project.
    ///
    /// Fails with NOT_FOUND if the project does not exist or you are not a member of its group, FORBIDDEN if you are not
    /// a manager or an admin of its group, BAD_USER_INPUT for each invalid field, and CONFLICT if the group already has
    /// a project with this name.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn update_project(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The project and its new values.")] input: UpdateProjectInput,
    ) -> ApiResult<Option<UpdateProjectPayload>> {
        update(ctx, input).await.map(Some).graphql(ctx)
    }
}

/// The project that a mutation names, and its group.
///
/// # Errors
/// `UNAUTHENTICATED`, `BAD_USER_INPUT` for what is no ID, or `NOT_FOUND`.
pub(super) async fn group_of(
    ctx: &Context<'_>,
    given: &GivenId<ProjectKind>,
) -> Result<(ProjectId, GroupId), ApiError> {
    // An unauthenticated caller is not told whether the project exists.
    ctx.caller().principal()?;
    let id = given.at("input.projectId")?;
    let found = ctx.read::<ProjectsById>(id).await?;
    let project = found.ok_or_else(|| ApiError::not_found("project", id).at("input.projectId"))?;
    Ok((id, project.group_id))
}

fn taken(name: &str) -> ApiError {
    let name = names::shown(name);
    ApiError::conflict(format!("a project named {name} already exists in this group")).at("input.name")
}

async fn update(ctx: &Context<'_>, input: UpdateProjectInput) -> Result<UpdateProjectPayload, ApiErrors> {
    ctx.caller().principal()?;
    let name = input.name.map(|name| names::name(name, "-", "input.name")).transpose();
    let description =
        input.description.map(|text| names::prose(text, MAX_DESCRIPTION, "input.description")).transpose();
    let texts = both(name, description);
    let (id, group) = match input.project_id.at("input.projectId") {
        Ok(_) => group_of(ctx, &input.project_id).await?,
        Err(problem) => return Err(problem.and_of(texts)),
    };
    let change =
        ctx.change(Action::UpdateProject, Scope::within(group, id)).map_err(|error| error.at("input.projectId"))?;
    let (name, description) = texts?;
    let project = change
        .commit(async |writes| {
            let not_found = || ApiError::not_found("project", id).at("input.projectId");
            let before = model::lock(writes, id).await?.ok_or_else(not_found)?;
            let after = model::Project {
                name: name.unwrap_or_else(|| before.name.clone()),
                description: description.unwrap_or_else(|| before.description.clone()),
                ..before.clone()
            };
            if after == before {
                return Ok(Done::nothing().with(after));
            }
            let updated = model::update(writes, &after).await;
            updated.map_err(or_taken("projects_group_name_key", || taken(&after.name)))?;
            writes.tell(about(id, group), &ProjectEvent { kind: ProjectEventKind::Updated })?;
            let changed = Changed::default().field("name", &before.name, &after.name).field(
                "description",
                &before.description,
                &after.description,
            );
            Ok(Done::to(id, json!({ "name": after.name })).changed(changed).with(after))
        })
        .await?;
    Ok(UpdateProjectPayload { project: project.into() })
}

async fn create(ctx: &Context<'_>, input: CreateProjectInput) -> Result<CreateProjectPayload, ApiErrors> {
    ctx.caller().principal()?;
    let description = input.description.unwrap_or_default();
    let texts = both(
        names::name(input.name, "-", "input.name"),
        names::prose(description, MAX_DESCRIPTION, "input.description"),
    );
    let group = match input.group_id.at("input.groupId") {
        Ok(group) => group,
        Err(problem) => return Err(problem.and_of(texts)),
    };
    let change = ctx.change(Action::CreateProject, Scope::group(group)).map_err(|error| error.at("input.groupId"))?;
    if ctx.read::<GroupsById>(group).await?.is_none() {
        return Err(ApiError::not_found("group", group).at("input.groupId").into());
    }
    let (name, description) = texts?;
    let project = row(group, name, description);
    change
        .commit(async |writes| {
            let inserted = model::insert(writes, &project).await;
            inserted.map_err(or_taken("projects_group_name_key", || taken(&project.name)))?;
            Ok(Done::to(project.id, json!({ "name": project.name, "group": group.to_string() })))
        })
        .await?;
    make_namespace(ctx, &project).await;
    Ok(CreateProjectPayload { project: project.into() })
}

/// The project already exists: if the cluster is unavailable, the namespace is created later.
async fn make_namespace(ctx: &Context<'_>, project: &model::Project) {
    let Some(cluster) = ctx.data_opt::<Cluster>() else { return };
    let making = namespaces::ensure(cluster, &project.namespace, Tenant::Project(project.id));
    match tokio::time::timeout(NAMESPACE_PATIENCE, making).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(project = %project.id, %error, "failed to create the namespace; it will be created later")
        }
        Err(_) => {
            tracing::warn!(project = %project.id, "the cluster is slow; the namespace will be created later")
        }
    }
}

fn row(group_id: GroupId, name: String, description: String) -> model::Project {
    let id = ProjectId::generate();
    let (namespace, created_at) = (model::namespace_of(id), Utc::now().trunc_subsecs(6));
    model::Project { id, group_id, name, description, namespace, created_at, archived_at: None }
}
