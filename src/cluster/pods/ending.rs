//! How a task's program ended, as a message that is the same everywhere.

use std::fmt::{Display, Formatter, Result};

use super::stop;

/// How a program ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct End<'t> {
    /// Its container, if the pod has several.
    pub container: Option<&'t str>,
    /// Whether that container is an init container.
    pub in_init: bool,
    /// Machine-readable reason; if the pod was stopped, the message about that explains it.
    pub reason: Option<&'t str>,
    /// Human-readable explanation of the reason.
    pub message: Option<&'t str>,
    /// The exit code.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
}

impl Display for End<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self { container, in_init, reason, message, exit_code, signal } = *self;
        if let Some(container) = container {
            write!(f, "{} {container}: ", if in_init { "init container" } else { "container" })?;
        }
        f.write_str(reason.unwrap_or("Error"))?;
        match (exit_code, signal) {
            (Some(code), Some(signal)) => write!(f, ", exit code {code} (signal {signal})"),
            (Some(code), None) => write!(f, ", exit code {code}"),
            (None, Some(signal)) => write!(f, ", signal {signal}"),
            (None, None) => Ok(()),
        }?;
        match message.filter(|message| !message.is_empty() && reason.is_some_and(stop::is_word)) {
            Some(message) => write!(f, ": {message}"),
            None => Ok(()),
        }
    }
}

/// The message for a task that failed.
pub fn failed(task: impl Display, end: &End<'_>) -> String {
    format!("task {task} failed: {end}")
}
