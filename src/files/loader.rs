//! File sessions by ID and of a user, and the pods that show files.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::model::{self, FilePodRow, FileSession};
use crate::db::Lane;
use crate::db::coalesce::{ByKey, Read};
use crate::error::ApiError;
use crate::ids::{FileSessionId, PvcId, UserId};

/// The file session with an ID, if it has not ended.
pub enum FileSessionsById {}

impl Read for FileSessionsById {
    type Key = FileSessionId;
    type Value = Arc<FileSession>;

    async fn read(lane: &Lane, keys: Vec<Self::Key>) -> Result<ByKey<Self::Key, Self::Value>, ApiError> {
        let found = model::find(&mut *lane.lookup().await?, &keys).await?;
        Ok(found.into_iter().map(|session| (session.id, Arc::new(session))).collect())
    }
}

/// The file sessions of a user, the newest first.
pub enum FileSessionsOfUser {}

impl Read for FileSessionsOfUser {
    type Key = UserId;
    type Value = Vec<Arc<FileSession>>;

    async fn read(lane: &Lane, keys: Vec<UserId>) -> Result<ByKey<UserId, Self::Value>, ApiError> {
        let mut found: BTreeMap<UserId, Vec<Arc<FileSession>>> = BTreeMap::new();
        for session in model::of_users(&mut *lane.lookup().await?, &keys).await? {
            found.entry(session.user_id).or_default().push(Arc::new(session));
        }
        Ok(found.into_iter().collect())
    }
}

/// The pod that shows the files of a claim.
pub enum FilePods {}

impl Read for FilePods {
    type Key = PvcId;
    type Value = Arc<FilePodRow>;

    async fn read(lane: &Lane, keys: Vec<PvcId>) -> Result<ByKey<PvcId, Self::Value>, ApiError> {
        let found = model::pods(&mut *lane.lookup().await?, &keys).await?;
        Ok(found.into_iter().map(|pod| (pod.claim_id, Arc::new(pod))).collect())
    }
}
