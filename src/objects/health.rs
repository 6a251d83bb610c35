//! Whether the object store works, as far as this replica knows.

use std::sync::{Arc, Mutex, PoisonError};

use super::ObjectError;

/// The state of the store. Clones share the same.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Mutex<State>>);

#[derive(Debug, Clone, Default)]
struct State {
    /// `None` before the store was asked for the first time.
    works: Option<Result<(), String>>,
    /// Whether the store refuses to overwrite an object when it is asked to; `None` before it was tried.
    is_conditional: Option<bool>,
}

impl Health {
    /// Notes what became of a request.
    pub(super) fn note(&self, outcome: Result<(), &ObjectError>) {
        metrics::gauge!("platform_objects_up").set(if outcome.is_ok() { 1.0 } else { 0.0 });
        self.change(|state| state.works = Some(outcome.map_err(ToString::to_string)));
    }

    pub(super) fn note_conditional(&self, is_conditional: bool) {
        self.change(|state| state.is_conditional = Some(is_conditional));
    }

    /// Whether the store is known to refuse to overwrite an object.
    #[must_use]
    pub fn is_conditional(&self) -> bool {
        self.state().is_conditional == Some(true)
    }

    /// Whether it was tried already.
    #[must_use]
    pub fn is_tried(&self) -> bool {
        self.state().is_conditional.is_some()
    }

    /// The state in a few words, for `/ready`.
    #[must_use]
    pub fn told(&self) -> String {
        let State { works, is_conditional } = self.state();
        match (works, is_conditional) {
            (None, _) => "not asked yet".to_owned(),
            (Some(Err(problem)), _) => format!("{problem}; exports wait"),
            (Some(Ok(())), Some(false)) => "works, without conditional writes".to_owned(),
            (Some(Ok(())), _) => "works".to_owned(),
        }
    }

    fn state(&self) -> State {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
