//! What `/ready` checks: everything that requests need, and what would go wrong unnoticed.

use std::time::{Duration, Instant};

use super::App;
use crate::db::migrations;
use crate::error::{ApiError, Code};
use crate::http::ReadinessCheck;
use crate::tasks::{Duty, Standing};

/// The log is read every few seconds. A replica that has not managed to for this long cannot send events to its
/// subscribers.
const LONGEST_SILENCE: Duration = Duration::from_secs(15);

/// The checks of a server, all made at the same time.
pub(super) async fn checks(app: &App) -> Vec<ReadinessCheck> {
    let database = check("database", async { app.db.ping().await.map(|()| None) });
    let migrations = check("migrations", async {
        match migrations::is_current(&app.db).await? {
            true => Ok(None),
            false => Err(ApiError::conflict("the database is missing migrations of this version")),
        }
    });
    let cluster =
        check("cluster", async { app.cluster.version().await.map(Some).map_err(ApiError::cluster_unavailable) });
    let events = check("events", async {
        let silence = app.bus.silence();
        match *app.bus.tip().borrow() {
            Some(_) if silence > LONGEST_SILENCE => {
                let message = format!("the event log was last read {} s ago", silence.as_secs());
                Err(ApiError::new(Code::DatabaseUnavailable, message))
            }
            Some(tip) => Ok(Some(format!("at {tip}"))),
            None => Err(ApiError::database_unavailable("the event log has not been read yet")),
        }
    });
    let watch = check("watch", async {
        app.watch.check().map(Some).map_err(|message| ApiError::new(Code::DatabaseUnavailable, message))
    });
    let background = check("background", async {
        background(&app.tasks.standing()).map(Some).map_err(|message| ApiError::new(Code::Internal, message))
    });
    let (database, migrations, cluster, events, watch, background) =
        tokio::join!(database, migrations, cluster, events, watch, background);
    let mut checks = vec![database, migrations, cluster, events, watch, background];
    if let Some(store) = &app.objects {
        // Requests and jobs do not need it, and exports wait for it: it keeps no server from being ready.
        checks.push(check("objects", async { Ok(Some(store.health().told())) }).await);
    }
    checks
}

/// Whether all background tasks are running, and how often they were restarted.
fn background(tasks: &[Standing]) -> Result<String, String> {
    let down = |duty| -> Vec<String> {
        let tasks = tasks.iter().filter(|task| task.duty == duty);
        tasks.filter_map(|task| Some(format!("the task {} is down: {}", task.name, task.down.as_ref()?))).collect()
    };
    let (unserved, untidied) = (down(Duty::Serving), down(Duty::Housekeeping));
    if !unserved.is_empty() {
        return Err([unserved, untidied].concat().join("; "));
    }
    if !untidied.is_empty() {
        return Ok(untidied.join("; "));
    }
    let restarted = tasks.iter().filter(|task| task.restarts > 0);
    let restarted: Vec<_> = restarted.map(|task| format!("{} {}", task.name, task.restarts)).collect();
    Ok(match restarted.is_empty() {
        true => format!("{} tasks are running", tasks.len()),
        false => format!("{} tasks are running; restarts: {}", tasks.len(), restarted.join(", ")),
    })
}

async fn check(name: &'static str, probe: impl Future<Output = Result<Option<String>, ApiError>>) -> ReadinessCheck {
    let since = Instant::now();
    let (healthy, detail) = match tokio::time::timeout(Duration::from_secs(3), probe).await {
        Ok(Ok(detail)) => (true, detail),
        Ok(Err(error)) => (false, Some(error.to_string())),
        Err(_) => (false, Some("no response within 3 s".to_owned())),
    };
    ReadinessCheck { name, healthy, detail, took: since.elapsed() }
}
