//! The input fields that the parts of a draft's tasks come from, so that a problem with a pod is reported where it was
//! written.

use std::collections::BTreeMap;

use super::Draft;

/// The part of the input that contains fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// The spec in the input's source.
    Spec,
    /// The overrides for one run.
    Overrides,
}

impl Door {
    /// The path of the part.
    pub const fn root(self) -> &'static str {
        match self {
            Self::Spec => "input.source.spec",
            Self::Overrides => "input.overrides",
        }
    }
}

/// The origins of the first container of a group of tasks; everything that is not listed comes from the source.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Origins {
    /// By path in the container: `image`, `resources.limits.cpu`.
    fields: BTreeMap<String, (Door, &'static str)>,
    /// For each environment variable, its index in the input's list.
    env: Vec<Option<(Door, usize)>>,
}

impl Origins {
    /// Records that the part at `path` comes from this field.
    pub fn set(&mut self, path: impl Into<String>, door: Door, field: &'static str) {
        self.fields.insert(path.into(), (door, field));
    }

    /// Removes the origin of the part at `path`, because the part is gone.
    pub fn forget(&mut self, path: &str) {
        self.fields.remove(path);
    }

    /// The field that the part at `path` comes from.
    pub fn field(&self, path: &str) -> Option<&'static str> {
        self.fields.get(path).map(|(_, field)| *field)
    }

    /// Records that the variable at `index` comes from that index in the input's list.
    pub fn set_variable(&mut self, index: usize, door: Door, place: usize) {
        if self.env.len() <= index {
            self.env.resize(index.saturating_add(1), None);
        }
        if let Some(origin) = self.env.get_mut(index) {
            *origin = Some((door, place));
        }
    }

    /// The input field for a path in the container: `input.source.spec.env.1.name` for `env[3].name`.
    fn of(&self, path: &str) -> Option<Origin> {
        if let Some((index, rest)) = path.strip_prefix("env[").and_then(|rest| rest.split_once(']')) {
            let (door, place) = (*self.env.get(index.parse::<usize>().ok()?)?)?;
            return Some(Origin::Field(format!("{}.env.{place}{}", door.root(), dotted(rest))));
        }
        let inside =
            |part: &str| path.strip_prefix(part).filter(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
        let found = self.fields.iter().find_map(|(part, origin)| Some((origin, inside(part)?)));
        if let Some(((door, field), rest)) = found {
            return Some(Origin::Field(format!("{}.{field}{}", door.root(), dotted(rest))));
        }
        let request = path.strip_prefix("resources.limits").map(|rest| format!("resources.requests{rest}"))?;
        let (door, field) = self.fields.get(&request)?;
        Some(Origin::Request(format!("{}.{field}", door.root())))
    }
}

/// A path as the path of an input field: `env.3.name` for `env[3].name`.
pub(super) fn dotted(path: &str) -> String {
    path.replace('[', ".").replace(']', "")
}

/// Where in the input a part of a pod was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// In this field.
    Field(String),
    /// It is a limit from the source that is too small for the request in this field.
    Request(String),
}

impl Draft {
    /// The input field for a path in the template of a group of tasks, if it was set there.
    pub(super) fn origin(&self, group: usize, path: &str) -> Option<Origin> {
        self.origins.get(group)?.of(path.strip_prefix("spec.containers[0].")?)
    }
}
