//! What a subscriber receives of the events of requests: those of requests that they can see.

use std::sync::Arc;

use async_graphql::InputObject;

use super::event::RequestEvent as Happened;
use super::types::RequestEvent;
use crate::auth::policy::{self, Action, Visible};
use crate::auth::principal::Caller;
use crate::error::{ApiError, ApiErrors};
use crate::events::{Logged, Topics};
use crate::feeds::Feed;
use crate::graphql::ids::{self, GivenId};
use crate::ids::{RequestId, RequestKind, UserId};

/// Filters for the events of requests. Omitted fields do not filter; an event must match all fields that are given.
#[derive(Debug, Clone, Default, InputObject)]
pub struct RequestEventFilter {
    /// Only return events of this request.
    pub request_id: Option<GivenId<RequestKind>>,
    /// If true, only return events of requests that you have opened.
    #[graphql(default_with = "Some(false)")]
    pub mine: Option<bool>,
}

/// A subscriber's view of the events of requests.
#[derive(Debug, Clone)]
pub struct View {
    viewer: UserId,
    request: Option<RequestId>,
    mine: bool,
    /// The groups whose requests they may currently see.
    visible: Visible,
}

impl View {
    /// The view of `viewer` that a filter selects; only their own requests until it is admitted.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` for an ID that is not valid.
    pub fn open(viewer: UserId, filter: &RequestEventFilter) -> Result<Self, ApiErrors> {
        let request = ids::maybe(filter.request_id.as_ref(), "filter.requestId")?;
        Ok(Self { viewer, request, mine: filter.mine.unwrap_or(false), visible: Visible::NOTHING })
    }
}

impl Feed for View {
    type Event = Happened;
    type Node = RequestEvent;

    fn admit(&mut self, caller: &Caller) -> Result<(), ApiError> {
        self.visible = policy::groups_where(caller, Action::ViewRequest)?;
        Ok(())
    }

    fn topics(&self) -> Topics {
        match self.request {
            Some(request) => Topics::subjects(&[request]),
            None if self.mine => Topics::Person(self.viewer),
            // Their own and those of their groups: an event belongs to one sort of topics only.
            None => Topics::Everything,
        }
    }

    fn shows(&self, Logged { about, .. }: &Logged<Happened>) -> bool {
        let is_own = about.person == Some(self.viewer) && self.visible.includes_project(about.project);
        let is_visible = self.visible.includes(about.group, about.project);
        (is_own || (is_visible && !self.mine)) && self.request.is_none_or(|request| about.subject == request.uuid())
    }

    fn node(event: Arc<Logged<Happened>>) -> RequestEvent {
        RequestEvent(event)
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;
    use crate::events::{About, Seq};
    use crate::ids::GroupId;
    use crate::requests::event::RequestEventKind;
    use crate::requests::model::RequestStatus;

    fn event(author: UserId, group: Option<GroupId>) -> Logged<Happened> {
        let about = About { group, person: Some(author), ..About::subject(RequestId::generate()) };
        let event = Happened { kind: RequestEventKind::Opened, status: RequestStatus::Open };
        Logged { seq: Seq(1), at: Utc::now(), about, event }
    }

    #[test]
    fn the_author_and_those_responsible_are_told_and_nobody_else() {
        let (me, other, group) = (UserId::generate(), UserId::generate(), GroupId::generate());
        let view = |visible, mine| {
            let filter = RequestEventFilter { request_id: None, mine: Some(mine) };
            View { visible, ..View::open(me, &filter).unwrap() }
        };
        let none = || Visible::NOTHING;
        assert!(view(none(), false).shows(&event(me, None)) && view(none(), true).shows(&event(me, Some(group))));
        assert!(
            !view(none(), false).shows(&event(other, None)) && !view(none(), false).shows(&event(other, Some(group)))
        );
        assert!(view(Visible::of_groups(vec![group]), false).shows(&event(other, Some(group))));
        assert!(!view(Visible::of_groups(vec![group]), false).shows(&event(other, None)));
        assert!(view(Visible::Everything, false).shows(&event(other, None)));
        assert!(!view(Visible::Everything, true).shows(&event(other, None)));
    }
}
