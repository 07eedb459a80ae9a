//! Collects the errors found in a rejected record, up to a limit.

use serde::de;

use super::{
    FieldError,
    error::Problem,
    json::{Node, Place},
};

/// Maximum number of errors reported for a record.
const MOST_ERRORS: usize = 100;

/// The errors found so far in a record.
#[derive(Debug, Default)]
pub struct Findings {
    errors: Vec<FieldError>,
}

impl Findings {
    /// Whether the limit is reached, so that further errors are dropped.
    pub fn is_full(&self) -> bool {
        self.errors.len() >= MOST_ERRORS
    }

    /// Adds the error that a value has the wrong JSON type.
    pub fn push_wrong_type(&mut self, place: &Place<'_>, expected: &str, found: Node<'_>) {
        self.push(place, de::Error::invalid_type(found.unexpected(), &expected));
    }

    /// Adds an error at a place.
    pub fn push(&mut self, place: &Place<'_>, problem: Problem) {
        if !self.is_full() {
            let Problem { code, message } = problem;
            self.errors.push(FieldError { pointer: place.to_string(), code, message });
        }
    }

    /// The errors.
    pub(super) fn into_errors(self) -> Vec<FieldError> {
        self.errors
    }

    /// Whether nothing was found.
    pub(super) fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }
}
