//! What the compiler says to a mistake: each file in the folders beside this one has the message next to it.
//!
//! `TRYBUILD=overwrite` writes the messages anew, `MOOSE_TEST_REWRITE=1` the catalogue that is made of them.

#![expect(clippy::expect_used, clippy::panic, reason = "the helpers of tests fail as tests do")]

mod catalogue;

use std::path::{Path, PathBuf};

/// The folders of mistakes, by name.
fn kinds() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(env!("CARGO_MANIFEST_DIR")).expect("the directory tests/ui");
    let mut kinds: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry of tests/ui").path()).collect();
    kinds.retain(|kind| kind.is_dir());
    kinds.sort();
    kinds
}

#[test]
fn mistakes_are_answered_with_the_message_beside_them_and_stand_in_the_catalogue() {
    let cases = trybuild::TestCases::new();
    for kind in kinds() {
        cases.compile_fail(kind.join("*.rs"));
    }
    // This compiles them, and writes the messages that the catalogue is made of.
    drop(cases);

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors.md");
    let (text, mistakes) = catalogue::text(&kinds());
    assert!(mistakes >= 60, "{mistakes} mistakes");
    if std::env::var_os("MOOSE_TEST_REWRITE").is_some() {
        std::fs::write(&path, &text).expect("docs/errors.md can be written");
    }
    let committed = std::fs::read_to_string(&path).expect("docs/errors.md");
    assert!(committed == text, "docs/errors.md is not current: run this test with MOOSE_TEST_REWRITE=1");
}
