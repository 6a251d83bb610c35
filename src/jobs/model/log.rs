//! The state of a task that a reader of its log needs.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use super::manifest::Manifest;
use super::observed::Tasks;
use crate::db::tables::jobs;
use crate::ids::JobId;
use crate::jobs::logs::{Sight, Stages};

/// The state of the job and of its task's newest pod.
///
/// # Errors
/// The database's.
pub async fn sight(conn: &mut AsyncPgConnection, job: JobId, task: i32) -> QueryResult<Option<Sight>> {
    let columns = (jobs::phase, jobs::tasks, jobs::attempt, jobs::retry_limit);
    let found = jobs::table.find(job).select(columns).first(conn).await.optional()?;
    Ok(found.map(|(phase, Tasks(tasks), attempt, retry_limit)| Sight {
        phase,
        task: tasks.into_iter().find(|known| known.index == task),
        attempt,
        retry_limit,
    }))
}

/// The containers of one of the job's tasks, according to its manifest; `None` if there is no such task. Containers
/// that the cluster adds to a pod are not included.
pub fn stages(manifest: &Manifest, task: i32) -> Option<Stages> {
    let template = manifest.template_of(usize::try_from(task).ok()?)?;
    let template: Value = serde_json::from_str(template).ok()?;
    let spec = template.get("spec")?;
    let named = |list: &str, wanted: &dyn Fn(&Value) -> bool| -> Vec<String> {
        let containers = spec.get(list).and_then(Value::as_array).into_iter().flatten();
        let names = containers.filter(|it| wanted(it)).filter_map(|it| it.get("name")?.as_str());
        names.map(str::to_owned).collect()
    };
    // An init container that always restarts keeps running beside the others.
    let goes_on = |container: &Value| container["restartPolicy"] == "Always";
    let init = named("initContainers", &|container| !goes_on(container));
    Some(Stages::new(init, named("initContainers", &goes_on), named("containers", &|_| true)))
}
