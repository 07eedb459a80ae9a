//! Everything wrong with the input, gathered before any of it is told.

use quote::ToTokens;
use syn::Error;

/// Mistakes found so far.
#[derive(Default)]
pub(super) struct Mistakes {
    first: Option<Error>,
}

impl Mistakes {
    /// Adds a mistake, to be shown at these tokens.
    pub(super) fn at(&mut self, place: impl ToTokens, message: impl std::fmt::Display) {
        self.add(Error::new_spanned(place, message));
    }

    /// Adds a mistake that has its place already.
    pub(super) fn add(&mut self, error: Error) {
        match &mut self.first {
            Some(first) => first.combine(error),
            None => self.first = Some(error),
        }
    }

    /// All of them, as compile errors.
    pub(super) fn finish(self) -> Option<Error> {
        self.first
    }
}
