//! What each room brings to the schema: its part of each root, its types with an id, and its events. A room that is added
//! is entered here, and nowhere else above the rooms.

use async_graphql::{MergedObject, MergedSubscription};

use super::channels::Opening;
use super::event_cursor::EventCursorQuery;
use super::node::{NodeQuery, nodes};
use crate::graphql::limits::RateLimitQuery;
use crate::{configs, groups, jobs, projects, users};

/// Everything that can be asked.
#[derive(Default, MergedObject)]
pub struct Query(
    NodeQuery,
    users::query::UserQuery,
    groups::query::GroupQuery,
    projects::query::ProjectQuery,
    configs::query::ConfigQuery,
    jobs::query::JobQuery,
    EventCursorQuery,
    RateLimitQuery,
);

/// Everything that can be changed. Each mutation takes one `input` and changes all of it or nothing.
///
/// Each says with which codes it fails in foreseeable ways. Besides, all but `login` and `refreshSession` fail with
/// UNAUTHENTICATED without a valid access token, and any operation may fail with RATE_LIMITED, QUERY_TOO_COMPLEX, TIMEOUT,
/// CLUSTER_UNAVAILABLE or DATABASE_UNAVAILABLE. The code is in the error's `extensions`.
#[derive(Default, MergedObject)]
pub struct Mutation(
    users::mutation::UserMutation,
    groups::mutation::GroupMutation,
    projects::mutation::ProjectMutation,
    configs::mutation::ConfigMutation,
    jobs::mutation::JobMutation,
);

/// Everything that can be watched live.
#[derive(Default, MergedSubscription)]
pub struct Subscription(
    // One a line, though there is one.
    jobs::subscription::JobSubscription,
);

// The types with an id, each with the kind of its ids and who finds it for a caller.
nodes! {
    User(users::types::User), UserKind, users::query::find;
    Group(groups::types::Group), GroupKind, groups::query::find;
    Project(projects::types::Project), ProjectKind, projects::query::find;
    ConfigFile(configs::types::ConfigFile), ConfigKind, configs::query::find;
    ConfigCommit(configs::types::ConfigCommit), CommitKind, configs::query::find_commit;
    Job(jobs::types::Job), JobKind, jobs::query::find;
}

/// Opens a channel for each kind of event.
pub(super) fn open_channels(channels: &mut Opening<'_>) {
    channels.of::<jobs::event::JobEvent>();
}
