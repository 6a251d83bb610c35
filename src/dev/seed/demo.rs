//! The demo tenant: its users and what they have done so far.

use serde_json::json;
use tokio_postgres::Client;

use super::model::{self, ConfigFile, Group, Member, PastJob, Person, Project};
use super::{SeedError, SeededUser};

const ADMIN: u16 = 1;
const MAYA: u16 = 2;
const ADA: u16 = 3;
const BEN: u16 = 4;
const VISION: u16 = 1;
const LANGUAGE: u16 = 2;
const DETECTION: u16 = 1;
const SEGMENTATION: u16 = 2;
const CORPUS: u16 = 3;

const PEOPLE: [(Person, SeededUser); 4] = [
    (
        Person { number: ADMIN, display_name: "Platform Admin", platform_role: "ADMIN" },
        SeededUser { username: "admin", password: "platform-admin", role: "platform admin" },
    ),
    (
        Person { number: MAYA, display_name: "Maya Stone", platform_role: "USER" },
        SeededUser { username: "maya", password: "vision-manager", role: "manager of vision" },
    ),
    (
        Person { number: ADA, display_name: "Ada Hart", platform_role: "USER" },
        SeededUser { username: "ada", password: "vision-member", role: "member of vision" },
    ),
    (
        Person { number: BEN, display_name: "Ben Okafor", platform_role: "USER" },
        SeededUser { username: "ben", password: "language-member", role: "member of language" },
    ),
];

const GROUPS: [Group; 2] = [
    Group { number: VISION, name: "vision", description: "Detects and segments things in pictures." },
    Group { number: LANGUAGE, name: "language", description: "Collects texts and trains on them." },
];

const MEMBERS: [Member; 4] = [
    Member { group: VISION, person: MAYA, role: "MANAGER" },
    Member { group: VISION, person: ADA, role: "MEMBER" },
    Member { group: LANGUAGE, person: BEN, role: "MEMBER" },
    Member { group: LANGUAGE, person: MAYA, role: "MEMBER" },
];

const PROJECTS: [Project; 3] = [
    Project { number: DETECTION, group: VISION, name: "detection", description: "Boxes around things." },
    Project { number: SEGMENTATION, group: VISION, name: "segmentation", description: "The outlines of things." },
    Project { number: CORPUS, group: LANGUAGE, name: "corpus", description: "Texts, cleaned and counted." },
];

const CONFIG_FILES: [ConfigFile; 3] = [
    ConfigFile {
        number: 1,
        project: DETECTION,
        author: MAYA,
        name: "train.yaml",
        kinds: &["FlashJob"],
        message: "Train on two GPUs",
        yaml: include_str!("train.yaml"),
    },
    ConfigFile {
        number: 2,
        project: DETECTION,
        author: MAYA,
        name: "evaluate.yaml",
        kinds: &["ConfigMap", "Job"],
        message: "Evaluate the newest model",
        yaml: include_str!("evaluate.yaml"),
    },
    ConfigFile {
        number: 3,
        project: CORPUS,
        author: ADMIN,
        name: "tokenize.yaml",
        kinds: &["Pod"],
        message: "Tokenize the news",
        yaml: include_str!("tokenize.yaml"),
    },
];

const PAST_JOBS: [PastJob; 4] = [
    PastJob {
        number: 1,
        project: DETECTION,
        submitter: ADA,
        name: "train-resnet",
        phase: "SUCCEEDED",
        reason: None,
        message: None,
        hours_ago: 50,
        exit_code: Some(0),
    },
    PastJob {
        number: 2,
        project: DETECTION,
        submitter: ADA,
        name: "train-large-batch",
        phase: "FAILED",
        reason: Some("OOMKilled"),
        message: Some("task 0 needed more than its memory limit of 4Gi"),
        hours_ago: 26,
        exit_code: Some(137),
    },
    PastJob {
        number: 3,
        project: SEGMENTATION,
        submitter: MAYA,
        name: "outline-cells",
        phase: "CANCELLED",
        reason: Some("Cancelled"),
        message: Some("the wrong dataset"),
        hours_ago: 20,
        exit_code: None,
    },
    PastJob {
        number: 4,
        project: CORPUS,
        submitter: BEN,
        name: "tokenize-news",
        phase: "SUCCEEDED",
        reason: None,
        message: None,
        hours_ago: 3,
        exit_code: Some(0),
    },
];

pub(super) fn users() -> Vec<SeededUser> {
    PEOPLE.into_iter().map(|(_, user)| user).collect()
}

pub(super) async fn plant(client: &mut Client) -> Result<(), SeedError> {
    let transaction = client.transaction().await?;
    for (person, user) in &PEOPLE {
        // The cheapest cost: nothing in a development database is worth stealing.
        let hash = bcrypt::hash(user.password, 4)?;
        model::person(&transaction, person, user.username, &hash).await?;
    }
    for group in &GROUPS {
        model::group(&transaction, group).await?;
    }
    for member in &MEMBERS {
        model::member(&transaction, member).await?;
    }
    for project in &PROJECTS {
        model::project(&transaction, project).await?;
    }
    for file in &CONFIG_FILES {
        model::config_file(&transaction, file).await?;
    }
    for job in &PAST_JOBS {
        model::past_job(&transaction, job, &manifest(job)).await?;
    }
    Ok(transaction.commit().await?)
}

fn manifest(job: &PastJob) -> serde_json::Value {
    json!({
        "apiVersion": "scheduling.flash-sched.io/v1alpha1",
        "kind": "FlashJob",
        "metadata": { "name": job.name },
        "spec": {
            "minAvailable": 1,
            "tasks": [{
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [{ "name": "main", "image": "registry.example/vision/train:v3" }],
                },
            }],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_config_files_hold_the_kinds_they_say() {
        for file in CONFIG_FILES {
            let objects: Vec<serde_json::Value> = serde_saphyr::from_multiple(file.yaml).unwrap();
            let kinds: Vec<_> = objects.iter().map(|object| object["kind"].as_str().unwrap()).collect();
            assert_eq!(kinds, file.kinds, "{}", file.name);
        }
    }
}
