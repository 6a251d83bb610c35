//! The event of an entry, by which subscribers learn of it.

use serde::{Deserialize, Serialize};

use super::Outcome;
use crate::events::Event;
use crate::ids::AuditKind;

/// Something was recorded. Whom it concerns is in the topics of the event, and the rest is in the entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recorded {
    /// What was done.
    pub action: String,
    /// The outcome.
    pub outcome: Outcome,
}

impl Event for Recorded {
    const KIND: &'static str = "audit";
    type Subject = AuditKind;

    fn name(&self) -> &'static str {
        self.outcome.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stored events are read by every later version.
    #[test]
    fn the_log_keeps_an_event_under_these_names() {
        let event = Recorded { action: "createGroup".to_owned(), outcome: Outcome::Refused };
        let kept = serde_json::to_value(&event).unwrap();
        insta::assert_snapshot!(kept, @r#"{"action":"createGroup","outcome":"REFUSED"}"#);
        assert_eq!(serde_json::from_value::<Recorded>(kept).unwrap(), event);
    }
}
