//! Column options that only the table cares about: defaults, codec, TTL, and what migrations may do to the column.

use proc_macro2::Ident;
use syn::LitStr;

use super::{entry::Entry, mistakes::Mistakes};

/// Names of these attributes.
pub(super) const OPTIONS: [&str; 8] =
    ["alias", "codec", "default", "ephemeral", "materialized", "narrowed", "renamed_from", "ttl"];

/// The kind of a column's default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DefaultKind {
    Default,
    Materialized,
    Ephemeral,
    Alias,
}

impl DefaultKind {
    /// Whether ClickHouse computes the column, so that neither JSON nor an INSERT gives it.
    pub(super) fn is_computed(self) -> bool {
        matches!(self, Self::Materialized | Self::Alias)
    }

    /// Whether the column is stored.
    fn is_stored(self) -> bool {
        matches!(self, Self::Default | Self::Materialized)
    }
}

/// The default of a column, as written.
pub(super) struct ColumnDefault {
    pub(super) kind: DefaultKind,
    /// The attribute's name, for its span.
    pub(super) name: Ident,
    /// A ClickHouse expression; only `ephemeral` may have none.
    pub(super) expression: Option<LitStr>,
}

/// The options of a column, as written.
#[derive(Default)]
pub(super) struct Options {
    pub(super) default: Option<ColumnDefault>,
    pub(super) codec: Option<LitStr>,
    pub(super) ttl: Option<LitStr>,
    pub(super) renamed_from: Option<LitStr>,
    pub(super) narrowed: bool,
}

impl Options {
    /// Reads one of [`OPTIONS`].
    pub(super) fn read(&mut self, entry: &Entry, mistakes: &mut Mistakes) {
        match entry.name.to_string().as_str() {
            "codec" => self.codec = entry.text(mistakes),
            "ttl" => self.ttl = entry.text(mistakes),
            "renamed_from" => self.renamed_from = entry.text(mistakes),
            "narrowed" => self.narrowed = entry.flag(mistakes),
            "default" => self.default(DefaultKind::Default, entry, mistakes),
            "materialized" => self.default(DefaultKind::Materialized, entry, mistakes),
            "alias" => self.default(DefaultKind::Alias, entry, mistakes),
            _ => self.default(DefaultKind::Ephemeral, entry, mistakes),
        }
    }

    fn default(&mut self, kind: DefaultKind, entry: &Entry, mistakes: &mut Mistakes) {
        if let Some(other) = &self.default {
            let message = format!(
                "`{}` and `{}` each say what ClickHouse puts into the column: keep one of them",
                other.name, entry.name
            );
            mistakes.at(&entry.name, message);
            return;
        }
        let bare = kind == DefaultKind::Ephemeral && entry.is_bare();
        let expression = if bare { None } else { entry.text(mistakes) };
        self.default = Some(ColumnDefault { kind, name: entry.name.clone(), expression });
    }

    /// Their spans.
    pub(super) fn places(&self) -> impl Iterator<Item = proc_macro2::Span> {
        let default = self.default.as_ref().map(|default| default.name.span());
        let texts = [&self.codec, &self.ttl, &self.renamed_from];
        default.into_iter().chain(texts.into_iter().flatten().map(LitStr::span))
    }

    /// Whether ClickHouse computes the column.
    pub(super) fn is_computed(&self) -> bool {
        self.default.as_ref().is_some_and(|default| default.kind.is_computed())
    }

    /// ```text
    /// #[olap(alias = "a + 1", codec = "ZSTD")]    // there is nothing to pack
    /// #[olap(ephemeral, ttl = "at + INTERVAL 1 DAY")]
    /// #[key] #[olap(alias = "a + 1")]             // nothing to sort by
    /// #[key] #[olap(ttl = "at + INTERVAL 1 DAY")] // nothing may go
    /// ```
    pub(super) fn check(&self, is_key: bool, mistakes: &mut Mistakes) {
        if is_key && let Some(ttl) = &self.ttl {
            mistakes.at(ttl, "a key stays as it is: take the `ttl` off, or give the table one on its declaration");
        }
        let Some(default) = self.default.as_ref().filter(|default| !default.kind.is_stored()) else { return };
        let name = &default.name;
        if is_key {
            mistakes.at(name, format_args!("an `{name}` column is not stored, and rows can't be sorted by it"));
        }
        for (option, text) in [("codec", &self.codec), ("ttl", &self.ttl)] {
            if let Some(text) = text {
                mistakes.at(text, format_args!("an `{name}` column is not stored, and has no `{option}`"));
            }
        }
    }
}
