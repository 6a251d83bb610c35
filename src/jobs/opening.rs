//! When a job can begin in a project, and how long it may run: what the project's state, schedule and limits and the pause
//! of the queue say.

use chrono::Utc;

use crate::error::{ApiError, Code};
use crate::projects::model::Project;
use crate::projects::model::limits::Limits;
use crate::projects::model::schedule::{OutsideSchedule, Schedule};
use crate::queues::model::Pause;

/// Why no job can begin in the project now, and what one would wait for.
pub(super) fn beginning(
    project: &Project,
    schedule: Option<Schedule>,
    pause: Option<&Pause>,
) -> (Vec<ApiError>, Vec<String>) {
    let mut closed: Vec<ApiError> = project.accepts_work().err().into_iter().collect();
    let mut warnings = Vec::new();
    if let Some((outside, why)) = schedule.and_then(|schedule| schedule.closed(Utc::now())) {
        match outside {
            OutsideSchedule::Refuse => closed.push(refused(why)),
            OutsideSchedule::Wait => warnings.push(format!("The job would wait: {why}.")),
        }
    }
    warnings.extend(pause.map(|pause| format!("The job would wait: {}", ended(pause.why()))));
    (closed, warnings)
}

/// The sentence ends with a period, which the words of a user may have already.
fn ended(words: String) -> String {
    if words.ends_with(['.', '!', '?']) { words } else { words + "." }
}

/// The project rejects jobs outside its schedule.
pub(super) fn refused(why: String) -> ApiError {
    ApiError::conflict(why).at("input.projectId")
}

/// The longest time in seconds that a job may run: what was asked for, or else the project's limit.
///
/// # Errors
/// `BAD_USER_INPUT` for more than the project allows.
pub(super) fn deadline(limits: &Limits, asked: Option<i64>) -> Result<Option<i64>, ApiError> {
    match (limits.max_run_seconds, asked) {
        (Some(most), Some(asked)) if asked > most => {
            let message =
                format!("activeDeadlineSeconds is {asked}; the project allows jobs to run for at most {most} s");
            Err(ApiError::new(Code::BadUserInput, message))
        }
        (Some(most), None) => Ok(Some(most)),
        (_, asked) => Ok(asked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_without_a_deadline_gets_that_of_the_project() {
        let limits = Limits { max_run_seconds: Some(3600), ..Limits::default() };
        assert_eq!(deadline(&limits, None).unwrap(), Some(3600));
        assert_eq!(deadline(&limits, Some(60)).unwrap(), Some(60));
        assert_eq!(deadline(&Limits::default(), None).unwrap(), None);
        insta::assert_snapshot!(deadline(&limits, Some(7200)).unwrap_err(), @"activeDeadlineSeconds is 7200; the project allows jobs to run for at most 3600 s");
    }
}
