//! What a subscriber receives of new notifications: their own.

use std::sync::Arc;

use super::event::Notified;
use super::types::NotificationEvent;
use crate::auth::policy::{self, Action, Scope};
use crate::auth::principal::Caller;
use crate::error::ApiError;
use crate::events::{Logged, Topics};
use crate::feeds::Feed;
use crate::ids::UserId;

/// A subscriber's view of notifications.
#[derive(Debug, Clone)]
pub struct View(pub UserId);

impl Feed for View {
    type Event = Notified;
    type Node = NotificationEvent;

    fn admit(&mut self, caller: &Caller) -> Result<(), ApiError> {
        policy::check(caller, Action::ViewNotification, Scope::person(self.0)).map(drop)
    }

    fn topics(&self) -> Topics {
        Topics::Person(self.0)
    }

    fn shows(&self, event: &Logged<Notified>) -> bool {
        event.about.person == Some(self.0)
    }

    fn node(event: Arc<Logged<Notified>>) -> NotificationEvent {
        NotificationEvent(event)
    }
}
