//! Mutations of requests.

use async_graphql::{Context, Object, SimpleObject};
use chrono::{DateTime, SubsecRound, Utc};
use serde_json::json;

use super::apply::{Appliance, apply};
use super::event::{RequestEvent, RequestEventKind, about};
use super::input::{self, OpenRequestInput, ReplyToRequestInput, ResolveRequestInput};
use super::loader::RequestsById;
use super::model::{self, Message, RequestStatus};
use super::types::{Request, scope};
use crate::auth::acting::CallerExt;
use crate::auth::policy::{self, Action, Scope};
use crate::change::{ChangeExt, Changed, Done, Writes};
use crate::error::{ApiError, ApiErrors, both};
use crate::graphql::ids;
use crate::graphql::limits::directives::cost;
use crate::graphql::loaders::ReadExt;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::groups::loader::GroupsById;
use crate::ids::{GroupId, ProjectId, RequestId, RequestMessageId, UserId};
use crate::notifications::model::{Notice, NotificationType, notify};
use crate::projects::loader::GroupOfProject;

/// Result of `openRequest`.
#[derive(Debug, SimpleObject)]
pub struct OpenRequestPayload {
    /// The new request.
    pub request: Request,
}

/// Result of `replyToRequest`.
#[derive(Debug, SimpleObject)]
pub struct ReplyToRequestPayload {
    /// The request.
    pub request: Request,
}

/// Result of `resolveRequest`.
#[derive(Debug, SimpleObject)]
pub struct ResolveRequestPayload {
    /// The request with its new status.
    pub request: Request,
}

/// The mutations of requests.
#[derive(Debug, Default)]
pub struct RequestMutation;

#[Object]
impl RequestMutation {
    /// Opens a request about the platform, a group or a project. A request with the tag ACCESS can ask for a role in a group
    /// that you are not a member of, and one with the tag RESOURCE for other limits of a project: they are granted when the
    /// request is resolved.
    ///
    /// Fails with NOT_FOUND if the group or the project does not exist or you cannot see it, and with BAD_USER_INPUT for each
    /// invalid field.
    #[graphql(directive = cost::apply("20".to_owned()))]
    async fn open_request(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new request.")] input: OpenRequestInput,
    ) -> ApiResult<Option<OpenRequestPayload>> {
        open(ctx, input).await.map(|request| Some(OpenRequestPayload { request })).graphql(ctx)
    }

    /// Writes a message in a request.
    ///
    /// Fails with NOT_FOUND if the request does not exist or you cannot see it, CONFLICT if it is resolved or rejected, and
    /// BAD_USER_INPUT for each invalid field.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn reply_to_request(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The request and the message.")] input: ReplyToRequestInput,
    ) -> ApiResult<Option<ReplyToRequestPayload>> {
        reply(ctx, input).await.map(|request| Some(ReplyToRequestPayload { request })).graphql(ctx)
    }

    /// Changes the status of a request. If it asks for a role or for limits, RESOLVED grants them, in the same transaction.
    ///
    /// Fails with NOT_FOUND if the request does not exist or you cannot see it, FORBIDDEN if you are not responsible for it,
    /// or if you could not grant what it asks for yourself, CONFLICT if it is already resolved or rejected, or has this
    /// status, or if it asks to join a group that is full, and BAD_USER_INPUT for each invalid field.
    #[graphql(directive = cost::apply("20".to_owned()))]
    async fn resolve_request(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The request and its new status.")] input: ResolveRequestInput,
    ) -> ApiResult<Option<ResolveRequestPayload>> {
        resolve(ctx, input).await.map(|request| Some(ResolveRequestPayload { request })).graphql(ctx)
    }
}

fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

async fn open(ctx: &Context<'_>, input: OpenRequestInput) -> Result<Request, ApiErrors> {
    let author = ctx.caller().principal()?.user;
    let (wanted, title) = (input::wanted(&input), input::title(&input.title));
    let given = both(
        ids::maybe(input.group_id.as_ref(), "input.groupId"),
        ids::maybe(input.project_id.as_ref(), "input.projectId"),
    );
    let (about_ids, (wanted, (title, text))) = both(given, both(wanted, both(title, input::text(input.text, false))))?;
    let asks_for_role = matches!(wanted, Some(model::Wanted::Role { .. }));
    let (group_id, project_id) = place(ctx, about_ids, asks_for_role).await?;
    let at = now();
    let request = model::Request {
        id: RequestId::generate(),
        author_id: author,
        tag: input.tag,
        title,
        status: RequestStatus::Open,
        group_id,
        project_id,
        wanted: wanted.map(serde_json::to_value).transpose().map_err(ApiError::internal)?,
        applied_at: None,
        resolved_by: None,
        created_at: at,
        updated_at: at,
    };
    let message = message(request.id, author, text, None, at);
    let change = ctx.change(Action::OpenRequest, Scope::PLATFORM.in_project(project_id))?;
    change
        .commit(async |writes| {
            model::open(writes, &request, &message).await?;
            tell(writes, &request, RequestEventKind::Opened)?;
            Ok(recorded(&request, json!({ "tag": request.tag.as_str(), "wanted": request.wanted })))
        })
        .await?;
    Ok(request.into())
}

/// The group and the project that a new request is about, if its author may open one there.
async fn place(
    ctx: &Context<'_>,
    (group, project): (Option<GroupId>, Option<ProjectId>),
    asks_for_role: bool,
) -> Result<(Option<GroupId>, Option<ProjectId>), ApiError> {
    match (group, project) {
        (None, None) => Ok((None, None)),
        (Some(_), Some(_)) => {
            Err(ApiError::bad_input("input.projectId", "a request is about a group or a project, not about both"))
        }
        (Some(group), None) => {
            // Whoever asks to join a group cannot see it yet.
            if !asks_for_role {
                policy::check(&ctx.caller(), Action::ViewGroup, Scope::group(group))
                    .map_err(|error| error.at("input.groupId"))?;
            }
            let not_found = || ApiError::not_found("group", group).at("input.groupId");
            ctx.read::<GroupsById>(group).await?.ok_or_else(not_found)?;
            Ok((Some(group), None))
        }
        (None, Some(project)) => {
            let not_found = || ApiError::not_found("project", project).at("input.projectId");
            let group = ctx.read::<GroupOfProject>(project).await?.ok_or_else(not_found)?;
            policy::check(&ctx.caller(), Action::ViewProject, Scope::within(group, project))
                .map_err(|error| error.at("input.projectId"))?;
            Ok((Some(group), Some(project)))
        }
    }
}

fn message(
    request_id: RequestId,
    author_id: UserId,
    text: String,
    status: Option<RequestStatus>,
    created_at: DateTime<Utc>,
) -> Message {
    Message { id: RequestMessageId::generate(), request_id, author_id, text, status, created_at }
}

fn tell(writes: &mut Writes<'_>, request: &model::Request, kind: RequestEventKind) -> Result<(), ApiError> {
    Ok(writes.tell(about(request), &RequestEvent { kind, status: request.status })?)
}

fn recorded(request: &model::Request, detail: serde_json::Value) -> Done {
    let done = request.group_id.into_iter().fold(Done::to(request.id, detail), Done::in_group);
    request.project_id.into_iter().fold(done, Done::in_project)
}

/// The request as the caller may see it now, and locked.
async fn locked(writes: &mut Writes<'_>, id: RequestId) -> Result<model::Request, ApiErrors> {
    let not_found = || ApiError::not_found("request", id).at("input.id");
    let request = model::lock(writes, id).await?.ok_or_else(not_found)?;
    if request.status.is_final() {
        let status = request.status.as_str();
        return Err(ApiError::conflict(format!("the request is already {status}, which is final"))
            .at("input.id")
            .into());
    }
    Ok(request)
}

async fn find(ctx: &Context<'_>, id: RequestId) -> Result<Scope, ApiError> {
    let not_found = || ApiError::not_found("request", id).at("input.id");
    Ok(scope(&*ctx.read::<RequestsById>(id).await?.ok_or_else(not_found)?))
}

/// Tells the author, if it was somebody else, what has happened to the request.
async fn notify_author(
    writes: &mut Writes<'_>,
    request: &model::Request,
    by: UserId,
    what: &str,
) -> Result<(), ApiErrors> {
    if request.author_id == by {
        return Ok(());
    }
    let notice = Notice {
        user: request.author_id,
        kind: NotificationType::RequestAnswered,
        subject: request.id.to_text(),
        message: format!("Your request \"{}\" {what}.", request.title),
    };
    Ok(notify(writes, vec![notice]).await?)
}

async fn reply(ctx: &Context<'_>, input: ReplyToRequestInput) -> Result<Request, ApiErrors> {
    let author = ctx.caller().principal()?.user;
    let (id, text) = both(input.id.at("input.id"), input::text(input.text, false))?;
    let scope = find(ctx, id).await?;
    let change = ctx.change(Action::ReplyToRequest, scope).map_err(|error| error.at("input.id"))?;
    let request = change
        .commit(async |writes| {
            let mut request = locked(writes, id).await?;
            request.updated_at = now();
            let message = message(id, author, text.clone(), None, request.updated_at);
            model::answer(writes, &request, &message).await?;
            tell(writes, &request, RequestEventKind::Replied)?;
            notify_author(writes, &request, author, "was answered").await?;
            Ok(recorded(&request, json!({})).with(request))
        })
        .await?;
    Ok(request.into())
}

async fn resolve(ctx: &Context<'_>, input: ResolveRequestInput) -> Result<Request, ApiErrors> {
    let caller = ctx.caller();
    let resolver = caller.principal()?.user;
    let text = input::text(input.text.unwrap_or_default(), true);
    let (id, text) = both(input.id.at("input.id"), text)?;
    let scope = find(ctx, id).await?;
    let status = RequestStatus::from(input.status);
    let change = ctx.change(Action::ResolveRequest, scope).map_err(|error| error.at("input.id"))?;
    let request = change
        .commit(async |writes| {
            let mut request = locked(writes, id).await?;
            if request.status == status {
                let message = format!("the request is already {}", status.as_str());
                return Err(ApiError::conflict(message).at("input.status").into());
            }
            let before = std::mem::replace(&mut request.status, status);
            request.updated_at = now();
            let mut changed = Changed::default().field("status", before.as_str(), status.as_str());
            if status.is_final() {
                request.resolved_by = Some(resolver);
            }
            if let (RequestStatus::Resolved, Some(wanted)) = (status, request.wanted()) {
                let Appliance { fields, at } = apply(writes, &caller, &request, wanted, changed).await?;
                (changed, request.applied_at) = (fields, Some(at));
            }
            let message = message(id, resolver, text.clone(), Some(status), request.updated_at);
            model::answer(writes, &request, &message).await?;
            tell(writes, &request, RequestEventKind::StatusChanged)?;
            let what = match status {
                RequestStatus::Open | RequestStatus::InProgress => "is in progress",
                RequestStatus::Resolved => "was resolved",
                RequestStatus::Rejected => "was rejected",
            };
            notify_author(writes, &request, resolver, what).await?;
            Ok(recorded(&request, json!({})).changed(changed).with(request))
        })
        .await?;
    Ok(request.into())
}
