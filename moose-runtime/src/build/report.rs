//! Messages of the build about a draft migration.

use std::path::Path;

use crate::migration::{Draft, Refused};

use super::environment::{Environment, Mode};

/// Messages for cargo to show, as warnings or as errors.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) lines: Vec<String>,
    pub(super) failed: bool,
}

/// About a draft that lies at `path` and was not saved.
pub(super) fn drafted(environment: &Environment, draft: &Draft, path: &Path) -> Report {
    let count = match draft.lines().len() {
        1 => "a change".to_owned(),
        several => format!("{several} changes"),
    };
    let mut lines = vec![match environment.mode {
        Mode::Locked(reason) => format!("migrations/ lacks {count} of the declarations, and {reason}:"),
        _ => format!("migrations/ lacks {count} of the declarations:"),
    }];
    lines.extend(draft.lines().into_iter().map(|line| format!("  {line}")));
    lines.push(format!(
        "the SQL is in {}; save it with `MOOSE_SAVE_MIGRATION=<name> cargo build` or `cargo run -- migrate save <name>`",
        path.display()
    ));
    lines.extend(about_features(environment));
    Report { lines, failed: matches!(environment.mode, Mode::Locked(_)) }
}

/// About changes that need a decision of the author: an error where a draft would be one, or where saving was
/// requested.
pub(super) fn refused(environment: &Environment, refused: &Refused) -> Report {
    let mut lines = vec!["the declarations have changes that no migration makes unasked:".to_owned()];
    lines.extend(refused.refusals.iter().map(|refusal| format!("  {refusal}")));
    lines.extend(about_features(environment));
    Report { lines, failed: !matches!(environment.mode, Mode::Draft) }
}

/// About a draft that was saved at `path`.
pub(super) fn saved(draft: &Draft, path: &Path) -> Report {
    let mut lines = vec![format!("saved {}:", path.display())];
    lines.extend(draft.lines().into_iter().map(|line| format!("  {line}")));
    lines.push("read it, and commit it with schema.json".to_owned());
    Report { lines, failed: false }
}

/// About a name to save under when there is nothing to save.
pub(super) fn nothing_to_save(name: &str) -> Report {
    let line = format!("nothing to save as `{name}`: migrations/ leads to the declarations already");
    Report { lines: vec![line], failed: false }
}

fn about_features(environment: &Environment) -> Option<String> {
    (!environment.features.is_empty()).then(|| {
        format!(
            "this build has the features {}: where one of them guards a declaration, build with the default features, which \
             migrations/ belongs to",
            environment.features.join(", ")
        )
    })
}
