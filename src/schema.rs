//! The schema: the three root types assembled from the modules, the data of each request, and the SDL.

pub mod event_cursor;

use std::sync::Arc;

use async_graphql::{Context, Interface, MergedObject, MergedSubscription, Object, Request, SDLExportOptions};
use chrono::{DateTime, Utc};

use crate::auth::acting::{CallerExt, Switched};
use crate::configs::mutation::ConfigMutation;
use crate::configs::query::{self as configs, ConfigQuery};
use crate::configs::types::{ConfigCommit, ConfigFile};
use crate::error::ApiError;
use crate::graphql::context::{LastCursor, ResumeAfter};
use crate::graphql::deprecated::WithoutDeprecated;
use crate::graphql::executable::Executable;
use crate::graphql::limits::directives::list_size;
use crate::graphql::limits::{AnswerBytes, RateLimitQuery};
use crate::graphql::loaders::Loaders;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::groups::mutation::GroupMutation;
use crate::groups::query::{self as groups, GroupQuery};
use crate::groups::types::Group;
use crate::ids::{self, CommitKind, ConfigKind, GroupKind, Id, JobKind, Kind, ProjectKind, UserKind};
use crate::jobs::mutation::JobMutation;
use crate::jobs::query::{self as jobs, JobQuery};
use crate::jobs::subscription::JobSubscription;
use crate::jobs::types::Job;
use crate::projects::mutation::ProjectMutation;
use crate::projects::query::{self as projects, ProjectQuery};
use crate::projects::types::Project;
use crate::users::mutation::UserMutation;
use crate::users::query::{self as users, UserQuery};
use crate::users::types::User;

use event_cursor::EventCursorQuery;

/// The queries of the API.
#[derive(Default, MergedObject)]
pub struct Query(
    NodeQuery,
    UserQuery,
    GroupQuery,
    ProjectQuery,
    ConfigQuery,
    JobQuery,
    EventCursorQuery,
    RateLimitQuery,
);

/// The mutations of the API. Each mutation takes a single argument, `input`, and is atomic: it applies all of its
/// changes or none of them.
///
/// Each mutation lists the error codes to expect. In addition, all mutations except `login` and `refreshSession` fail
/// with UNAUTHENTICATED if the access token is missing or invalid, and any operation can fail with RATE_LIMITED,
/// QUERY_TOO_COMPLEX, TIMEOUT, CLUSTER_UNAVAILABLE or DATABASE_UNAVAILABLE. The code is in the `extensions` of the
/// error.
#[derive(Default, MergedObject)]
pub struct Mutation(UserMutation, GroupMutation, ProjectMutation, ConfigMutation, JobMutation);

/// The subscriptions of the API.
#[derive(Default, MergedSubscription)]
pub struct Subscription(JobSubscription);

/// The executable schema.
pub type Schema = Executable<Query, Mutation, Subscription>;

/// The builder of a schema.
pub type SchemaBuilder = async_graphql::SchemaBuilder<Query, Mutation, Subscription>;

/// The maximum number of IDs in a `nodes` query.
const MAX_NODES: usize = 100;

/// An object with an ID, which can be fetched with `node`.
#[derive(Debug, Clone, Interface)]
#[graphql(field(
    name = "id",
    ty = "async_graphql::ID",
    desc = "The ID of the object: a prefix that identifies the type, followed by 26 characters."
))]
pub enum Node {
    /// A person.
    User(User),
    /// A group.
    Group(Group),
    /// A project.
    Project(Project),
    /// A config file.
    ConfigFile(ConfigFile),
    /// A version of a config file.
    ConfigCommit(ConfigCommit),
    /// A job.
    Job(Job),
}

/// The queries for objects by ID.
#[derive(Debug, Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// Finds an object of any type by ID; null if it does not exist or you cannot see it.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The ID of the object.")] id: async_graphql::ID,
    ) -> ApiResult<Option<Node>> {
        find(ctx, &id).await.graphql(ctx)
    }

    /// Finds objects of any type by ID, in the order of the IDs; null for each that does not exist or that you cannot
    /// see.
    #[graphql(directive = list_size::apply(None, Some(vec!["ids".to_owned()]), None, true))]
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The IDs of the objects: at most 100.")] ids: Vec<async_graphql::ID>,
    ) -> ApiResult<Vec<Option<Node>>> {
        if ids.len() > MAX_NODES {
            let message = format!("{} IDs were given; at most {MAX_NODES} are allowed", ids.len());
            return Err(ApiError::bad_input("ids", message)).graphql(ctx);
        }
        let found = ids.iter().map(|id| find(ctx, id));
        futures::future::try_join_all(found).await.graphql(ctx)
    }
}

async fn find(ctx: &Context<'_>, id: &str) -> Result<Option<Node>, ApiError> {
    ctx.caller().principal()?;
    let malformed = || {
        let shown: String = id.chars().take(80).collect();
        let message = format!(
            "\"{shown}\" is not an id: it must be user_, group_, project_, config_, commit_ or job_ followed by 26 characters"
        );
        ApiError::bad_input("id", message)
    };
    let (prefix, uuid) = ids::split(id).ok_or_else(malformed)?;
    let node = match prefix {
        UserKind::PREFIX => users::find(ctx, Id::from_uuid(uuid)).await.map(Node::from),
        GroupKind::PREFIX => groups::find(ctx, Id::from_uuid(uuid)).await.map(Node::from),
        ProjectKind::PREFIX => projects::find(ctx, Id::from_uuid(uuid)).await.map(Node::from),
        ConfigKind::PREFIX => configs::find(ctx, Id::from_uuid(uuid)).await.map(Node::from),
        CommitKind::PREFIX => configs::find_commit(ctx, Id::from_uuid(uuid)).await.map(Node::from),
        JobKind::PREFIX => jobs::find(ctx, Id::from_uuid(uuid)).await.map(Node::from),
        _ => return Err(malformed()),
    };
    match node {
        Ok(node) => Ok(Some(node)),
        Err(error) if error.code == crate::error::Code::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The schema without what a running server adds to it.
pub fn builder() -> SchemaBuilder {
    // Sizes are measured before execution (graphql::limits), so the executor's own limits are not used.
    async_graphql::Schema::build(Query::default(), Mutation::default(), Subscription::default())
        .override_output_type_description::<DateTime<Utc>>(
            "A date and time in UTC, in the format of RFC 3339, such as `\"2026-11-23T09:41:07.123456+00:00\"`.",
        )
}

/// The schema of a running server; `parts` adds what all requests share.
pub fn build(parts: impl Fn(SchemaBuilder) -> SchemaBuilder) -> Schema {
    Executable::new(|| parts(builder()))
}

/// The request with its own loaders, and the place where a subscription records its cursor.
pub fn with_request_parts(
    request: Request,
    loaders: Arc<Loaders>,
    resume_after: Option<Arc<str>>,
) -> (Request, Arc<LastCursor>) {
    let cursor = Arc::new(LastCursor::default());
    let mut request = request.data(loaders).data(Arc::clone(&cursor)).data(Arc::<Switched>::default());
    request = request.data(AnswerBytes::default());
    if let Some(after) = resume_after {
        request = request.data(ResumeAfter(after));
    }
    (request, cursor)
}

/// The schema in SDL, as in `schema.graphql`.
pub fn sdl() -> String {
    builder().finish().sdl_with_options(printed())
}

/// The schema in SDL, without everything that is deprecated.
pub fn sdl_without_deprecated() -> String {
    builder().directive(WithoutDeprecated).finish().sdl_with_options(printed())
}

fn printed() -> SDLExportOptions {
    SDLExportOptions::new().sorted_fields().sorted_enum_items().sorted_arguments().include_specified_by()
}
