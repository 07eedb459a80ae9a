//! The catalogue of mistakes, `docs/errors.md`: for each file what it is about, and for each mistake in it the line and
//! what the compiler says.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

const HEAD: &str = "# Mistakes that don't compile

What the compiler says to mistakes in declarations, by kind. Made from the tests in [`tests/ui`](../tests/ui), where each
message stands whole, with its place; run `MOOSE_TEST_REWRITE=1 cargo test -p moose-ui` to make it anew. What only all
declarations together can tell, as two tables of one name, is found by the build script and at the start.
";

/// A mistake: the line that it stands on, and what is said.
#[derive(PartialEq)]
struct Mistake {
    code: String,
    message: String,
}

/// The whole text, and how many mistakes are in it.
pub(crate) fn text(kinds: &[PathBuf]) -> (String, usize) {
    let mut text = HEAD.to_owned();
    let mut count = 0;
    for kind in kinds {
        let name = kind.file_name().unwrap_or_default().to_string_lossy();
        let _ = writeln!(text, "\n## {}{}", name[..1].to_uppercase(), &name[1..]);
        for file in files(kind) {
            let source = read(&file);
            assert!(!about(&source).is_empty(), "{}: say what it is about, after `//!`", file.display());
            let mistakes = mistakes(&read(&file.with_extension("stderr")));
            count += mistakes.len();
            let _ = writeln!(text, "\n### {}\n\n{}\n", title(&file), about(&source));
            for Mistake { code, message } in mistakes {
                let _ = writeln!(text, "- `` {code} ``\n  {message}");
            }
        }
    }
    (text, count)
}

fn files(kind: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(kind).expect("a folder of mistakes");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry of it").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "rs"));
    files.sort();
    files
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The file's name as a sentence.
fn title(file: &Path) -> String {
    let name = file.file_stem().unwrap_or_default().to_string_lossy().replace('_', " ");
    format!("{}{}", name[..1].to_uppercase(), &name[1..])
}

/// What the file says of itself.
fn about(source: &str) -> String {
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    lines.map(str::trim).collect::<Vec<_>>().join(" ")
}

/// The errors of a message file, in order.
fn mistakes(messages: &str) -> Vec<Mistake> {
    let mut mistakes: Vec<Mistake> = Vec::new();
    for error in messages.split("\nerror").map(|error| error.trim_start_matches("error")) {
        let Some((head, rest)) = error.split_once('\n') else { continue };
        // `[E0080]: evaluation panicked: …`
        let message = head.trim_start_matches(|c: char| c != ':').trim_start_matches(": ");
        let message = message.trim_start_matches("evaluation panicked: ").to_owned();
        // Under the place: `14 | code`, and what it is about under that.
        let shown = rest.lines().skip_while(|line| !line.trim_start().starts_with("--> ")).skip(1);
        let code =
            shown.filter_map(|line| line.split_once('|')).map(|(_, code)| code.trim()).find(|code| !code.is_empty());
        // The compiler's own words say what does not fit only in the label.
        let label = rest.lines().find_map(|line| line.rsplit_once("^ ")).map(|(_, label)| label);
        let message = match label {
            Some(label) if message == "mismatched types" => format!("{message}: {label}"),
            _ => message,
        };
        let mistake = Mistake { code: code.unwrap_or_default().to_owned(), message };
        // A type without a column is told where it stands and where it is needed.
        if !mistakes.contains(&mistake) {
            mistakes.push(mistake);
        }
    }
    mistakes
}
