//! When the jobs of a project can start: who sets it, and what happens to a job outside the windows.

use serde_json::{Value, json};

use super::permissions::Reached::{Below, By};
use super::permissions::Rows;
use super::{World, errors, sql};

/// Who sees and sets schedules.
pub const ROWS: Rows = Rows {
    setup: "INSERT INTO project_schedules (project_id, time_zone, outside)
            SELECT id, 'Etc/UTC', 'WAIT' FROM projects WHERE name = 'detection';
        INSERT INTO schedule_windows (project_id, minutes)
            SELECT id, '[0,10080)' FROM projects WHERE name = 'detection';",
    operations: &[(
        "setProjectSchedule",
        "mutation($detection: ID!) { setProjectSchedule(input: { projectId: $detection, timeZone: \"Etc/UTC\", windows: [] }) {
            project { id } } }",
    )],
    types: &[
        ("SetProjectSchedulePayload", Below("setProjectSchedule")),
        ("ProjectSchedule", By("query($detection: ID!) { project(id: $detection) { schedule { FIELD } } }")),
        ("ScheduleWindow", By("query($detection: ID!) { project(id: $detection) { schedule { windows { FIELD } } } }")),
    ],
};

const SET: &str = "mutation($input: SetProjectScheduleInput!) { setProjectSchedule(input: $input) {
    project { schedule { timeZone outside windows { weekday from to } } } } }";
const SUBMIT: &str = "mutation($id: ID!) {
    submitJob(input: { projectId: $id, source: { spec: { image: \"python:3.12\" } } }) { job { id } } }";
const PREVIEW: &str =
    "query($id: ID!) { previewJob(input: { projectId: $id, source: { spec: { image: \"python:3.12\" } } }) {
    admitted warnings verdicts { rule outcome problems { message } } } }";

async fn detection(world: &World) -> Value {
    let query = "{ projects(filter: { names: [\"detection\"] }) { nodes { id } } }";
    world.ask("admin", query, json!({})).await["data"]["projects"]["nodes"][0]["id"].clone()
}

fn window(weekday: &str, from: &str, to: &str) -> Value {
    json!({ "weekday": weekday, "from": from, "to": to })
}

async fn set(world: &World, who: &str, zone: &str, windows: Value, outside: &str) -> Value {
    let input =
        json!({ "projectId": detection(world).await, "timeZone": zone, "windows": windows, "outside": outside });
    world.ask(who, SET, json!({ "input": input })).await
}

/// A window of two hours that is as far from now as it can be.
fn far_from_now() -> Value {
    use chrono::{Datelike, Utc};
    let days = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"];
    let today = usize::try_from(Utc::now().weekday().num_days_from_monday()).unwrap();
    json!([window(days[(today + 3) % 7], "10:00", "12:00")])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_comes_back_in_the_order_of_the_week_and_goes_without_windows() {
    let world = World::new().await;
    let windows = json!([
        window("SUNDAY", "22:00", "06:00"),
        window("FRIDAY", "00:00", "24:00"),
        window("MONDAY", "08:00", "18:30")
    ]);
    let answer = set(&world, "maya", "Europe/Berlin", windows, "REFUSE").await;
    insta::assert_snapshot!(answer["data"]["setProjectSchedule"]["project"]["schedule"], @r#"{"timeZone":"Europe/Berlin","outside":"REFUSE","windows":[{"weekday":"MONDAY","from":"08:00","to":"18:30"},{"weekday":"FRIDAY","from":"00:00","to":"24:00"},{"weekday":"SUNDAY","from":"22:00","to":"06:00"}]}"#);
    let answer = set(&world, "maya", "Europe/Berlin", json!([]), "WAIT").await;
    assert_eq!(answer["data"]["setProjectSchedule"]["project"]["schedule"], Value::Null, "{answer}");
    let refused = set(&world, "ada", "Europe/Berlin", json!([]), "WAIT").await;
    insta::assert_snapshot!(errors(&refused), @"FORBIDDEN input.projectId: only managers and admins of the group can set the schedule of its projects");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_is_wrong_with_a_schedule_is_told_at_its_window() {
    let world = World::new().await;
    let windows = json!([
        window("MONDAY", "08:00", "18:00"),
        window("SUNDAY", "20:00", "08:01"),
        window("MONDAY", "8:00", "24:01"),
        window("TUESDAY", "09:00", "09:00"),
        window("MONDAY", "17:59", "19:00"),
    ]);
    let answer = set(&world, "maya", "Berlin", windows, "WAIT").await;
    insta::assert_snapshot!(errors(&answer), @r#"
    BAD_USER_INPUT input.timeZone: "Berlin" is not a time zone; it must be an IANA name such as "Europe/Berlin" or "Etc/UTC"
    BAD_USER_INPUT input.windows.1: Sun 20:00-08:01 overlaps Mon 08:00-18:00, which is windows.0
    BAD_USER_INPUT input.windows.2.from: "8:00" is not a time of day; it must be between "00:00" and "23:59"
    BAD_USER_INPUT input.windows.2.to: "24:01" is not a time of day; it must be between "00:00" and "24:00"
    BAD_USER_INPUT input.windows.3.to: the window begins and ends at 09:00; for a whole day, it must end at "24:00"
    BAD_USER_INPUT input.windows.4: Mon 17:59-19:00 overlaps Mon 08:00-18:00, which is windows.0
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_has_no_two_windows_that_overlap_in_one_project() {
    let world = World::new().await;
    set(&world, "maya", "Etc/UTC", json!([window("MONDAY", "08:00", "18:00")]), "WAIT").await;
    let insert = |project: &str, minutes: &str| {
        format!("INSERT INTO project_schedules SELECT id, 'Etc/UTC', 'WAIT' FROM projects WHERE name = '{project}' ON CONFLICT DO NOTHING;
            INSERT INTO schedule_windows SELECT id, '{minutes}' FROM projects WHERE name = '{project}'")
    };
    let inserted = async |project: &str, minutes: &str| {
        crate::support::database::execute(&world.url, &insert(project, minutes)).await
    };
    assert!(inserted("segmentation", "[500,600)").await.is_ok(), "another project has a week of its own");
    assert!(inserted("detection", "[1080,1081)").await.is_ok(), "it begins when the other ends");
    let error = inserted("detection", "[1079,1080)").await.unwrap_err();
    assert_eq!(error.as_db_error().and_then(|error| error.constraint()), Some("schedule_windows_overlap"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outside_the_windows_a_job_is_refused_or_would_wait_as_the_project_says() {
    let world = World::new().await;
    let id = json!({ "id": detection(&world).await });
    set(&world, "maya", "Etc/UTC", far_from_now(), "REFUSE").await;
    let refused = errors(&world.ask("ada", SUBMIT, id.clone()).await);
    assert!(refused.starts_with("CONFLICT input.projectId: outside the project's schedule; it opens "), "{refused}");
    assert!(refused.ends_with(" 10:00 Etc/UTC"), "{refused}");
    let preview = &world.ask("ada", PREVIEW, id.clone()).await["data"]["previewJob"];
    let verdict = preview["verdicts"].as_array().unwrap().iter().find(|verdict| verdict["rule"] == "PROJECT").unwrap();
    assert_eq!((&preview["admitted"], &verdict["outcome"]), (&json!(false), &json!("FAILED")));
    set(&world, "maya", "Etc/UTC", far_from_now(), "WAIT").await;
    let preview = &world.ask("ada", PREVIEW, id.clone()).await["data"]["previewJob"];
    let warning = preview["warnings"][0].as_str().unwrap_or_default();
    assert_eq!(preview["admitted"], true, "{preview}");
    assert!(warning.starts_with("The job would wait: outside the project's schedule; it opens "), "{preview}");
    assert_eq!(errors(&world.ask("ada", SUBMIT, id).await), "");
    // The worker is not running here: it is due at once, and finds out itself.
    sql(&world.url, "DO $$ BEGIN ASSERT (SELECT count(*) FROM jobs WHERE phase = 'SUBMITTED' AND next_attempt_at <= now()) = 1; END $$").await;
}
