//! Nodes to Kubernetes' types, strictly: every unknown field and every value of the wrong type is a problem. Reading
//! continues to the end, so that all problems are reported at once.
//!
//! The rules are those of the API server: null is the zero value everywhere, and field names are case-sensitive.

mod value;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fmt;

use serde::de::{self, DeserializeOwned};

use super::node::{Content, Node};
use super::problem::{Problem, Step, path_of};
use super::scalar::Plain;
use value::Value;

/// Maximum number of problems kept per document: more than are ever reported for a file.
const MAX_PROBLEMS: usize = 200;
/// Maximum number of times that a document is read again without the node that stopped the reading.
const MAX_ROUNDS: usize = 20;
/// Maximum memory for the items of an object's lists and mappings, in bytes: an empty list item is three bytes of YAML
/// and may be a thousand bytes in its type.
const MAX_MEMORY: usize = 16 * 1024 * 1024;

/// The position of the node to read, and how it differs from its type.
#[derive(Debug, Clone, Copy, Default)]
pub struct Root<'r> {
    /// The node's path, empty for a document.
    pub path: &'r str,
    /// Fields of the node to leave out.
    pub without: &'r [&'r str],
    /// A field that may be missing although its type requires it: it is read as null.
    pub optional: Option<&'static str>,
}

/// The object that `node` describes.
///
/// # Errors
/// Everything in it that does not match its type, in the order of the text.
pub fn typed<T: DeserializeOwned>(node: &Node, root: Root<'_>) -> Result<T, Vec<Problem>> {
    let null = Node { place: node.place, is_plain: true, content: Content::Plain(Plain::Null, "".into()) };
    let reading = Reading {
        root,
        null: &null,
        steps: RefCell::default(),
        problems: RefCell::default(),
        stopped: RefCell::default(),
        left_out: RefCell::default(),
        memory: Cell::new(0),
    };
    let mut before = Vec::new();
    loop {
        let result = T::deserialize(Value { node, reading: &reading, newtype: None });
        let mut problems = reading.problems.take();
        let stopped = reading.stopped.take();
        match (result, stopped) {
            (Ok(object), None) if problems.is_empty() && before.is_empty() => return Ok(object),
            // It is left out in the next round, so that what follows it is read too.
            (Err(_), Some((Some(culprit), problem)))
                if before.len() < MAX_ROUNDS && reading.left_out.borrow_mut().insert(culprit) =>
            {
                before.push(problem);
                reading.steps.take();
                reading.memory.set(0);
            }
            (_, stopped) => {
                problems.extend(before);
                problems.extend(stopped.map(|(_, problem)| problem));
                problems.sort_by(|left, right| (left.place, &left.path).cmp(&(right.place, &right.path)));
                problems.dedup();
                return Err(problems);
            }
        }
    }
}

/// The state of reading one document.
struct Reading<'n> {
    root: Root<'n>,
    null: &'n Node,
    /// The path of the current node.
    steps: RefCell<Vec<Step<'n>>>,
    problems: RefCell<Vec<Problem>>,
    /// Why the reading could not continue, and the node to leave out.
    stopped: RefCell<Option<(Option<*const Node>, Problem)>>,
    left_out: RefCell<HashSet<*const Node>>,
    memory: Cell<usize>,
}

impl<'n> Reading<'n> {
    fn problem(&self, node: &Node, what: String) -> Problem {
        Problem { place: node.place, path: path_of(self.root.path, &self.steps.borrow()), what }
    }

    fn note(&self, problem: Problem) {
        let mut problems = self.problems.borrow_mut();
        if problems.len() < MAX_PROBLEMS {
            problems.push(problem);
        }
    }

    /// Whether one more problem would be kept: describing one is not always cheap.
    fn has_room(&self) -> bool {
        self.problems.borrow().len() < MAX_PROBLEMS
    }

    fn is_left_out(&self, node: &Node) -> bool {
        self.left_out.borrow().contains(&std::ptr::from_ref(node))
    }

    /// Reads the node that is one step further.
    fn at<T>(&self, step: Step<'n>, read: impl FnOnce() -> Result<T, Stop>) -> Result<T, Stop> {
        self.steps.borrow_mut().push(step);
        let result = read();
        self.steps.borrow_mut().pop();
        result
    }

    /// Counts one more item of a collection.
    fn hold<T>(&self, collection: &Node) -> Result<(), Stop> {
        // What grows is twice as large for a moment.
        let memory = self.memory.get().saturating_add(2 * size_of::<T>());
        self.memory.set(memory);
        if memory <= MAX_MEMORY {
            return Ok(());
        }
        let most = MAX_MEMORY / (1024 * 1024);
        let what = format!("has too many items: the document would take more than {most} MiB of memory");
        *self.stopped.borrow_mut() = Some((None, self.problem(collection, what)));
        Err(Stop::Told)
    }
}

/// Why a visitor cannot continue.
#[derive(Debug)]
enum Stop {
    /// The problem is recorded.
    Told,
    /// The value must be something else.
    Expected(String),
    /// The value has the right type but is invalid.
    Unfit,
    /// A required field is missing.
    Missing(&'static str),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Stop {}

impl de::Error for Stop {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Unfit
    }

    fn invalid_type(_: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::Expected(expected.to_string())
    }

    fn invalid_value(_: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::Expected(expected.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field)
    }
}
