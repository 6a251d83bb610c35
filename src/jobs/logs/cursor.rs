//! Where a reader stands in a task's log, and the opaque cursor that tells a client so.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::cluster::logs::Position;
use crate::error::ApiError;
use crate::ids::JobId;

/// What a cursor begins with, so that another feed's cursor is not taken for one.
const MARK: &str = "l";

/// Where a reader stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The job.
    pub job: JobId,
    /// Which of its tasks.
    pub task: i32,
    /// The pod that it reads, by its uid; `None` before the first.
    pub pod: Option<String>,
    /// Behind which line of that pod's log; `None` before the first.
    pub after: Option<Position>,
    /// Whether all that the pod will ever have written was read.
    pub whole: bool,
}

impl Place {
    /// Before everything.
    pub fn start(job: JobId, task: i32) -> Self {
        Self { job, task, pod: None, after: None, whole: false }
    }

    /// The cursor a client is given.
    pub fn cursor(&self) -> String {
        let Self { job, task, pod, after, whole } = self;
        let pod = pod.as_deref().unwrap_or_default();
        let after = after.map(|after| format!("{}.{}", after.nanos, after.nth)).unwrap_or_default();
        let whole = if *whole { "whole" } else { "" };
        URL_SAFE_NO_PAD.encode(format!("{MARK}/{job}/{task}/{pod}/{after}/{whole}"))
    }

    /// Reads a client's cursor for the log of this task.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` at `after` for a text that is no cursor of this log.
    pub fn from_cursor(cursor: &str, job: JobId, task: i32) -> Result<Self, ApiError> {
        let place = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| Self::parse(&String::from_utf8(bytes).ok()?));
        place.filter(|place| place.job == job && place.task == task).ok_or_else(|| {
            let shown: String = cursor.chars().take(80).collect();
            ApiError::bad_input("after", format!("\"{shown}\" is not a cursor of the log of task {task} of {job}"))
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let [MARK, job, task, pod, after, whole] = parts[..] else { return None };
        let after = match after.split_once('.') {
            Some((nanos, nth)) => Some(Position { nanos: nanos.parse().ok()?, nth: nth.parse().ok()? }),
            None => after.is_empty().then_some(None)?,
        };
        Some(Self {
            job: job.parse().ok()?,
            task: task.parse().ok()?,
            pod: Some(pod).filter(|pod| !pod.is_empty()).map(str::to_owned),
            after,
            whole: whole == "whole",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn job() -> JobId {
        JobId::from_uuid(uuid::Uuid::from_u128(7))
    }

    #[test]
    fn another_task_s_cursor_is_refused() {
        let cursor = Place::start(job(), 1).cursor();
        insta::assert_snapshot!(Place::from_cursor(&cursor, job(), 0).unwrap_err(), @r#""bC9qb2JfMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDcvMS8vLw" is not a cursor of the log of task 0 of job_00000000000000000000000007"#);
    }

    proptest! {
        #[test]
        fn every_place_comes_back(task: i32, pod in "([0-9a-f-]{36})?", after: Option<(i64, u32)>, whole: bool) {
            let after = after.map(|(nanos, nth)| Position { nanos: nanos.into(), nth });
            let place = Place { job: job(), task, pod: Some(pod).filter(|pod| !pod.is_empty()), after, whole };
            prop_assert_eq!(Place::from_cursor(&place.cursor(), job(), task).unwrap(), place);
        }

        #[test]
        fn no_text_breaks_the_reader(text in ".{0,80}") {
            let _ = Place::from_cursor(&text, job(), 0);
            let _ = Place::parse(&text);
        }
    }
}
