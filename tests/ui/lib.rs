//! Mistakes in declarations, and what the compiler says to them: a folder for each kind, the message beside each file.
//!
//! Nothing is exported: the files are compiled by the test, and `docs/errors.md` is made of them.
