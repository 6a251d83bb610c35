//! Why a job is waiting, as one sentence for users.

use super::reason;
use super::refused::{POD_REJECTED, is_quota};
use crate::cluster::pods::{CLAIM_NOT_BOUND, FAILED_MOUNT, INITIALIZING, UNSCHEDULABLE, stop};
use crate::jobs::model::task::{Task, TaskState};

/// The message about a preempted job. The user may not be allowed to know which job it made room for.
pub(super) const PREEMPTED: &str =
    "stopped to make room for a job in a higher queue; it will start again when there is room";

/// Why a job's object is waiting, as a sentence, from the cluster's reason and message; `None` without a message.
pub(super) fn of_object(word: Option<&str>, message: Option<&str>) -> Option<String> {
    let message = message?;
    match word {
        // The API server's own words, for administrators: exceeded quota: platform, requested: pods=1, used: pods=5000 …
        Some(POD_REJECTED) if is_quota(message) => Some(
            "The quota of the project's namespace is used up; it will start when other pods of the project have ended."
                .to_owned(),
        ),
        Some(POD_REJECTED) => Some(format!("The cluster does not accept its pods: {}", as_sentence(message))),
        Some(reason::PREEMPTED) => Some(as_sentence(PREEMPTED)),
        _ => Some(as_sentence(message)),
    }
}

/// Why a task is waiting, if its pod says so.
pub(super) fn of_task(task: &Task) -> Option<String> {
    let word = task.reason.as_deref().filter(|_| task.state == TaskState::Waiting)?;
    let index = task.index;
    let message = task.message.as_deref().unwrap_or_default();
    let container = task.place().unwrap_or_else(|| "container".to_owned());
    Some(match word {
        CLAIM_NOT_BOUND => format!("Task {index} is waiting for its storage claim to be bound."),
        UNSCHEDULABLE => format!("Task {index} is waiting for a node with room for it."),
        "ErrImagePull" | "ImagePullBackOff" | "RegistryUnavailable" => {
            format!(
                "Task {index} is waiting for {}, which could not be pulled; the pull will be tried again.",
                image(task)
            )
        }
        "InvalidImageName" | "ErrImageNeverPull" | "ImageInspectError" => {
            format!("Task {index} is waiting for {}, which cannot be used: {word}.", image(task))
        }
        "CreateContainerConfigError" | FAILED_MOUNT => match missing(message) {
            Some(missing) => format!("Task {index} is waiting for {missing}."),
            None if word == FAILED_MOUNT => {
                format!("Task {index} is waiting for its volumes: {}", as_sentence(message))
            }
            None => format!("Task {index} is waiting for its {container}, which cannot be set up: {}", told(message)),
        },
        "CreateContainerError"
        | "RunContainerError"
        | "StartError"
        | "PreCreateHookError"
        | "PreStartHookError"
        | "PostStartHookError" => {
            format!("Task {index} is waiting for its {container}, which could not be started: {}", told(message))
        }
        "CrashLoopBackOff" => {
            let end = task.exit_code.map(|code| format!(" with exit code {code}")).unwrap_or_default();
            format!("Task {index} is waiting: its {container} ended{end} and will be restarted after a pause.")
        }
        INITIALIZING => match &task.container {
            Some(name) => format!("Task {index} is running its init container {name}."),
            None => return None,
        },
        word if stop::is_word(word) => {
            format!("Task {index} is waiting for a new pod: {}.", task.why_stopped())
        }
        _ => return None,
    })
}

/// Its image, with the container if there are several.
fn image(task: &Task) -> String {
    task.place().map_or_else(|| "its image".to_owned(), |place| format!("the image of its {place}"))
}

fn told(message: &str) -> String {
    if message.is_empty() { "the cluster does not say why.".to_owned() } else { as_sentence(message) }
}

/// The missing Secret or ConfigMap, or the missing key of one, according to the kubelet's message.
fn missing(message: &str) -> Option<String> {
    let quoted = |before: &str| {
        let (_, rest) = message.split_once(before)?;
        let (name, rest) = rest.split_once('"')?;
        rest.trim_start().starts_with("not found").then_some(name)
    };
    for (before, kind) in [("secret \"", "Secret"), ("configmap \"", "ConfigMap")] {
        if let Some(name) = quoted(before) {
            return Some(format!("the {kind} {name}, which is not in the project's namespace"));
        }
    }
    // couldn't find key TOKEN in Secret proj-x/hf-token
    let (key, place) = message.split_once("find key ")?.1.split_once(" in ")?;
    let (kind, name) = place.split_once(' ')?;
    let name = name.split_whitespace().next()?.rsplit('/').next()?;
    Some(format!("the key {key} in the {kind} {name}, which does not have it"))
}

/// A message as a sentence.
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
        The quota of the project's namespace is used up; it will start when other pods of the project have ended.
        The cluster does not accept its pods: Admission webhook denied the request.
        Stopped to make room for a job in a higher queue; it will start again when there is room.
        ");
        assert_eq!(of_object(Some("Unknown"), None), None);
    }

    #[test]
    fn a_task_says_what_it_waits_for() {
        let waits = |word: &str| of_task(&Task { reason: Some(word.to_owned()), ..Task::of_state(TaskState::Waiting) });
        insta::assert_snapshot!(waits("ImagePullBackOff").unwrap(), @"Task 0 is waiting for its image, which could not be pulled; the pull will be tried again.");
        insta::assert_snapshot!(waits("InvalidImageName").unwrap(), @"Task 0 is waiting for its image, which cannot be used: InvalidImageName.");
        insta::assert_snapshot!(waits(CLAIM_NOT_BOUND).unwrap(), @"Task 0 is waiting for its storage claim to be bound.");
        insta::assert_snapshot!(waits(UNSCHEDULABLE).unwrap(), @"Task 0 is waiting for a node with room for it.");
        assert_eq!(waits("ContainerCreating"), None, "that is how every pod begins");
        let told = |word: &str, message: &str| {
            let (reason, message) = (Some(word.to_owned()), Some(message.to_owned()));
            of_task(&Task { reason, message, ..Task::of_state(TaskState::Waiting) }).unwrap() + "\n"
        };
        let config = |message| told("CreateContainerConfigError", message);
        let table: String = [
            config(r#"secret "hf-token" not found"#),
            config(r#"configmap "settings" not found"#),
            config("couldn't find key TOKEN in Secret proj-x/hf-token"),
            config("container has runAsNonRoot and image will run as root"),
            told(FAILED_MOUNT, r#"MountVolume.SetUp failed for volume "v" : configmap "settings" not found"#),
            told(FAILED_MOUNT, r#"MountVolume.SetUp failed for volume "v" : timed out"#),
            told("RunContainerError", "exec: \"serve\": executable file not found in $PATH"),
            told("CreateContainerError", ""),
        ]
        .concat();
        insta::assert_snapshot!(table, @r#"
        Task 0 is waiting for the Secret hf-token, which is not in the project's namespace.
        Task 0 is waiting for the ConfigMap settings, which is not in the project's namespace.
        Task 0 is waiting for the key TOKEN in the Secret hf-token, which does not have it.
        Task 0 is waiting for its container, which cannot be set up: Container has runAsNonRoot and image will run as root.
        Task 0 is waiting for the ConfigMap settings, which is not in the project's namespace.
        Task 0 is waiting for its volumes: MountVolume.SetUp failed for volume "v" : timed out.
        Task 0 is waiting for its container, which could not be started: Exec: "serve": executable file not found in $PATH.
        Task 0 is waiting for its container, which could not be started: the cluster does not say why.
        "#);
        let of_init = |word: &str| {
            let task = Task { reason: Some(word.to_owned()), in_init: true, ..Task::of_state(TaskState::Waiting) };
            of_task(&Task { container: Some("setup".to_owned()), exit_code: Some(3), ..task }).unwrap() + "\n"
        };
        let table = ["PodInitializing", "ImagePullBackOff", "CrashLoopBackOff", "PodDeleted"].map(of_init).concat();
        insta::assert_snapshot!(table, @r"
        Task 0 is running its init container setup.
        Task 0 is waiting for the image of its init container setup, which could not be pulled; the pull will be tried again.
        Task 0 is waiting: its init container setup ended with exit code 3 and will be restarted after a pause.
        Task 0 is waiting for a new pod: its pod was deleted.
        ");
        let ended = Task { reason: Some("ErrImagePull".to_owned()), ..Task::of_state(TaskState::Failed) };
        assert_eq!(of_task(&ended), None);
    }
}
