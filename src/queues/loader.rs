//! Reads of what belongs to queues.

use std::sync::Arc;

use super::model::{self, Load, Pause};
use crate::db::Lane;
use crate::db::coalesce::{ByKey, Read};
use crate::error::ApiError;

/// What waits and runs in a queue.
pub enum LoadOfQueue {}

impl Read for LoadOfQueue {
    type Key = String;
    type Value = Load;

    async fn read(lane: &Lane, keys: Vec<String>) -> Result<ByKey<String, Load>, ApiError> {
        Ok(model::loads(&mut *lane.connection().await?, &keys).await?.into_iter().collect())
    }
}

/// The pause of a queue; none if it is not paused.
pub enum PauseOfQueue {}

impl Read for PauseOfQueue {
    type Key = String;
    type Value = Arc<Pause>;

    async fn read(lane: &Lane, keys: Vec<String>) -> Result<ByKey<String, Arc<Pause>>, ApiError> {
        let pauses = model::pauses(&mut *lane.lookup().await?, &keys).await?;
        Ok(pauses.into_iter().map(|pause| (pause.queue.clone(), Arc::new(pause))).collect())
    }
}
