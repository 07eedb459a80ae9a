//! What the compiler says to a mistake: each file under `ui/` has the message beside it.

use std::path::Path;

#[test]
fn mistakes_are_answered_with_the_message_beside_them() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui");
    let kinds = std::fs::read_dir(&directory).expect("the directory tests/ui");
    let cases = trybuild::TestCases::new();
    for kind in kinds {
        let kind = kind.expect("an entry of tests/ui").path();
        if kind.is_dir() {
            cases.compile_fail(kind.join("*.rs"));
        }
    }
}
