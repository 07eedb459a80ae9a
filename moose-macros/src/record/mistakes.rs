//! Collects all errors in the input before any is reported, and remembers what they make unreliable: the rest is still
//! checked as far as it is certain, so no error is reported that only follows from another one.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::Error;

/// What an error makes unreliable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Doubt {
    /// Nothing.
    #[default]
    None,
    /// A type or the key: rules of tables about the columns are not checked.
    Columns,
    /// A name: expressions of fields are not checked either.
    Names,
}

/// Mistakes found so far.
#[derive(Default)]
pub(super) struct Mistakes {
    first: Option<Error>,
    count: usize,
    doubt: Doubt,
    /// What the next error makes unreliable, if it is not the columns.
    next: Option<Doubt>,
}

/// All errors of an input.
pub(super) struct Told {
    /// The errors, as compile errors.
    pub(super) errors: TokenStream,
    pub(super) doubt: Doubt,
}

impl Mistakes {
    /// Adds an error at the span of these tokens.
    pub(super) fn at(&mut self, place: impl ToTokens, message: impl std::fmt::Display) {
        self.add(Error::new_spanned(place, message));
    }

    /// Adds an error that already has a span.
    pub(super) fn add(&mut self, error: Error) {
        self.count += 1;
        self.doubt = self.doubt.max(self.next.unwrap_or(Doubt::Columns));
        match &mut self.first {
            Some(first) => first.combine(error),
            None => self.first = Some(error),
        }
    }

    /// Errors found by `then` make this much unreliable and no more.
    pub(super) fn with_doubt<T>(&mut self, doubt: Doubt, then: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.next.replace(doubt);
        let result = then(self);
        self.next = before;
        result
    }

    /// Number of errors.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// All of them.
    pub(super) fn finish(self) -> Option<Told> {
        let errors = self.first?.to_compile_error();
        Some(Told { errors, doubt: self.doubt })
    }
}
