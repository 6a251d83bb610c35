//! The rows of requests and their messages, and the SQL for them.

use async_graphql::Enum;
use chrono::{DateTime, Utc};
use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::auth::policy::Visible;
use crate::auth::principal::GroupRole;
use crate::change::Writes;
use crate::db::tables::{request_messages, requests};
use crate::graphql::connection::Page;
use crate::graphql::keyset::{self, Condition, OrderDirection};
use crate::ids::{GroupId, ProjectId, RequestId, RequestMessageId, UserId};
use crate::projects::model::limits;
use crate::text_enum;

/// What a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Enum, AsExpression, FromSqlRow)]
#[diesel(sql_type = diesel::sql_types::Text)]
pub enum RequestTag {
    /// Something that the platform should be able to do.
    Feature,
    /// Something that does not work.
    Bug,
    /// A question.
    Question,
    /// Other limits of a project.
    Resource,
    /// A role in a group.
    Access,
    /// A container image.
    Image,
    /// Something else.
    Other,
}

text_enum!(RequestTag {
    Feature => "FEATURE",
    Bug => "BUG",
    Question => "QUESTION",
    Resource => "RESOURCE",
    Access => "ACCESS",
    Image => "IMAGE",
    Other => "OTHER",
});

/// The status of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Enum, AsExpression, FromSqlRow, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[diesel(sql_type = diesel::sql_types::Text)]
pub enum RequestStatus {
    /// Nobody has answered yet.
    Open,
    /// Somebody works on it.
    InProgress,
    /// It was granted or answered, which is final.
    Resolved,
    /// It was rejected, which is final.
    Rejected,
}

text_enum!(RequestStatus {
    Open => "OPEN",
    InProgress => "IN_PROGRESS",
    Resolved => "RESOLVED",
    Rejected => "REJECTED",
});

impl RequestStatus {
    /// Whether the request is settled.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Resolved | Self::Rejected)
    }
}

/// What is changed when a request is resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Wanted {
    /// The author gets a role in the group.
    Role {
        /// The role.
        role: WantedRole,
    },
    /// The project gets these limits; those that are not given stay as they are.
    Limits(Limits),
}

/// A role in a group, as it is stored with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WantedRole {
    /// See [`GroupRole::Member`].
    Member,
    /// See [`GroupRole::Manager`].
    Manager,
    /// See [`GroupRole::Admin`].
    Admin,
}

impl From<GroupRole> for WantedRole {
    fn from(role: GroupRole) -> Self {
        match role {
            GroupRole::Member => Self::Member,
            GroupRole::Manager => Self::Manager,
            GroupRole::Admin => Self::Admin,
        }
    }
}

impl From<WantedRole> for GroupRole {
    fn from(role: WantedRole) -> Self {
        match role {
            WantedRole::Member => Self::Member,
            WantedRole::Manager => Self::Manager,
            WantedRole::Admin => Self::Admin,
        }
    }
}

/// Limits of a project, and of its group. In the database, one that is not there is not asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// GPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<i32>,
    /// Thousandths of a CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_millis: Option<i64>,
    /// Bytes of memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<i64>,
    /// Bytes of storage claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_bytes: Option<i64>,
    /// Unfinished jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrent_jobs: Option<i32>,
    /// Unfinished jobs that have not started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_jobs: Option<i32>,
    /// Unfinished jobs of each user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrent_jobs_per_user: Option<i32>,
    /// Unfinished jobs of each user that have not started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_jobs_per_user: Option<i32>,
    /// The longest time in seconds that a job may run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_run_seconds: Option<i64>,
    /// Members of the project's group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_members: Option<i32>,
}

impl Limits {
    /// Whether a limit of the project is among them that its managers can set.
    pub fn ask_managers(&self) -> bool {
        Self { gpu: None, max_members: None, ..*self } != Self::default()
    }

    /// The limits of a project that had these `before`.
    pub fn over(&self, before: limits::Limits) -> limits::Limits {
        limits::Limits {
            gpu: self.gpu.or(before.gpu),
            cpu_millis: self.cpu_millis.or(before.cpu_millis),
            memory_bytes: self.memory_bytes.or(before.memory_bytes),
            storage_bytes: self.storage_bytes.or(before.storage_bytes),
            concurrent_jobs: self.concurrent_jobs.or(before.concurrent_jobs),
            queued_jobs: self.queued_jobs.or(before.queued_jobs),
            concurrent_jobs_per_user: self.concurrent_jobs_per_user.or(before.concurrent_jobs_per_user),
            queued_jobs_per_user: self.queued_jobs_per_user.or(before.queued_jobs_per_user),
            max_run_seconds: self.max_run_seconds.or(before.max_run_seconds),
        }
    }
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = requests, check_for_backend(Pg))]
pub struct Request {
    /// The ID.
    pub id: RequestId,
    /// The user who opened it.
    pub author_id: UserId,
    /// What it is about.
    pub tag: RequestTag,
    /// The title.
    pub title: String,
    /// The status.
    pub status: RequestStatus,
    /// The group that it is about; `None` for the platform.
    pub group_id: Option<GroupId>,
    /// The project that it is about.
    pub project_id: Option<ProjectId>,
    /// What is changed when it is resolved: a [`Wanted`].
    pub wanted: Option<Value>,
    /// When that was changed.
    pub applied_at: Option<DateTime<Utc>>,
    /// The user who settled it.
    pub resolved_by: Option<UserId>,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    /// When it was last answered.
    pub updated_at: DateTime<Utc>,
}

impl Request {
    /// What is changed when it is resolved; `None` also if a later version wrote something that this one does not know.
    pub fn wanted(&self) -> Option<Wanted> {
        serde_json::from_value(self.wanted.clone()?).ok()
    }
}

/// A message in a request.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = request_messages, check_for_backend(Pg))]
pub struct Message {
    /// The ID.
    pub id: RequestMessageId,
    /// The request.
    pub request_id: RequestId,
    /// The user who wrote it.
    pub author_id: UserId,
    /// The text.
    pub text: String,
    /// The status that the request has since this message, if it changed it.
    pub status: Option<RequestStatus>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
}

/// Which requests, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Selection {
    /// Only with one of these statuses.
    pub statuses: Option<Vec<RequestStatus>>,
    /// Only with one of these tags.
    pub tags: Option<Vec<RequestTag>>,
    /// Only by this user.
    pub author: Option<UserId>,
    /// Only about this group and its projects.
    pub group: Option<GroupId>,
    /// Only about this project.
    pub project: Option<ProjectId>,
    /// Oldest or newest first.
    pub direction: OrderDirection,
}

fn selected<'a>(visible: &Visible, viewer: UserId, selection: &Selection) -> requests::BoxedQuery<'a, Pg> {
    let mut query = requests::table.into_boxed();
    if let Visible::Groups { groups, project } = visible {
        if let Some(project) = *project {
            query = query.filter(requests::project_id.eq(project));
        }
        // NULL counts as false. PostgreSQL would take it for every second row if it were said so (`IS TRUE`).
        let of_groups = requests::group_id.eq_any(groups.clone()).assume_not_null();
        let theirs: Condition<requests::table> = Box::new(requests::author_id.eq(viewer).or(of_groups));
        query = query.filter(theirs);
    }
    if let Some(statuses) = &selection.statuses {
        query = query.filter(requests::status.eq_any(statuses.clone()));
    }
    if let Some(tags) = &selection.tags {
        query = query.filter(requests::tag.eq_any(tags.clone()));
    }
    if let Some(author) = selection.author {
        query = query.filter(requests::author_id.eq(author));
    }
    if let Some(group) = selection.group {
        query = query.filter(requests::group_id.eq(group));
    }
    if let Some(project) = selection.project {
        query = query.filter(requests::project_id.eq(project));
    }
    query
}

/// A page of the requests that the viewer can see, in the page's own direction: their own, and those of the visible groups.
///
/// # Errors
/// The database's.
pub async fn page(
    conn: &mut AsyncPgConnection,
    visible: &Visible,
    viewer: UserId,
    selection: &Selection,
    page: &Page,
) -> QueryResult<Vec<Request>> {
    let mut query = selected(visible, viewer, selection);
    for condition in keyset::between(page.bounds(selection.direction), "requests.created_at", "requests.id") {
        query = query.filter(condition);
    }
    query = match page.ascending(selection.direction) {
        true => query.order((requests::created_at.asc(), requests::id.asc())),
        false => query.order((requests::created_at.desc(), requests::id.desc())),
    };
    query.limit(page.limit).select(Request::as_select()).load(conn).await
}

/// The number of requests that the viewer can see.
///
/// # Errors
/// The database's.
pub async fn count(
    conn: &mut AsyncPgConnection,
    visible: &Visible,
    viewer: UserId,
    selection: &Selection,
) -> QueryResult<i64> {
    selected(visible, viewer, selection).count().get_result(conn).await
}

/// The requests with these IDs.
///
/// # Errors
/// The database's.
pub async fn find(conn: &mut AsyncPgConnection, ids: &[RequestId]) -> QueryResult<Vec<Request>> {
    requests::table.filter(requests::id.eq_any(ids)).select(Request::as_select()).load(conn).await
}

/// The messages with these IDs.
///
/// # Errors
/// The database's.
pub async fn messages(conn: &mut AsyncPgConnection, ids: &[RequestMessageId]) -> QueryResult<Vec<Message>> {
    request_messages::table.filter(request_messages::id.eq_any(ids)).select(Message::as_select()).load(conn).await
}

/// Opens a request with its first message.
///
/// # Errors
/// The database's.
pub async fn open(writes: &mut Writes<'_>, request: &Request, message: &Message) -> QueryResult<()> {
    diesel::insert_into(requests::table).values(request).execute(writes.conn()).await?;
    diesel::insert_into(request_messages::table).values(message).execute(writes.conn()).await.map(drop)
}

/// The request, locked until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock(writes: &mut Writes<'_>, id: RequestId) -> QueryResult<Option<Request>> {
    let found = requests::table.find(id).select(Request::as_select()).for_update();
    found.first(writes.conn()).await.optional()
}

/// Adds a message to a locked request, and the changes of the request.
///
/// # Errors
/// The database's.
pub async fn answer(writes: &mut Writes<'_>, request: &Request, message: &Message) -> QueryResult<()> {
    diesel::update(requests::table.find(request.id))
        .set((
            requests::status.eq(request.status),
            requests::applied_at.eq(request.applied_at),
            requests::resolved_by.eq(request.resolved_by),
            requests::updated_at.eq(request.updated_at),
        ))
        .execute(writes.conn())
        .await?;
    diesel::insert_into(request_messages::table).values(message).execute(writes.conn()).await.map(drop)
}
