//! The kinds of notifications that a user has turned off, for all notifications or for those that are sent to a webhook.

use super::NotificationType;

/// Whether notifications of this kind are turned off.
pub fn is_muted(muted: &[String], kind: NotificationType) -> bool {
    muted.iter().any(|muted| muted == kind.as_str())
}

/// Turns notifications of this kind on or off. Kinds that a later version has stored stay.
pub fn mute(muted: &mut Vec<String>, kind: NotificationType, off: bool) {
    muted.retain(|muted| muted != kind.as_str());
    if off {
        muted.push(kind.as_str().to_owned());
    }
}
