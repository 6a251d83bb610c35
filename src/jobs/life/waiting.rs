//! Why a job waits, as one sentence that a person understands.

use super::reason;
use super::refused::{POD_REJECTED, is_quota};
use crate::cluster::pods::{CLAIM_NOT_BOUND, UNSCHEDULABLE};
use crate::jobs::model::task::{Task, TaskState};

/// What is said of a job that makes room. Who it makes room for may be nobody's business.
pub(super) const PREEMPTED: &str =
    "stopped to make room for a job of a higher queue; it starts again when there is room";

/// The cluster's word and sentence for why a job's object waits, as a sentence; `None` when it gives no sentence.
pub(super) fn of_object(word: Option<&str>, message: Option<&str>) -> Option<String> {
    let message = message?;
    match word {
        // The API server's own words, for administrators: exceeded quota: platform, requested: pods=1, used: pods=5000 …
        Some(POD_REJECTED) if is_quota(message) => Some(
            "The quota of the project's namespace is used up; it starts when other pods of the project have ended."
                .to_owned(),
        ),
        Some(POD_REJECTED) => Some(format!("The cluster does not take its pods: {}", as_sentence(message))),
        Some(reason::PREEMPTED) => Some(as_sentence(PREEMPTED)),
        _ => Some(as_sentence(message)),
    }
}

/// Why a task waits, where its pod says so.
pub(super) fn of_task(task: &Task) -> Option<String> {
    let word = task.reason.as_deref().filter(|_| task.state == TaskState::Waiting)?;
    let index = task.index;
    match word {
        CLAIM_NOT_BOUND => Some(format!("Task {index} waits for its storage claim to be bound.")),
        UNSCHEDULABLE => Some(format!("Task {index} waits for a node with room for it.")),
        "ErrImagePull" | "ImagePullBackOff" | "RegistryUnavailable" => {
            Some(format!("Task {index} waits for its image, which could not be pulled; it is tried again."))
        }
        "InvalidImageName" | "ErrImageNeverPull" | "ImageInspectError" => {
            Some(format!("Task {index} waits for its image, which cannot be used: {word}."))
        }
        _ => None,
    }
}

/// Words as a sentence.
pub(super) fn as_sentence(words: &str) -> String {
    let mut letters = words.trim().trim_end_matches('.').chars();
    match letters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), letters.as_str()),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cluster_s_words_become_sentences() {
        let told = |word, message| of_object(Some(word), Some(message)).unwrap();
        let table = [
            told("GangShort", "gang short by 2 of 4: not enough room on the nodes; 3 jobs wait ahead"),
            told("QueueMaxConcurrent", "queue night runs 2 jobs, as many as it may; 1 job waits ahead"),
            told(
                "PodRejected",
                "pods \"x\" is forbidden: exceeded quota: platform, requested: pods=1, used: pods=5000",
            ),
            told("PodRejected", "admission webhook denied the request"),
            told("Preempted", "stopped to make room for proj-x/job-y of a higher queue"),
        ];
        insta::assert_snapshot!(table.join("\n"), @"
        Gang short by 2 of 4: not enough room on the nodes; 3 jobs wait ahead.
        Queue night runs 2 jobs, as many as it may; 1 job waits ahead.
        The quota of the project's namespace is used up; it starts when other pods of the project have ended.
        The cluster does not take its pods: Admission webhook denied the request.
        Stopped to make room for a job of a higher queue; it starts again when there is room.
        ");
        assert_eq!(of_object(Some("Unknown"), None), None);
    }

    #[test]
    fn a_task_says_what_it_waits_for() {
        let waits = |word: &str| of_task(&Task { reason: Some(word.to_owned()), ..Task::of_state(TaskState::Waiting) });
        insta::assert_snapshot!(waits("ImagePullBackOff").unwrap(), @"Task 0 waits for its image, which could not be pulled; it is tried again.");
        insta::assert_snapshot!(waits("InvalidImageName").unwrap(), @"Task 0 waits for its image, which cannot be used: InvalidImageName.");
        insta::assert_snapshot!(waits(CLAIM_NOT_BOUND).unwrap(), @"Task 0 waits for its storage claim to be bound.");
        insta::assert_snapshot!(waits(UNSCHEDULABLE).unwrap(), @"Task 0 waits for a node with room for it.");
        assert_eq!(waits("ContainerCreating"), None, "that is how every pod begins");
        let ended = Task { reason: Some("ErrImagePull".to_owned()), ..Task::of_state(TaskState::Failed) };
        assert_eq!(of_task(&ended), None);
    }
}
