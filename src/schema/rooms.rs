//! What each room contributes to the schema: its part of each root type, its types with an ID, and its events. A new room is
//! registered here, and nowhere else above the rooms.

use async_graphql::{MergedObject, MergedSubscription};

use super::channels::channels;
use super::event_cursor::EventCursorQuery;
use super::limits::LimitsQuery;
use super::node::{NodeQuery, nodes};
use crate::graphql::limits::RateLimitQuery;
use crate::{configs, groups, jobs, projects, queues, users};

/// The queries of the API.
#[derive(Default, MergedObject)]
pub struct Query(
    NodeQuery,
    users::query::UserQuery,
    users::providers::ProviderQuery,
    groups::query::GroupQuery,
    projects::query::ProjectQuery,
    configs::query::ConfigQuery,
    jobs::query::JobQuery,
    queues::query::QueueQuery,
    EventCursorQuery,
    LimitsQuery,
    RateLimitQuery,
);

/// The mutations of the API. Each mutation takes a single argument, `input`, and is atomic: it applies all of its
/// changes or none of them.
///
/// Each mutation lists the error codes to expect. In addition, all mutations except those that start a session fail
/// with UNAUTHENTICATED if the access token is missing or invalid, and any operation can fail with RATE_LIMITED,
/// QUERY_TOO_COMPLEX, TIMEOUT, CLUSTER_UNAVAILABLE or DATABASE_UNAVAILABLE. The code is in the `extensions` of the
/// error.
#[derive(Default, MergedObject)]
pub struct Mutation(
    users::mutation::UserMutation,
    users::providers::ProviderMutation,
    groups::mutation::GroupMutation,
    projects::mutation::ProjectMutation,
    configs::mutation::ConfigMutation,
    jobs::mutation::JobMutation,
);

/// The subscriptions of the API.
#[derive(Default, MergedSubscription)]
pub struct Subscription(
    // One per line, although there is only one.
    jobs::subscription::JobSubscription,
);

// The types with an ID, each with the kind of its ID and the function that finds it for a caller.
nodes! {
    User(users::types::User), UserKind, users::query::find;
    Group(groups::types::Group), GroupKind, groups::query::find;
    Membership(groups::types::Membership), MembershipKind, groups::query::find_membership;
    Project(projects::types::Project), ProjectKind, projects::query::find;
    ConfigFile(configs::types::ConfigFile), ConfigKind, configs::query::find;
    ConfigCommit(configs::types::ConfigCommit), CommitKind, configs::query::find_commit;
    Job(jobs::types::Job), JobKind, jobs::query::find;
}

// The kinds of events, each with the name of its channel.
channels! {
    job_events: jobs::event::JobEvent;
}
