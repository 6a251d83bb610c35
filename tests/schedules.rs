//! A job that is submitted outside its project's schedule waits, says why, and starts when the schedule lets it.

use chrono::{Datelike, Utc};
use serde_json::{Value, json};

use crate::support::dev::Dev;

const SET: &str = "mutation($i: SetProjectScheduleInput!) { setProjectSchedule(input: $i) { project { id } } }";
const SUBMIT: &str = "mutation($id: ID!) {
    submitJob(input: { projectId: $id, source: { spec: { image: \"busybox\" } } }) { job { id } } }";
const JOB: &str = "query($id: ID!) { job(id: $id) { phase reason pendingReason events { nodes { kind reason } } } }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_waits_for_a_window_and_starts_when_the_schedule_lets_it() {
    let dev = Dev::start("schedules", "embedded").await.unwrap();
    let token = dev.log_in("maya").await;
    let project = dev.project(&token, "detection").await;
    let days = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"];
    let today = usize::try_from(Utc::now().weekday().num_days_from_monday()).unwrap();
    let far = json!({ "weekday": days[(today + 3) % 7], "from": "08:00", "to": "18:00" });
    let schedule =
        |windows: Value| json!({ "i": { "projectId": project, "timeZone": "Europe/Berlin", "windows": windows } });
    dev.data(&token, SET, schedule(json!([far]))).await;

    let job = dev.data(&token, SUBMIT, json!({ "id": project })).await["submitJob"]["job"]["id"].clone();
    let waits = dev.job_when(&token, JOB, &job, |job| job["reason"] == "OutsideSchedule").await;
    assert_eq!(waits["phase"], "SUBMITTED", "{waits}");
    let sentence = waits["pendingReason"].as_str().unwrap();
    assert!(sentence.starts_with("Outside the project's schedule; it opens "), "{sentence}");
    assert!(sentence.ends_with(" 08:00 Europe/Berlin."), "{sentence}");

    let all: Vec<Value> = days.iter().map(|day| json!({ "weekday": day, "from": "00:00", "to": "24:00" })).collect();
    dev.data(&token, SET, schedule(all.into())).await;
    let ran = dev.job_when(&token, JOB, &job, |job| job["phase"] != "SUBMITTED").await;
    let kinds: Vec<_> = ran["events"]["nodes"].as_array().unwrap().iter().take(2).map(|event| &event["kind"]).collect();
    assert_eq!(kinds, ["SUBMITTED", "WAITING"], "{ran}");
    dev.stop().await;
}
