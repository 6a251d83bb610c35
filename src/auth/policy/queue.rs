//! Who may submit to a queue, as far as the rules read it.

use crate::auth::principal::GroupRole;
use crate::config::QueueRole;

/// The least role in the project's group; `None` if only platform admins may.
pub(super) const fn least(role: QueueRole) -> Option<GroupRole> {
    match role {
        QueueRole::Member => Some(GroupRole::Member),
        QueueRole::Manager => Some(GroupRole::Manager),
        QueueRole::Admin => Some(GroupRole::Admin),
        QueueRole::PlatformAdmin => None,
    }
}

/// Who may submit to a queue, for the message to those who may not.
pub const fn users_of(role: QueueRole) -> &'static str {
    match role {
        QueueRole::Member => "members of the group",
        QueueRole::Manager => "managers and admins of the group",
        QueueRole::Admin => "admins of the group",
        QueueRole::PlatformAdmin => "platform admins",
    }
}
