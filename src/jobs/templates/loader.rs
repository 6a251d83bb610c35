//! Templates by ID, and when users last ran them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::model::{self, Template};
use crate::db::Lane;
use crate::db::coalesce::{ByKey, Read};
use crate::db::tables::job_templates;
use crate::error::ApiError;
use crate::ids::{CommitId, TemplateId, UserId};

/// The template with an ID.
pub enum TemplatesById {}

impl Read for TemplatesById {
    type Key = TemplateId;
    type Value = Arc<Template>;

    async fn read(lane: &Lane, keys: Vec<TemplateId>) -> Result<ByKey<TemplateId, Arc<Template>>, ApiError> {
        let mut conn = lane.lookup().await?;
        let found: Vec<Template> = job_templates::table
            .filter(job_templates::id.eq_any(keys))
            .select(Template::as_select())
            .load(&mut conn)
            .await?;
        Ok(found.into_iter().map(|template| (template.id, Arc::new(template))).collect())
    }
}

/// When a user last submitted a job from a version of a config file.
pub enum LastUses {}

impl Read for LastUses {
    type Key = (CommitId, UserId);
    type Value = DateTime<Utc>;

    async fn read(lane: &Lane, keys: Vec<Self::Key>) -> Result<ByKey<Self::Key, Self::Value>, ApiError> {
        let found = model::last_uses(&mut *lane.lookup().await?, &keys).await?;
        Ok(found.into_iter().filter_map(|last| Some(((last.commit, last.user), last.at?))).collect())
    }
}
