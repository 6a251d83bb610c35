//! One line for each way a setting can be wrong.

use std::error::Error as _;

use clap::{
    Command,
    error::{ContextKind, ContextValue, ErrorKind},
};

/// A setting that cannot be used. Displays as one line with the variable, its value and the allowed values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It is required and was not given.
    #[error("{variable} is not set; it must be {expected}")]
    Missing {
        /// The environment variable.
        variable: &'static str,
        /// The allowed values.
        expected: String,
    },
    /// It was given and is invalid.
    #[error("{variable} was {given:?}; it must be {expected}")]
    Invalid {
        /// The environment variable.
        variable: &'static str,
        /// What it was.
        given: String,
        /// The allowed values.
        expected: String,
    },
    /// It was parsed but does not work.
    #[error("{variable} {problem}; it must be {expected}")]
    Unusable {
        /// The environment variable.
        variable: &'static str,
        /// What is wrong with it.
        problem: String,
        /// The allowed values.
        expected: String,
    },
    /// It was given, is invalid, and may contain a secret, so it is described but not shown.
    #[error("{variable} {problem}; it must be {expected}")]
    Secret {
        /// The environment variable.
        variable: &'static str,
        /// What is wrong with it, without quoting it.
        problem: String,
        /// The allowed values.
        expected: String,
    },
}

/// The error message of clap as a single line; `None` if it is help or a version, which is printed as it is. The value
/// of an argument that hides its environment value is never repeated.
#[must_use]
pub fn one_line(command: &Command, error: &clap::Error) -> Option<String> {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        _ => None,
    };
    let subject = context(ContextKind::InvalidArg);
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            None
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let subject = subject.unwrap_or_default();
            let argument = find(command, &subject);
            let name = argument
                .and_then(|argument| argument.get_env())
                .map_or(subject.clone(), |variable| variable.to_string_lossy().into_owned());
            let given = match context(ContextKind::InvalidValue) {
                _ if argument.is_some_and(clap::Arg::is_hide_env_values_set) => "was invalid (not shown)".to_owned(),
                Some(value) => format!("was {value:?}"),
                None => "was empty".to_owned(),
            };
            let expected = context(ContextKind::ValidValue)
                .map(|values| format!("one of: {values}"))
                .or_else(|| error.source().map(ToString::to_string))
                .unwrap_or_else(|| "as described in --help".to_owned());
            Some(format!("{name} {given}; it must be {expected}"))
        }
        ErrorKind::MissingRequiredArgument => {
            Some(format!("{} is required; see --help", subject.unwrap_or_else(|| "an argument".to_owned())))
        }
        _ => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            Some(format!("{}; see --help", first.trim_start_matches("error: ")))
        }
    }
}

/// The argument that clap shows as `subject` (such as `--port <PORT>`), in `command` or below it.
fn find<'command>(command: &'command Command, subject: &str) -> Option<&'command clap::Arg> {
    command
        .get_arguments()
        .find(|argument| argument.to_string() == subject)
        .or_else(|| command.get_subcommands().find_map(|below| find(below, subject)))
}
