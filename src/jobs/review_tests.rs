//! What a project's limits leave for a job.

use super::*;

fn refused(limits: Limits, used: Used, wanted: i64) -> String {
    let rooms = Room::all(&limits, &used, Demand { gpu: wanted, ..Demand::default() });
    let refused = rooms.iter().filter_map(|room| room.check().err());
    refused.map(|error| error.to_string()).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_job_beyond_the_quota_is_refused_with_the_numbers() {
    let limits = Limits { gpu: Some(8), concurrent_jobs: Some(10), ..Limits::default() };
    let used = |gpu, jobs| Used { demand: Demand { gpu, ..Demand::default() }, jobs, ..Used::default() };
    assert_eq!(refused(limits, used(6, 3), 2), "");
    insta::assert_snapshot!(refused(limits, used(6, 10), 3), @r"
    the project's limit is 8 GPUs; it uses 6 and this job requests 3
    the project's limit is 10 unfinished jobs; it uses 10 and this job requests 1
    ");
}

#[test]
fn jobs_that_wait_and_jobs_of_one_user_have_limits_of_their_own() {
    let limits = Limits {
        queued_jobs: Some(5),
        concurrent_jobs_per_user: Some(2),
        queued_jobs_per_user: Some(1),
        ..Limits::default()
    };
    let used = Used { jobs: 9, queued: 5, of_user: 2, of_user_queued: 1, ..Used::default() };
    insta::assert_snapshot!(refused(limits, used, 0), @r"
    the project's limit is 5 jobs that have not started; it uses 5 and this job requests 1
    the project's limit is 2 unfinished jobs per user; you have 2 and this job requests 1
    the project's limit is 1 jobs per user that have not started; you have 1 and this job requests 1
    ");
}
