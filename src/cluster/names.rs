//! Names that Kubernetes accepts: DNS-1123 labels and subdomains.

use crate::ids::{self, GroupId, JobId, ProjectId, PvcId, UserId};

/// Maximum length of a label, such as the name of a namespace or a container.
pub const MAX_LABEL: usize = 63;
/// Maximum length of a subdomain, such as the name of most objects.
pub const MAX_SUBDOMAIN: usize = 253;

/// A name that Kubernetes would not accept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// The name is empty.
    #[error("a name is required: {allowed}")]
    Empty {
        /// The allowed form.
        allowed: &'static str,
    },
    /// The name is too long.
    #[error("{shown:?} has {length} characters; at most {limit} are allowed")]
    Long {
        /// The name, truncated if it is very long.
        shown: String,
        /// The number of characters it has.
        length: usize,
        /// The maximum number of characters.
        limit: usize,
    },
    /// The name has a character that is not allowed, or not allowed in that position.
    #[error("{value:?} is not a valid name: {allowed}")]
    Form {
        /// The name that was given.
        value: String,
        /// The allowed form.
        allowed: &'static str,
    },
}

const LABEL: &str = "lower-case letters, digits and '-' are allowed, and it must begin and end with a letter or a digit (for \
                     example my-name or 123-abc)";
const SUBDOMAIN: &str = "lower-case letters, digits, '-' and '.' are allowed, and it and each part between dots must begin \
                         and end with a letter or a digit (for example example.com or my-name.v1)";

/// Checks a DNS-1123 label: the name of a namespace, a container or a volume, and anything that becomes part of a host
/// name.
pub fn check_label(name: &str) -> Result<(), InvalidName> {
    check_length(name, MAX_LABEL, LABEL)?;
    if is_label(name) { Ok(()) } else { Err(InvalidName::Form { value: name.to_owned(), allowed: LABEL }) }
}

/// Checks a DNS-1123 subdomain: the name of most objects.
pub fn check_subdomain(name: &str) -> Result<(), InvalidName> {
    check_length(name, MAX_SUBDOMAIN, SUBDOMAIN)?;
    if name.split('.').all(is_label) {
        Ok(())
    } else {
        Err(InvalidName::Form { value: name.to_owned(), allowed: SUBDOMAIN })
    }
}

fn check_length(name: &str, limit: usize, allowed: &'static str) -> Result<(), InvalidName> {
    let length = name.chars().count();
    if length == 0 {
        return Err(InvalidName::Empty { allowed });
    }
    if length > limit {
        let shown = name.chars().take(32).chain(['…']).collect();
        return Err(InvalidName::Long { shown, length, limit });
    }
    Ok(())
}

fn is_label(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.bytes().next().is_some_and(is_word)
        && text.bytes().next_back().is_some_and(is_word)
        && text.bytes().all(|byte| is_word(byte) || byte == b'-')
}

/// Label with the job's id, on every object that the platform creates.
pub const JOB_LABEL: &str = "platform.job-id";
/// Label with the project's id.
pub const PROJECT_LABEL: &str = "platform.project-id";
/// Label with the id of the user who submitted the job.
pub const USER_LABEL: &str = "platform.user-id";
/// Label with the id of the config commit that the job was made from.
pub const COMMIT_LABEL: &str = "platform.config-commit-id";

/// Label with the group's id, on the namespace for its own storage claims.
pub const GROUP_LABEL: &str = "platform.group-id";
/// Label with the id of a storage claim, on every claim that the platform creates.
pub const CLAIM_LABEL: &str = "platform.pvc-id";

/// Label of the pods that show the files of claims, and of what keeps others away from them.
pub const FILES_LABEL: &str = "platform.files";

/// The name of the pod that shows the files of a claim: `files-` and the 26 characters of its id.
pub fn file_pod(claim: PvcId) -> String {
    format!("files-{}", ids::suffix(claim.uuid()))
}

/// What a namespace belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tenant {
    /// A project, whose jobs run in it.
    Project(ProjectId),
    /// A group, for its own storage claims.
    Group(GroupId),
    /// A user, for their drive.
    User(UserId),
}

impl Tenant {
    /// The name of the namespace: `proj-`, `group-` or `user-`, and the 26 characters of the id.
    pub fn namespace(self) -> String {
        match self {
            Self::Project(project) => format!("proj-{}", ids::suffix(project.uuid())),
            Self::Group(group) => format!("group-{}", ids::suffix(group.uuid())),
            Self::User(user) => format!("user-{}", ids::suffix(user.uuid())),
        }
    }

    /// The label that says so.
    pub fn label(self) -> (&'static str, String) {
        match self {
            Self::Project(project) => (PROJECT_LABEL, project.to_string()),
            Self::Group(group) => (GROUP_LABEL, group.to_string()),
            Self::User(user) => (USER_LABEL, user.to_string()),
        }
    }
}

/// What a namespace of this name belongs to, if it is one of the platform's.
pub fn tenant_of(namespace: &str) -> Option<Tenant> {
    let (kind, suffix) = namespace.split_once('-')?;
    let id = ids::parse_suffix(suffix)?;
    match kind {
        "proj" => Some(Tenant::Project(ProjectId::from_uuid(id))),
        "group" => Some(Tenant::Group(GroupId::from_uuid(id))),
        "user" => Some(Tenant::User(UserId::from_uuid(id))),
        _ => None,
    }
}

/// The namespace of a project: `proj-` and the 26 characters of its id.
pub fn project_namespace(project: ProjectId) -> String {
    Tenant::Project(project).namespace()
}

/// The name of a job's first object: `job-` and the 26 characters of its id.
pub fn job_object(job: JobId) -> String {
    format!("job-{}", ids::suffix(job.uuid()))
}

/// The name of the object of a job's attempt, counted from 1: [`job_object`] for the first, with the suffix `-retry-N`
/// for the Nth retry.
pub fn job_attempt(job: JobId, attempt: i32) -> String {
    match attempt {
        ..=1 => job_object(job),
        attempt => format!("{}-retry-{}", job_object(job), attempt - 1),
    }
}

/// Whether an object with this name belongs to an earlier attempt of the job than `attempt`.
pub fn is_of_earlier_attempt(object: &str, job: JobId, attempt: i32) -> bool {
    attempt > 1 && object != job_attempt(job, attempt)
}

/// The job that an object's name or label refers to; labels have the id as it is, names have it with `-`.
pub fn job_of(text: &str) -> Option<JobId> {
    let suffix = text.strip_prefix("job_").or_else(|| text.strip_prefix("job-"))?;
    ids::parse_suffix(suffix).map(JobId::from_uuid)
}

#[cfg(test)]
mod tests {
    use super::{check_label, check_subdomain};
    use insta::assert_snapshot;
    use proptest::prelude::*;

    #[test]
    fn labels_and_subdomains_pass() {
        for name in ["a", "my-name", "123-abc", "0", "a--b"] {
            assert_eq!(check_label(name), Ok(()));
        }
        assert_eq!(check_subdomain("flashjobs.scheduling.flash-sched.io"), Ok(()));
    }

    #[test]
    fn a_bad_name_is_shown_with_what_is_allowed() {
        assert_snapshot!(check_label("My_Name").unwrap_err(), @r#""My_Name" is not a valid name: lower-case letters, digits and '-' are allowed, and it must begin and end with a letter or a digit (for example my-name or 123-abc)"#);
        assert_snapshot!(check_subdomain("a..b").unwrap_err(), @r#""a..b" is not a valid name: lower-case letters, digits, '-' and '.' are allowed, and it and each part between dots must begin and end with a letter or a digit (for example example.com or my-name.v1)"#);
        assert_snapshot!(check_label("").unwrap_err(), @"a name is required: lower-case letters, digits and '-' are allowed, and it must begin and end with a letter or a digit (for example my-name or 123-abc)");
        assert_snapshot!(check_label(&"a".repeat(300)).unwrap_err(), @r#""aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…" has 300 characters; at most 63 are allowed"#);
    }

    #[test]
    fn the_ends_are_letters_or_digits() {
        for name in ["-a", "a-", "a.b", "ä", "a b", "a\n"] {
            assert!(check_label(name).is_err(), "{name:?} was taken");
        }
        for name in [".a", "a.", "a.-b"] {
            assert!(check_subdomain(name).is_err(), "{name:?} was taken");
        }
    }

    proptest! {
        #[test]
        fn every_label_is_a_subdomain(name in ".{0,80}") {
            prop_assert!(check_label(&name).is_err() || check_subdomain(&name).is_ok());
        }
    }
}
