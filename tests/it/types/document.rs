//! The parts of `docs/types.md` that tests make, each between two marks.

/// Several tests make a part each.
static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// That a part of the document is current.
pub(super) fn is_current(part: &str, expected: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/types.md");
    let _guard = ONE_AT_A_TIME.lock();
    let document = std::fs::read_to_string(path).expect("docs/types.md");
    let (begin, end) = (format!("<!-- {part}: made by a test -->\n"), format!("<!-- end of {part} -->\n"));
    let (before, rest) = document.split_once(&begin).expect("the mark where the part begins");
    let (_, after) = rest.split_once(&end).expect("the mark where the part ends");
    super::is_current(path, &format!("{before}{begin}{expected}{end}{after}"));
}
