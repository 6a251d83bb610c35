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
    env: Places,
    /// For each mount of the container, its index in the input's list.
    mounts: Places,
    /// For each volume of the pod, its index in the input's list of mounts.
    volumes: Places,
}

/// For each item of a list of the pod, its index in a list of the input.
#[derive(Debug, Clone, Default, PartialEq)]
struct Places(Vec<Option<(Door, usize)>>);

impl Places {
    fn set(&mut self, index: usize, door: Door, place: usize) {
        if self.0.len() <= index {
            self.0.resize(index.saturating_add(1), None);
        }
        if let Some(origin) = self.0.get_mut(index) {
            *origin = Some((door, place));
        }
    }

    /// The item that `path` is in, if it is in `list` and comes from the input, and the path in the item.
    fn find<'p>(&self, list: &str, path: &'p str) -> Option<(Door, usize, &'p str)> {
        let (index, rest) = path.strip_prefix(list)?.strip_prefix('[')?.split_once(']')?;
        let (door, place) = (*self.0.get(index.parse::<usize>().ok()?)?)?;
        Some((door, place, rest))
    }
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
        self.env.set(index, door, place);
    }

    /// Records that the mount at `index` of the container comes from that index in the input's list.
    pub fn set_mount(&mut self, index: usize, door: Door, place: usize) {
        self.mounts.set(index, door, place);
    }

    /// Records that the volume at `index` of the pod comes from that index in the input's list of mounts.
    pub fn set_volume(&mut self, index: usize, door: Door, place: usize) {
        self.volumes.set(index, door, place);
    }

    /// The input field for a path in the pod.
    fn of_pod(&self, path: &str) -> Option<Origin> {
        if let Some((door, place, _)) = self.volumes.find("volumes", path) {
            return Some(Origin::Field(format!("{}.mounts.{place}.claim", door.root())));
        }
        self.of(path.strip_prefix("containers[0].")?)
    }

    /// The input field for a path in the container: `input.source.spec.env.1.name` for `env[3].name`.
    fn of(&self, path: &str) -> Option<Origin> {
        if let Some((door, place, rest)) = self.mounts.find("volumeMounts", path) {
            let field = match rest {
                ".mountPath" => "path",
                ".readOnly" => "readOnly",
                _ => "claim",
            };
            return Some(Origin::Field(format!("{}.mounts.{place}.{field}", door.root())));
        }
        if path.starts_with("env[") {
            let (door, place, rest) = self.env.find("env", path)?;
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
        self.origins.get(group)?.of_pod(path.strip_prefix("spec.")?)
    }
}
