//! Reasons that the platform itself sets.

/// Stopped to make room for another job.
pub const PREEMPTED: &str = "Preempted";
/// An attempt failed, and the next one is being started.
pub const RETRYING: &str = "Retrying";
/// Its tasks have nodes and are being started.
pub const PLACED: &str = "Placed";
/// The only running task got another pod.
pub const TASK_REPLACED: &str = "TaskReplaced";
/// The object was deleted by someone else.
pub const DELETED: &str = "Deleted";
/// The cluster rejects the object for good.
pub const INVALID: &str = "Invalid";
/// No window of the project's schedule is open.
pub const OUTSIDE_SCHEDULE: &str = "OutsideSchedule";
/// Its queue is paused.
pub const QUEUE_PAUSED: &str = "QueuePaused";
/// The cluster does not answer.
pub const CLUSTER_UNAVAILABLE: &str = "ClusterUnavailable";
/// The cluster does not accept the object at the moment.
pub const CLUSTER_REFUSED: &str = "ClusterRefused";
/// A quota of the namespace is exhausted.
pub const CLUSTER_QUOTA: &str = "ClusterQuotaExceeded";
/// The platform lacks the permission to create the object.
pub const CLUSTER_FORBIDDEN: &str = "ClusterForbidden";
/// The cluster does not have this kind of object.
pub const CLUSTER_KIND_MISSING: &str = "ClusterKindMissing";
/// The cluster did not accept the job or its pods for as long as it was tried.
pub const REJECTED: &str = "Rejected";
/// The job exceeded its maximum run time.
pub const DEADLINE_EXCEEDED: &str = "DeadlineExceeded";
/// It failed, and the cluster does not say why.
pub const UNKNOWN: &str = "Unknown";
/// One of its tasks failed.
pub const TASK_FAILED: &str = "TaskFailed";
/// It is suspended in the cluster.
pub const SUSPENDED: &str = "Suspended";
/// A user cancelled it.
pub const CANCELLED: &str = "Cancelled";
