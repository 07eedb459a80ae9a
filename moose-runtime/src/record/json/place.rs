//! A JSON pointer to a place in a record.

use std::fmt;

/// A place in a record. Its text is the JSON pointer.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// The record itself.
    Record,
    /// A field of an object.
    Field(&'a Place<'a>, &'a str),
    /// An element of an array.
    Element(&'a Place<'a>, usize),
}

impl<'a> Place<'a> {
    /// A field of the object at this place.
    #[must_use]
    pub fn field(&'a self, name: &'a str) -> Self {
        Self::Field(self, name)
    }

    /// An element of the array at this place.
    #[must_use]
    pub fn element(&'a self, index: usize) -> Self {
        Self::Element(self, index)
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record => Ok(()),
            Self::Field(parent, name) => write!(formatter, "{parent}/{}", name.replace('~', "~0").replace('/', "~1")),
            Self::Element(parent, index) => write!(formatter, "{parent}/{index}"),
        }
    }
}
