//! Observations of the cluster, cleaned for PostgreSQL before they go any further.
//!
//! PostgreSQL's text, in a column or in `jsonb`, cannot contain U+0000, and Kubernetes lets anyone write one: a
//! container in its termination message, a controller in a condition. Every field of an observation is named here, so
//! that a new one is not forgotten.

use std::borrow::Cow;

use crate::cluster::pods::{Owner, TaskPod};
use crate::cluster::text::storable;
use crate::jobs::life::{ObjectRef, ObjectState, Observation, PartState, Seen};

/// Maximum length of a message, in bytes: the same as for a condition in Kubernetes.
const LONGEST_MESSAGE: usize = 32 << 10;
/// Maximum length of a name, uid or reason. Kubernetes allows 1024 characters for a reason and less for the others.
const LONGEST_WORD: usize = 1024;

/// The observation with every string cleaned.
pub(super) fn clean(mut observation: Observation) -> Observation {
    let Observation { job: _, executor: _, seen } = &mut observation;
    match seen {
        Seen::Object(state) => clean_state(state),
        Seen::Part(PartState { number: _, of: _, name, uid, state }) => {
            [name, uid].into_iter().for_each(word);
            clean_state(state);
        }
        Seen::Gone(object) => clean_ref(object),
        Seen::PartGone { name, whole } => {
            word(name);
            clean_ref(whole);
        }
        Seen::Pod(TaskPod {
            job: _,
            task: _,
            namespace,
            name,
            uid,
            owner: Owner { name: owner_name, uid: owner_uid },
            leaving: _,
            stopped: _,
            node,
            version: _,
            listed: _,
            gone: _,
            troubled: _,
            mounted: _,
            state: _,
            reason,
            message,
            container,
            in_init: _,
            exit_code: _,
            signal: _,
            started_at: _,
            finished_at: _,
        }) => {
            [namespace, name, owner_name, owner_uid].into_iter().for_each(word);
            [uid, node, reason, container].into_iter().flatten().for_each(word);
            message.iter_mut().for_each(sentence);
        }
    }
    observation
}

fn clean_state(state: &mut ObjectState) {
    let ObjectState {
        namespace,
        name,
        uid,
        version: _,
        listed: _,
        phase: _,
        reason,
        message,
        preempted: _,
        failed: _,
        deleting: _,
    } = state;
    [namespace, name, uid].into_iter().for_each(word);
    reason.iter_mut().for_each(word);
    message.iter_mut().for_each(sentence);
}

fn clean_ref(ObjectRef { name, uid }: &mut ObjectRef) {
    word(name);
    uid.iter_mut().for_each(word);
}

fn word(text: &mut String) {
    keep(text, LONGEST_WORD);
}

fn sentence(text: &mut String) {
    keep(text, LONGEST_MESSAGE);
}

fn keep(text: &mut String, longest: usize) {
    if let Cow::Owned(cleaned) = storable(text, longest) {
        *text = cleaned;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::pods::PodState;
    use crate::executor::ExecutorMode;
    use crate::ids::JobId;
    use crate::jobs::life::ObjectPhase;

    const DIRTY: &str = "a\0b\0";

    fn cleaned(seen: Seen) -> String {
        format!("{:?}", clean(Observation { job: JobId::generate(), executor: ExecutorMode::Local, seen }))
    }

    #[test]
    fn no_text_of_an_observation_keeps_a_nul() {
        let dirty = || Some(DIRTY.to_owned());
        let object = ObjectState {
            namespace: DIRTY.into(),
            name: DIRTY.into(),
            uid: DIRTY.into(),
            version: 1,
            listed: false,
            phase: ObjectPhase::Pending,
            reason: dirty(),
            message: dirty(),
            preempted: false,
            failed: 0,
            deleting: false,
        };
        let pod = TaskPod {
            job: JobId::generate(),
            task: 0,
            namespace: DIRTY.into(),
            name: DIRTY.into(),
            uid: dirty(),
            owner: Owner { name: DIRTY.into(), uid: DIRTY.into() },
            leaving: false,
            stopped: None,
            node: dirty(),
            version: 1,
            listed: false,
            gone: false,
            troubled: false,
            mounted: false,
            state: PodState::Failed,
            reason: dirty(),
            message: dirty(),
            container: dirty(),
            in_init: false,
            exit_code: Some(1),
            signal: None,
            started_at: None,
            finished_at: None,
        };
        let gone = ObjectRef { name: DIRTY.into(), uid: dirty() };
        let part = PartState { number: 1, of: 2, name: DIRTY.into(), uid: DIRTY.into(), state: object.clone() };
        let part_gone = Seen::PartGone { name: DIRTY.into(), whole: gone.clone() };
        let all = [
            (Seen::Object(object), 5),
            (Seen::Part(part), 7),
            (Seen::Pod(pod), 9),
            (Seen::Gone(gone), 2),
            (part_gone, 3),
        ];
        for (seen, texts) in all {
            let shown = cleaned(seen);
            assert_eq!(
                (shown.matches("\\0").count(), shown.matches("a\u{fffd}b\u{fffd}").count()),
                (0, texts),
                "{shown}"
            );
        }
    }
}
