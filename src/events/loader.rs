//! The end of the log, read once for all concurrent requests.

use super::cursor::Seq;
use super::model;
use crate::db::Lane;
use crate::db::coalesce::{ByKey, Read};
use crate::error::ApiError;

/// The number of the newest event. The statement starts after every request that shares it, so whatever those read
/// later is at least as new.
#[derive(Debug)]
pub enum Tip {}

impl Read for Tip {
    type Key = ();
    type Value = Seq;

    async fn read(lane: &Lane, _: Vec<()>) -> Result<ByKey<(), Seq>, ApiError> {
        let extent = model::extent(&mut *lane.connection().await?).await?;
        Ok(ByKey::from_iter([((), extent.tip)]))
    }
}

/// The number of the newest committed event.
///
/// # Errors
/// The database's.
pub async fn tip(lane: &Lane) -> Result<Seq, ApiError> {
    let found = lane.coalescer::<Tip>().load(vec![()]).await?;
    found.get(&()).copied().ok_or_else(|| ApiError::internal("the event log has no extent"))
}
