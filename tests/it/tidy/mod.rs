//! The rules that are about the text of this repository and no compiler checks. Each finding says what to do.

mod circles;
mod layers;
mod licences;
mod links;
mod source;
mod surface;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use source::{Seen, Sight};

/// A file that is longer is two things: so many lines without its tests, and of tests so many.
const LONGEST: usize = 400;
const LONGEST_OF_TESTS: usize = 600;

/// The files with unsafe code: the C interfaces of the engine and of librdkafka.
const UNSAFE: [&str; 2] = ["moose-runtime/src/engine/ffi.rs", "moose-runtime/src/stream/kafka/ffi.rs"];

/// The crates whose files may not need each other in a circle.
const CRATES: [&str; 2] = ["moose-runtime/src/", "moose-macros/src/"];

/// Mistakes that the compiler is to answer: no file of ours in form.
const FIXTURES: &str = "tests/ui/";

/// Where `allow` may stand, by the end of the file's path, for which lint, and why `expect` would not do.
const ALLOWED: &[(&str, &str, &str)] = &[
    ("build.rs", "dead_code", "`expect` would fail in a build script whose module has no helper"),
    (
        "moose-macros/src/pipeline.rs",
        "unused_qualifications",
        "generated; whether it is met is up to the user's imports",
    ),
];

/// Where registries and mirrors live: what comes from there is named by package, never by host. In pieces, so that this
/// file does not find itself.
const HOSTS: &[&str] = &[
    concat!("registry", ".npmjs"),
    concat!("npmjs", ".org"),
    concat!("crates", ".io"),
    concat!("py", "pi.org"),
    concat!("files.python", "hosted"),
    concat!("repo1", ".maven"),
    concat!("artifact", "ory"),
    concat!("proxy.golang", ".org"),
];

/// Directories of one machine.
const PLACES: &[&str] = &[concat!("/ho", "me/"), concat!("/Use", "rs/"), concat!("/ro", "ot/"), concat!("/wo", "rk/")];

/// The only source that the lock file may name.
const REGISTRY: &str = concat!("source = \"registry+https://github.com/rust-lang/crates", ".io-index\"");

#[test]
fn the_repository_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository");
    let mut findings = Vec::new();
    let mut sources = 0;
    let mut named = BTreeSet::new();
    let mut crates = CRATES.map(circles::Sources::new);
    for path in tracked(root) {
        // What is no text is no rule's business; what has just been removed neither.
        let Ok(text) = fs::read_to_string(root.join(&path)) else { continue };
        let path = path.to_string_lossy().replace('\\', "/");
        sources += usize::from(is_rust(&path));
        findings.extend(check(&path, &text));
        if Path::new(&path).extension().is_some_and(|extension| extension == "md") {
            let links = links::check(root, &path, &text);
            findings.extend(links.into_iter().map(|(line, finding)| format!("{path}:{line}: {finding}")));
        }
        if is_rust(&path)
            && CRATES.iter().any(|root| path.starts_with(root))
            && let Ok(seen) = source::look(&text)
        {
            if let Some(file) = path.strip_prefix(CRATES[0]) {
                named.extend(layers::named(file, &seen));
            }
            for sources in &mut crates {
                sources.add(&path, &seen);
            }
        }
    }
    findings.extend(crates.iter().flat_map(circles::Sources::check));
    findings.extend(layers::unused(&named));
    assert!(sources > 10, "only {sources} source files found: the test looks in the wrong place");
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}

/// The files that are or could be committed.
fn tracked(root: &Path) -> Vec<PathBuf> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .expect("git lists the files of this repository");
    assert!(listed.status.success(), "git: {}", String::from_utf8_lossy(&listed.stderr));
    let names = String::from_utf8(listed.stdout).expect("file names are UTF-8");
    names.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect()
}

fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "rs")
}

/// Whether a whole file is tests, by its path.
fn is_test(path: &str) -> bool {
    let mut parts = path.split(['/', '.']);
    parts.any(|part| part == "tests" || part.ends_with("_tests") || part == "benches")
}

/// What is wrong with one file.
fn check(path: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let mut find = |line: usize, complaint: &str| findings.push(format!("{path}:{line}: {complaint}"));
    for (line, complaint) in machine_names(path, text) {
        find(line, &complaint);
    }
    if is_rust(path) && !path.starts_with(FIXTURES) {
        if !text.starts_with("//!") {
            find(1, "open with `//!`: what the file is for, what it promises");
        }
        match source::look(text) {
            Err(error) => find(1, &error),
            Ok(seen) => {
                let all = text.lines().count();
                let (lines, most) =
                    if is_test(path) { (all, LONGEST_OF_TESTS) } else { (source::lines(text, &seen), LONGEST) };
                if lines > most {
                    find(all, &format!("{lines} lines: a file over {most} is two things: ask what the second one is"));
                }
                for (line, complaint) in code(path, &seen) {
                    find(line, &complaint);
                }
            }
        }
    }
    findings
}

fn code(path: &str, seen: &[Seen]) -> Vec<(usize, String)> {
    let mut findings = Vec::new();
    for Seen { line, sight, .. } in seen {
        match sight {
            Sight::Unsafe if !UNSAFE.contains(&path) => {
                findings.push((*line, format!("`unsafe` lives in {} only", UNSAFE.join(" and "))));
            }
            Sight::Allow(lint) if !ALLOWED.iter().any(|(end, known, _)| path.ends_with(end) && lint == known) => {
                findings.push((*line, format!("`#[expect({lint}, reason = \"…\")]` instead of `allow`")));
            }
            _ => {}
        }
    }
    if let Some(file) = path.strip_prefix("moose-runtime/src/") {
        findings.extend(layers::check(file, seen));
    }
    findings
}

/// Names of hosts and directories that hold on one machine only, and what a merge has left.
fn machine_names(path: &str, text: &str) -> Vec<(usize, String)> {
    let mut findings = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if ["<<<<<<< ", ">>>>>>> "].iter().any(|marker| line.starts_with(marker)) {
            findings.push((number + 1, "an unfinished merge".to_owned()));
        }
        if path.ends_with("Cargo.lock") {
            if line.starts_with("source = ") && line != REGISTRY {
                findings.push((number + 1, format!("a package from elsewhere than the public registry: {line}")));
            }
            continue;
        }
        let lower = line.to_lowercase();
        if let Some(host) = HOSTS.iter().find(|host| lower.contains(**host)) {
            findings.push((number + 1, format!("`{host}`: name the package, not the registry's host")));
        }
        if let Some(place) = PLACES.iter().find(|place| absolute(line, place)) {
            findings.push((number + 1, format!("`{place}…` is a directory of one machine")));
        }
    }
    findings
}

/// Whether `place` occurs as the beginning of a path and not inside of one.
fn absolute(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|before| !before.is_alphanumeric() && !"./-_}>~*".contains(before))
    })
}

#[test]
fn an_untidy_line_is_found() {
    let long = format!("//! Words.\n{}", "fn f() {}\n".repeat(LONGEST));
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "fn f() {}\n".repeat(LONGEST_OF_TESTS + 199));
    let tested = format!("{long}{tests}");
    let of_tests = format!("//! Words.\n{}", "fn f() {}\n".repeat(LONGEST_OF_TESTS));
    let place = PLACES[0];
    let host = HOSTS[0];
    for (path, text, wanted) in [
        ("a/src/x.rs", "fn f() {}", ":1: open with"),
        ("a/src/x.rs", long.as_str(), ":401: 401 lines"),
        ("a/src/x.rs", tested.as_str(), ":1203: 401 lines"),
        ("tests/x.rs", of_tests.as_str(), ":601: 601 lines"),
        ("a/src/x.rs", "//! W.\nfn f() { unsafe { g() } }", ":2: `unsafe`"),
        ("a/src/x.rs", "//! W.\n#[allow(dead_code)]\nfn f() {}", ":2: `#[expect(dead_code"),
        ("a/src/x.rs", "//! W.\n#![cfg_attr(test, allow(clippy::all, reason = \"x\"))]", ":2: `#[expect(clippy::all"),
        ("a/build.rs", "//! W.\n#[allow(unused)]\nmod pipelines;", ":2: `#[expect(unused"),
        ("moose-runtime/src/sync/mod.rs", "//! W.\nuse crate::ingest::Door;", ":2: `sync` names `ingest`"),
        ("a/src/x.rs", "//! W.\nfn f( {", "not Rust"),
        ("docs/x.md", &format!("see `{place}me/x`"), ":1: `/"),
        ("docs/x.md", &format!("\nsee https://{host}.org/x"), ":2: `regi"),
        ("docs/x.md", ["here\n<<<", "<<<< HEAD"].concat().as_str(), ":2: an unfinished merge"),
        ("Cargo.lock", "source = \"git+https://example.com/x\"", ":1: a package from elsewhere"),
    ] {
        let findings = check(path, text);
        assert!(findings.len() == 1 && findings[0].contains(wanted), "{path}: {text:.60}\n{findings:?}");
    }
}

#[test]
fn a_tidy_file_is_left_alone() {
    let tests = "fn f() {}\n".repeat(LONGEST_OF_TESTS);
    let tested = format!("//! W.\n{}#[cfg(test)]\nmod tests {{\n{tests}}}", "fn f() {}\n".repeat(LONGEST - 1));
    for (path, text) in [
        ("a/src/x.rs", tested.as_str()),
        ("examples/a/build.rs", "//! W.\n#[allow(dead_code)]\nmod pipelines;"),
        ("tests/ui/key/none.rs", "fn main() {}"),
        (UNSAFE[0], "//! W.\nfn f() { unsafe { g() } }"),
        ("a/src/x.rs", "//! W.\n// unsafe, allow(x)\nfn f() { g(\"unsafe #[allow(x)]\") }"),
        ("docs/x.md", "`<data>/home/x`, ./work/x, examples/work/"),
        ("Cargo.lock", REGISTRY),
    ] {
        assert_eq!(check(path, text), Vec::<String>::new(), "{path}");
    }
}
