//! The rules that the platform holds the objects of a config file to, against the API server's own: what the one admits
//! the other takes, and what it refuses the other refuses, but for the rows that say that the platform is stricter.

mod rows;

use platform::config::GpuResources;
use platform::configs::documents;
use serde_json::{Value, json};

use self::rows::Row;
use self::rows::Verdict::{Both, Good, Ours, Stricter};
use super::arena::Arena as Place;
use super::pod_tables::tried;

/// What the platform says to an object, a line each problem.
fn refusal(object: &Value) -> Vec<String> {
    let told = documents::parse(&object.to_string(), "input.yaml", &GpuResources::default());
    told.err().map(|errors| errors.0.iter().map(ToString::to_string).collect()).unwrap_or_default()
}

async fn compare(arena: &Place, rows: Vec<Row>) {
    let is_real = arena.cluster.etcd_url().is_some();
    let path = |object: &Value| {
        let (version, kind) = (object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
        let root = if version.contains('/') { "apis" } else { "api" };
        let plural = if kind == "Ingress" { "ingresses".to_owned() } else { kind.to_lowercase() + "s" };
        format!("/{root}/{version}/namespaces/{}/{plural}", arena.namespace)
    };
    let asked = rows.iter().map(|row| {
        let mut object = row.object.clone();
        // A file may leave the name to the platform; the server wants one.
        if object["metadata"]["name"].is_null() && object["metadata"]["generateName"].is_null() {
            object["metadata"]["name"] = json!("a");
        }
        (path(&object), object)
    });
    let answers = tried(arena, asked.collect()).await;
    let mut wrong = Vec::new();
    for (row, answer) in rows.iter().zip(answers) {
        let ours = refusal(&row.object);
        let found = match (ours.is_empty(), answer.code) {
            (true, 201) => Good,
            (false, 201) => Stricter,
            (true, _) => Ours,
            (false, _) => Both,
        };
        let admitted = [Good, Ours].contains(&row.verdict);
        // The embedded server may be more lenient than the real one.
        let is_fine = match is_real {
            true => found == row.verdict,
            false => ours.is_empty() == admitted && (row.verdict != Good || found == Good),
        };
        if !is_fine {
            let mut line = format!("{found:?} and not {:?}: {ours:?}, {}: {}", row.verdict, answer.message, row.object);
            line.truncate(line.char_indices().nth(900).map_or(line.len(), |(index, _)| index));
            wrong.push(line);
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

contract! {
    async fn names_and_labels_that_the_platform_admits_are_taken(arena: Arena) {
        compare(&arena, rows::metadata()).await;
    }

    async fn services_that_the_platform_admits_are_taken(arena: Arena) {
        compare(&arena, rows::services()).await;
    }

    async fn ingresses_that_the_platform_admits_are_taken(arena: Arena) {
        compare(&arena, rows::ingresses()).await;
    }

    async fn deployments_that_the_platform_admits_are_taken(arena: Arena) {
        compare(&arena, rows::deployments()).await;
    }

    async fn cron_jobs_that_the_platform_admits_are_taken(arena: Arena) {
        compare(&arena, rows::cron_jobs()).await;
    }

    async fn what_holds_files_and_storage_is_taken_as_the_platform_admits_it(arena: Arena) {
        compare(&arena, rows::config_maps()).await;
        compare(&arena, rows::claims()).await;
    }
}
