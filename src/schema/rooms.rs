//! What each room contributes to the schema: its part of each root type, its types with an ID, and its events. A new room is
//! registered here, and nowhere else above the rooms.

use async_graphql::{MergedObject, MergedSubscription};

use super::channels::channels;
use super::event_cursor::EventCursorQuery;
use super::limits::LimitsQuery;
use super::node::{NodeQuery, nodes};
use crate::graphql::limits::RateLimitQuery;
use crate::{
    access, audit, configs, files, groups, jobs, notifications, orphans, projects, queues, requests, storage, trail,
    users,
};

/// The queries of the API.
#[derive(Default, MergedObject)]
pub struct Query(
    NodeQuery,
    users::query::UserQuery,
    users::providers::ProviderQuery,
    users::mutation::registration::RegistrationQuery,
    groups::query::GroupQuery,
    projects::query::ProjectQuery,
    configs::query::ConfigQuery,
    jobs::query::JobQuery,
    jobs::templates::query::TemplateQuery,
    jobs::quota::usage::QuotaQuery,
    queues::query::QueueQuery,
    storage::query::StorageQuery,
    orphans::query::ClusterQuery,
    audit::query::AuditQuery,
    audit::exports::query::AuditExportQuery,
    access::query::AccessQuery,
    requests::query::RequestQuery,
    notifications::query::NotificationQuery,
    EventCursorQuery,
    LimitsQuery,
    RateLimitQuery,
);

/// The mutations of the API. Each mutation takes a single argument, `input`, and is atomic: it applies all of its
/// changes or none of them.
///
/// Each mutation lists the error codes to expect. In addition, all mutations except those that start a session, `register`
/// and `resetPassword` fail with UNAUTHENTICATED if the access token is missing or invalid, and any operation can fail with
/// RATE_LIMITED, QUERY_TOO_COMPLEX, TIMEOUT, CLUSTER_UNAVAILABLE or DATABASE_UNAVAILABLE. The code is in the `extensions`
/// of the error.
#[derive(Default, MergedObject)]
pub struct Mutation(
    users::mutation::UserMutation,
    users::providers::ProviderMutation,
    users::mutation::registration::RegistrationMutation,
    users::mutation::accounts::AccountMutation,
    users::mutation::passwords::PasswordMutation,
    users::mutation::sessions::SessionMutation,
    users::mutation::api_tokens::ApiTokenMutation,
    users::mutation::settings::SettingsMutation,
    groups::mutation::GroupMutation,
    groups::members::MemberMutation,
    groups::limits::GroupLimitsMutation,
    projects::mutation::ProjectMutation,
    projects::states::StateMutation,
    projects::limits::LimitsMutation,
    projects::schedule::ScheduleMutation,
    projects::deletion::DeletionMutation,
    configs::mutation::ConfigMutation,
    configs::versions::VersionMutation,
    configs::deletion::ConfigDeletionMutation,
    jobs::mutation::JobMutation,
    jobs::retry::RetryMutation,
    jobs::priority::PriorityMutation,
    queues::mutation::QueueMutation,
    storage::mutation::StorageMutation,
    files::mutation::FilesMutation,
    orphans::mutation::OrphanMutation,
    audit::exports::mutation::AuditExportMutation,
    requests::mutation::RequestMutation,
    notifications::mutation::NotificationMutation,
    notifications::webhooks::mutation::WebhookMutation,
);

/// The subscriptions of the API.
#[derive(Default, MergedSubscription)]
pub struct Subscription(
    jobs::subscription::JobSubscription,
    jobs::quota::feed::QuotaSubscription,
    storage::subscription::StorageSubscription,
    audit::subscription::AuditSubscription,
    requests::subscription::RequestSubscription,
    notifications::subscription::NotificationSubscription,
);

// The types with an ID, each with the kind of its ID and the function that finds it for a caller.
nodes! {
    User(users::types::User), UserKind, users::query::find;
    Session(users::types::sessions::Session), SessionKind, users::query::find_session;
    ApiToken(users::types::api_tokens::ApiToken), ApiTokenKind, users::query::find_api_token;
    Group(groups::types::Group), GroupKind, groups::query::find;
    Membership(groups::types::Membership), MembershipKind, groups::query::find_membership;
    Project(projects::types::Project), ProjectKind, projects::query::find;
    ConfigFile(configs::types::ConfigFile), ConfigKind, configs::query::find;
    ConfigCommit(configs::types::ConfigCommit), CommitKind, configs::query::find_commit;
    JobTemplate(jobs::templates::types::JobTemplate), TemplateKind, jobs::templates::query::find;
    Job(jobs::types::Job), JobKind, jobs::query::find;
    Pvc(storage::types::Pvc), PvcKind, storage::query::find;
    FileSession(files::types::FileSession), FileSessionKind, files::query::find;
    AuditEntry(audit::types::AuditEntry), AuditKind, audit::query::find;
    AuditExport(audit::exports::types::AuditExport), AuditExportKind, audit::exports::query::find;
    Request(requests::types::Request), RequestKind, requests::query::find;
    RequestMessage(requests::types::RequestMessage), RequestMessageKind, requests::query::find_message;
    Notification(notifications::types::Notification), NotificationKind, notifications::query::find;
}

// The kinds of events, each with the name of its channel.
channels! {
    job_events: jobs::event::JobEvent;
    project_events: projects::event::ProjectEvent;
    pvc_events: storage::event::PvcEvent;
    audit_events: trail::event::Recorded;
    request_events: requests::event::RequestEvent;
    notification_events: notifications::event::Notified;
}
