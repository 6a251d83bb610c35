//! The settings of the file browser.

use std::time::Duration;

use clap::Args;

use super::FilesConfig;
use super::values::between;

/// The image that shows the files of a claim, unless an operator chooses another one.
const IMAGE: &str = "docker.io/sigoden/dufs:v0.47.0";

/// The pods that show the files of storage claims.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cluster")]
pub struct FilesSettings {
    /// Image of the pods that show the files of storage claims: dufs 0.47 or later
    #[arg(long, env = "FILES_IMAGE", default_value = IMAGE, value_name = "IMAGE", value_parser = image)]
    pub files_image: String,
    /// User ID that these pods run as, which owns the files that are uploaded
    #[arg(long, env = "FILES_UID", default_value = "1000", value_name = "N", value_parser = between(1_u32, i32::MAX.unsigned_abs()))]
    pub files_uid: u32,
    /// Group ID that these pods run as, and that their volumes are made accessible to
    #[arg(long, env = "FILES_GID", default_value = "1000", value_name = "N", value_parser = between(1_u32, i32::MAX.unsigned_abs()))]
    pub files_gid: u32,
    /// Minutes without a request after which a file session ends; the pod of a claim is stopped with its last session
    #[arg(long, env = "FILES_IDLE_MINUTES", default_value = "15", value_name = "N", value_parser = between(1_u64, 1440))]
    pub files_idle_minutes: u64,
}

impl FilesSettings {
    /// What these settings say.
    #[must_use]
    pub fn config(&self) -> FilesConfig {
        FilesConfig {
            image: self.files_image.clone(),
            uid: self.files_uid,
            gid: self.files_gid,
            idle: Duration::from_secs(60 * self.files_idle_minutes),
        }
    }
}

fn image(text: &str) -> Result<String, String> {
    let legal = !text.is_empty() && text.len() <= 512 && text.chars().all(|c| c.is_ascii_graphic());
    if legal { Ok(text.to_owned()) } else { Err(format!("an image, such as {IMAGE}")) }
}
