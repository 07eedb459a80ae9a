//! The environment of a build script: the variables that cargo and the author set.

use std::{ffi::OsString, path::PathBuf};

use super::error::BuildError;

/// Names of the variables, beside those that cargo sets, on which the output depends.
pub(super) const VARIABLES: [&str; 3] = [SAVE, MODE, CI];

/// The name under which the draft is to be saved.
const SAVE: &str = "MOOSE_SAVE_MIGRATION";
/// `locked`: a draft is an error.
const MODE: &str = "MOOSE_MIGRATIONS";
/// Set by CI services.
const CI: &str = "CI";

/// Files by which a packaged, vendored or fetched package differs from one that is being worked on.
const PACKAGED: [&str; 4] = ["Cargo.toml.orig", ".cargo_vcs_info.json", ".cargo-checksum.json", ".cargo-ok"];

/// The environment, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Environment {
    /// Directory of the package.
    pub(super) package: PathBuf,
    /// The build's output directory.
    pub(super) output: PathBuf,
    /// What to do with a draft.
    pub(super) mode: Mode,
    /// Features of the package that are on, beside the default.
    pub(super) features: Vec<String>,
}

/// What to do with a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Report it.
    Draft,
    /// Save it under this name.
    Save(String),
    /// Fail, for the reason given.
    Locked(&'static str),
    /// Nothing: this is a dependency.
    Ignore,
}

impl Environment {
    /// Reads the variables through `get`.
    pub(super) fn read(
        get: impl Fn(&str) -> Option<OsString>,
        names: impl Iterator<Item = OsString>,
    ) -> Result<Self, BuildError> {
        let path = |name: &str| get(name).map(PathBuf::from).ok_or(BuildError::NotABuildScript);
        let (package, output) = (path("CARGO_MANIFEST_DIR")?, path("OUT_DIR")?);
        let text = |name: &str| get(name).map(|value| value.to_string_lossy().trim().to_owned()).unwrap_or_default();
        let has_migrations = package.join(crate::migration::DIRECTORY).is_dir();
        let mode = if get("DOCS_RS").is_some() || is_packaged(&package) {
            Mode::Ignore
        } else {
            match (text(SAVE), text(MODE).as_str(), text(CI).as_str()) {
                (name, "locked", _) if !name.is_empty() => return Err(BuildError::SaveLocked),
                (name, "", _) if !name.is_empty() => Mode::Save(name),
                (_, "locked", _) => Mode::Locked("MOOSE_MIGRATIONS is `locked`"),
                (_, "", "" | "0" | "false") => Mode::Draft,
                (_, "", _) if has_migrations => Mode::Locked("CI is set"),
                (_, "", _) => Mode::Draft,
                (_, other, _) => return Err(BuildError::Mode { value: other.to_owned() }),
            }
        };
        let features = names.filter_map(|name| {
            let feature = name.to_str()?.strip_prefix("CARGO_FEATURE_")?.to_ascii_lowercase();
            (feature != "default").then_some(feature)
        });
        let mut features: Vec<String> = features.collect();
        features.sort();
        Ok(Self { package, output, mode, features })
    }
}

/// Whether the package was packaged, vendored or fetched. In a fetched repository the mark is in the root.
fn is_packaged(package: &std::path::Path) -> bool {
    PACKAGED.iter().any(|mark| package.join(mark).is_file())
        || package.ancestors().any(|directory| directory.join(".cargo-ok").is_file())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs};

    use tempfile::TempDir;

    use super::*;

    fn mode(package: &TempDir, variables: &[(&str, &str)]) -> Result<Mode, String> {
        let mut all: BTreeMap<&str, OsString> =
            variables.iter().map(|(name, value)| (*name, OsString::from(value))).collect();
        all.insert("CARGO_MANIFEST_DIR", package.path().into());
        all.insert("OUT_DIR", "/out".into());
        let names: Vec<OsString> = all.keys().map(OsString::from).collect();
        let read = Environment::read(|name| all.get(name).cloned(), names.into_iter());
        read.map(|environment| environment.mode).map_err(|error| error.to_string())
    }

    fn package(migrations: bool) -> TempDir {
        let package = TempDir::new().expect("a temporary directory");
        if migrations {
            fs::create_dir(package.path().join("migrations")).expect("a directory");
        }
        package
    }

    #[test]
    fn a_draft_is_an_error_where_what_was_committed_is_built() {
        let (bare, with) = (package(false), package(true));
        assert_eq!(mode(&with, &[]), Ok(Mode::Draft));
        for (value, locked) in
            [("true", true), ("1", true), ("woodpecker", true), ("false", false), ("0", false), ("", false)]
        {
            let expected = if locked { Mode::Locked("CI is set") } else { Mode::Draft };
            assert_eq!(mode(&with, &[("CI", value)]), Ok(expected), "CI={value}");
            assert_eq!(mode(&bare, &[("CI", value)]), Ok(Mode::Draft), "nothing was ever saved, CI={value}");
        }
        let locked = Ok(Mode::Locked("MOOSE_MIGRATIONS is `locked`"));
        assert_eq!(mode(&bare, &[("MOOSE_MIGRATIONS", "locked")]), locked);
        assert!(mode(&with, &[("MOOSE_MIGRATIONS", "lock")]).expect_err("unknown").contains("`lock`"));
    }

    #[test]
    fn a_draft_is_saved_when_it_is_asked_for_also_in_ci() {
        let with = package(true);
        let saved = Ok(Mode::Save("first".to_owned()));
        assert_eq!(mode(&with, &[("MOOSE_SAVE_MIGRATION", "first")]), saved);
        assert_eq!(mode(&with, &[("MOOSE_SAVE_MIGRATION", "first"), ("CI", "1")]), saved);
        let both = [("MOOSE_SAVE_MIGRATION", "first"), ("MOOSE_MIGRATIONS", "locked")];
        assert!(mode(&with, &both).expect_err("both").contains("MOOSE_SAVE_MIGRATION"));
    }

    #[test]
    fn somebody_elses_package_is_left_alone() {
        let asked = [("MOOSE_SAVE_MIGRATION", "first"), ("CI", "1")];
        for mark in PACKAGED {
            let with = package(true);
            fs::write(with.path().join(mark), "").expect("a file");
            assert_eq!(mode(&with, &asked), Ok(Mode::Ignore), "{mark}");
        }
        let documented = [("DOCS_RS", "1"), ("MOOSE_MIGRATIONS", "locked")];
        assert_eq!(mode(&package(true), &documented), Ok(Mode::Ignore));
    }

    #[test]
    fn outside_of_a_build_script_it_says_so() {
        let error = Environment::read(|_| None, std::iter::empty()).expect_err("no cargo").to_string();
        assert!(error.contains("build script"), "{error}");
    }
}
