//! Collects the errors found in a rejected record, up to a limit.

use serde::de;

use super::{
    FieldError,
    error::Problem,
    json::{Node, Place},
};

/// A record with more mistakes than this is told the first of them.
const MOST_ERRORS: usize = 100;

/// What is wrong with a record, as far as it is known.
#[derive(Debug, Default)]
pub struct Findings {
    errors: Vec<FieldError>,
}

impl Findings {
    /// Whether there are so many that further ones are dropped.
    pub fn is_full(&self) -> bool {
        self.errors.len() >= MOST_ERRORS
    }

    /// Adds that a value is not of the JSON type that is expected.
    pub fn push_wrong_type(&mut self, place: &Place<'_>, expected: &str, found: Node<'_>) {
        self.push(place, de::Error::invalid_type(found.unexpected(), &expected));
    }

    /// Adds what is wrong at a place.
    pub fn push(&mut self, place: &Place<'_>, problem: Problem) {
        if !self.is_full() {
            let Problem { code, message } = problem;
            self.errors.push(FieldError { pointer: place.to_string(), code, message });
        }
    }

    /// What was found.
    pub(super) fn into_errors(self) -> Vec<FieldError> {
        self.errors
    }

    /// Whether nothing was found.
    pub(super) fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }
}
