//! A job that is run as several objects: their states together are the state of the job.

use chrono::{DateTime, Duration, Utc};

use super::{Life, NewEvent, ObjectPhase, ObjectRef, ObjectState, reason};
use crate::jobs::model::part::{PartSeen, Parts};
use crate::jobs::phase::JobPhase;

/// When an object that should be there by now is looked for.
const MISSING: Duration = Duration::seconds(5);

/// One of the objects of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartState {
    /// Its number, from 0: the one that stands for the job.
    pub number: usize,
    /// How many there are.
    pub of: usize,
    /// Its own name.
    pub name: String,
    /// Its own uid.
    pub uid: String,
    /// Its state, with name and uid of the object that stands for the job.
    pub state: ObjectState,
}

impl Life {
    /// One of its objects reports its state.
    pub(super) fn observe_part(&mut self, part: &PartState, now: DateTime<Utc>) -> Vec<NewEvent> {
        let is_current = part.state.name == self.object_name
            && part.state.namespace == self.namespace
            && self.object_uid.as_ref().is_none_or(|known| *known == part.state.uid);
        if self.phase.is_terminal() || self.is_restarting() || !is_current || part.number >= part.of {
            return self.observe_object(&part.state, now);
        }
        if self.parts.0.len() != part.of {
            self.parts.0.clear();
            self.parts.0.resize(part.of, None);
        }
        let Some(place) = self.parts.0.get_mut(part.number) else { return Vec::new() };
        let is_older =
            |known: &PartSeen| known.uid == part.uid && !part.state.listed && known.version >= part.state.version;
        if place.as_ref().is_some_and(is_older) {
            return Vec::new();
        }
        *place = Some(PartSeen {
            name: part.name.clone(),
            uid: part.uid.clone(),
            version: part.state.version,
            phase: part.state.phase,
            failed: part.state.failed,
        });
        let together = self.together(&part.state);
        let events = self.observe_object(&together, now);
        if self.phase == JobPhase::Failed && self.parts.are_unfinished() {
            // The others are stopped next.
            self.next_attempt_at = Some(now);
        } else if !self.phase.is_terminal() {
            self.next_attempt_at = self.due(now);
        }
        events
    }

    /// The state of the job according to all its objects, of which one has just reported `latest`.
    fn together(&self, latest: &ObjectState) -> ObjectState {
        let known = || self.parts.0.iter().flatten();
        let is = |phase: ObjectPhase| known().any(|part| part.phase == phase);
        let all_succeeded =
            self.parts.0.iter().all(|part| part.as_ref().is_some_and(|part| part.phase == ObjectPhase::Succeeded));
        let phase = match () {
            () if is(ObjectPhase::Failed) => ObjectPhase::Failed,
            () if all_succeeded => ObjectPhase::Succeeded,
            () if is(ObjectPhase::Running) || is(ObjectPhase::Succeeded) => ObjectPhase::Running,
            () if latest.phase == ObjectPhase::Untold => ObjectPhase::Untold,
            () => ObjectPhase::Pending,
        };
        // Only what explains this phase: another part may have reported why it waits.
        let explains = phase == latest.phase;
        ObjectState {
            phase,
            version: known().map(|part| part.version).max().unwrap_or(latest.version),
            reason: latest.reason.clone().filter(|_| explains),
            message: latest.message.clone().filter(|_| explains),
            failed: known().map(|part| part.failed).fold(0, i32::saturating_add),
            ..latest.clone()
        }
    }

    /// One of its objects no longer exists, other than the one that stands for it.
    pub(super) fn part_gone(&mut self, name: &str, whole: &ObjectRef, now: DateTime<Utc>) -> Vec<NewEvent> {
        let another = whole.name != self.object_name || whole.uid != self.object_uid;
        if another || self.phase.is_terminal() || self.cancel_requested_at.is_some() || self.is_restarting() {
            return Vec::new();
        }
        let message = format!("its object {name} was deleted from the cluster by someone else");
        let why = (Some(reason::DELETED.to_owned()), Some(message));
        let events = self.enter(JobPhase::Failed, why, now).into_iter().collect();
        self.delete_all(now);
        events
    }

    /// What is left of it in the cluster is deleted next, all of its objects.
    pub(super) fn delete_all(&mut self, now: DateTime<Utc>) {
        self.parts = Parts::default();
        self.next_attempt_at = Some(now);
    }

    /// What still ran when a part failed is stopped.
    pub fn rest_stopped(&mut self, now: DateTime<Utc>) -> Vec<NewEvent> {
        self.parts = Parts::default();
        self.next_attempt_at = self.due(now);
        Vec::new()
    }

    /// When the submit worker looks for objects that have not been seen.
    pub(super) fn missing_parts_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.parts.are_incomplete().then(|| now + MISSING)
    }
}

#[cfg(test)]
#[path = "parts_tests.rs"]
mod tests;
