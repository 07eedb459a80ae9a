//! Files of one crate that need each other: such a knot can only be read, tested and moved as one.
//!
//! A file needs another one when its code, outside of tests, names something that is defined there, by whatever path:
//! what a `mod.rs` passes on with `pub use` belongs to the file that it comes from, and passing on alone is no need.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    layers::{local, module_of},
    source::{Seen, Sight},
};

/// A module's path from the root of its crate.
type Module = Vec<String>;

/// The sources of a crate.
#[derive(Debug)]
pub(super) struct Sources {
    /// The directory of its sources.
    root: &'static str,
    /// Of each module that is a file: the file.
    files: BTreeMap<Module, String>,
    /// Of each file: what it names outside of tests.
    seen: BTreeMap<String, Vec<Seen>>,
    /// What a name stands for in a module that imports it.
    imports: BTreeMap<Module, BTreeMap<String, Import>>,
    /// Modules that are compiled for tests only.
    tests: BTreeSet<Module>,
}

#[derive(Debug)]
struct Import {
    segments: Vec<String>,
    /// With `pub`: whether the module needs it itself is seen where its code names it.
    passed_on: bool,
}

/// Which file names what of which other one, with the line.
#[derive(Debug)]
struct Need {
    from: String,
    line: usize,
    name: String,
    to: String,
}

impl Sources {
    /// Of a crate whose sources are under `root`.
    pub(super) fn new(root: &'static str) -> Self {
        Self { root, files: BTreeMap::new(), seen: BTreeMap::new(), imports: BTreeMap::new(), tests: BTreeSet::new() }
    }

    /// Adds the file at `path`, when it is of this crate.
    pub(super) fn add(&mut self, path: &str, seen: &[Seen]) {
        let Some(file) = path.strip_prefix(self.root) else { return };
        let module = module_of(file);
        for Seen { in_test, sight, .. } in seen {
            match sight {
                Sight::Module { modules, name } if *in_test => {
                    self.tests.insert(module.iter().chain(modules).chain([name]).cloned().collect());
                }
                Sight::Import { modules, segments, name, passed_on } if !in_test => {
                    let around: Module = module.iter().chain(modules).cloned().collect();
                    let import = Import { segments: segments.clone(), passed_on: *passed_on };
                    self.imports.entry(around).or_default().insert(name.clone(), import);
                }
                _ => {}
            }
        }
        self.files.insert(module, path.to_owned());
        self.seen.insert(path.to_owned(), seen.iter().filter(|seen| !seen.in_test).cloned().collect());
    }

    /// The circles, each with the lines that close it.
    pub(super) fn check(&self) -> Vec<String> {
        let needs = self.needs();
        let told = |knot: BTreeSet<String>| {
            let inside = needs.iter().filter(|need| knot.contains(&need.from) && knot.contains(&need.to));
            let lines = inside.map(|need| format!("  {}:{}: `{}` of {}", need.from, need.line, need.name, need.to));
            let files: Vec<&str> = knot.iter().map(String::as_str).collect();
            format!(
                "{} need each other: give what both need a file of its own\n{}",
                files.join(", "),
                lines.collect::<Vec<_>>().join("\n")
            )
        };
        knots(&needs).into_iter().map(told).collect()
    }

    /// What each file needs of others.
    fn needs(&self) -> Vec<Need> {
        let mut needs = Vec::new();
        for (module, from) in &self.files {
            if (0..=module.len()).any(|depth| self.tests.contains(&module[..depth])) {
                continue;
            }
            for Seen { line, sight, .. } in self.seen.get(from).into_iter().flatten() {
                let (modules, segments, is_import) = match sight {
                    Sight::Path { modules, segments } => (modules, segments.as_slice(), false),
                    Sight::Import { modules, segments, passed_on: false, .. } => (modules, segments.as_slice(), true),
                    Sight::Name { modules, name } => (modules, std::slice::from_ref(name), false),
                    _ => continue,
                };
                let around: Module = module.iter().chain(modules).cloned().collect();
                let Some(target) = self.target(&around, segments, is_import) else { continue };
                // A module that is imported is needed where something of it is named.
                if is_import && self.files.contains_key(&target) {
                    continue;
                }
                let Some(to) = self.home(&target, 0).filter(|to| to != from) else { continue };
                needs.push(Need { from: from.clone(), line: *line, name: segments.join("::"), to });
            }
        }
        needs
    }

    /// The path from the root of what `segments` stand for in the module `around`; none if it is not of this crate, a name
    /// of the module's own, or one that was counted where it was imported.
    fn target(&self, around: &[String], segments: &[String], is_import: bool) -> Option<Module> {
        let (first, rest) = segments.split_first()?;
        if first == "moose_runtime" {
            return None;
        }
        // A keyword on its own names nothing.
        if rest.is_empty() && matches!(first.as_str(), "crate" | "self" | "super") {
            return None;
        }
        if let Some(target) = local(around, segments) {
            return Some(target);
        }
        let child: Module = around.iter().chain([first]).cloned().collect();
        if self.files.contains_key(&child) {
            return (is_import || !rest.is_empty()).then(|| child.iter().chain(rest).cloned().collect());
        }
        let import = self.imports.get(around)?.get(first)?;
        let through = self.through(around, import)?;
        let counts = if self.files.contains_key(&through) { !rest.is_empty() } else { import.passed_on };
        counts.then(|| through.iter().chain(rest).cloned().collect())
    }

    /// The path from the root that an import of the module `around` stands for.
    fn through(&self, around: &[String], import: &Import) -> Option<Module> {
        if let Some(target) = local(around, &import.segments) {
            return Some(target);
        }
        let child: Module = around.iter().chain(&import.segments).cloned().collect();
        self.files.contains_key(&child[..=around.len()]).then_some(child)
    }

    /// The file in which the last of a path from the root is defined.
    fn home(&self, path: &[String], depth: usize) -> Option<String> {
        // Imports that go round and round, which the compiler refuses too.
        if depth > 32 {
            return None;
        }
        let mut file = self.files.get(&[][..])?;
        for (at, next) in path.iter().enumerate() {
            let (module, rest) = path.split_at(at);
            if let Some(child) = self.files.get(&path[..=at]) {
                file = child;
            } else if let Some(import) = self.imports.get(module).and_then(|imports| imports.get(next)) {
                let through = self.through(module, import)?;
                let through: Module = through.iter().chain(&rest[1..]).cloned().collect();
                return self.home(&through, depth + 1);
            }
        }
        Some(file.clone())
    }
}

/// The sets of files that reach each other.
fn knots(needs: &[Need]) -> Vec<BTreeSet<String>> {
    let mut next: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for need in needs {
        next.entry(&need.from).or_default().insert(&need.to);
    }
    let reach = |from: &str| {
        let mut reached = BTreeSet::new();
        let mut open: Vec<&str> = next.get(from).into_iter().flatten().copied().collect();
        while let Some(file) = open.pop() {
            if reached.insert(file) {
                open.extend(next.get(file).into_iter().flatten().copied());
            }
        }
        reached
    };
    let reached: BTreeMap<&str, BTreeSet<&str>> = next.keys().map(|file| (*file, reach(file))).collect();
    let mut knots: Vec<BTreeSet<String>> = Vec::new();
    for (file, forth) in &reached {
        let back = |other: &&&str| reached.get(**other).is_some_and(|back| back.contains(file));
        let knot: BTreeSet<String> = forth.iter().filter(back).map(|other| (*other).to_owned()).collect();
        if !knot.is_empty() && !knots.contains(&knot) {
            knots.push(knot);
        }
    }
    knots
}

#[cfg(test)]
mod tests {
    use super::{super::source::look, Sources};

    /// The findings for a crate of these files.
    fn findings(files: &[(&str, &str)]) -> Vec<String> {
        let mut sources = Sources::new("a/src/");
        for (file, code) in files {
            sources.add(&format!("a/src/{file}"), &look(code).expect("Rust"));
        }
        sources.check()
    }

    #[test]
    fn files_that_need_each_other_are_found() {
        for files in [
            [("lib.rs", "mod x; mod y;"), ("x.rs", "use crate::y::Y;"), ("y.rs", "fn f() { super::x::g() }")],
            [
                ("lib.rs", "pub use x::X; mod x; mod y;"),
                ("x.rs", "use super::y;\nfn f() { y::g() }"),
                ("y.rs", "use crate::X;"),
            ],
            [("lib.rs", "mod x; mod y;"), ("x/mod.rs", "mod z; fn f() { z::g() }"), ("x/z.rs", "use super::Defined;")],
            [
                ("lib.rs", "mod x; mod y;"),
                ("x/mod.rs", "mod z; pub use z::Z; struct F(Z);"),
                ("x/z.rs", "use super::F;"),
            ],
            [
                ("lib.rs", "mod x; mod y;"),
                ("x/mod.rs", "mod z; use self::z::{Z as A};"),
                ("x/z.rs", "fn f(_: crate::x::F) {}"),
            ],
        ] {
            let found = findings(&files);
            assert!(found.len() == 1 && found[0].contains("need each other"), "{files:?}\n{found:?}");
        }
    }

    #[test]
    fn files_of_one_direction_are_not() {
        for files in [
            [("lib.rs", "pub use x::X; mod x; mod y;"), ("x.rs", "use super::y::Y;"), ("y.rs", "")],
            [
                ("lib.rs", "mod x; mod y;"),
                ("x/mod.rs", "mod z; mod w; pub use z::Z; pub use w::W;"),
                ("x/z.rs", "use super::W;"),
            ],
            [
                ("lib.rs", "mod x; mod y;"),
                ("x.rs", "use crate::y;\nfn f() { y::g() }"),
                ("y.rs", "#[cfg(test)] mod tests { use crate::x::X; }"),
            ],
            [("lib.rs", "#[cfg(test)] mod x; mod y;"), ("x.rs", "use crate::y::Y;"), ("y.rs", "use crate::x::X;")],
            [("lib.rs", "mod x; mod y;"), ("x.rs", "pub(in crate::y) fn f(y: u8) {}"), ("y.rs", "use crate::x::f;")],
        ] {
            assert_eq!(findings(&files), Vec::<String>::new(), "{files:?}");
        }
    }
}
