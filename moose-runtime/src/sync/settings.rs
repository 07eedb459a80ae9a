//! The ClickHouse settings of an INSERT and of a probe: those that the protocol needs, whatever the user's profile
//! says.

use std::collections::HashSet;

use bytes::Bytes;

use crate::clickhouse::insert::Insert;

/// Settings of every INSERT, each with the reason why it is not left to the server's profile.
const INSERT: &[(&str, &str)] = &[
    // A response means stored, not queued.
    ("async_insert", "0"),
    ("wait_for_async_insert", "1"),
    // The token counts, in the table and in the views behind it.
    ("insert_deduplicate", "1"),
    ("deduplicate_insert", "enable"),
    ("deduplicate_blocks_in_dependent_materialized_views", "1"),
    ("materialized_views_ignore_errors", "0"),
    // The provenance columns are ours to fill.
    ("insert_allow_materialized_columns", "1"),
    // One block stays one block, so that its token is one too.
    ("max_insert_threads", "1"),
    ("max_insert_block_size", "100000000"),
    ("max_insert_block_size_bytes", "0"),
    ("min_insert_block_size_rows", "100000000"),
    ("min_insert_block_size_bytes", "1000000000"),
    ("use_strict_insert_block_limits", "0"),
    // A range over many table partitions would be refused for ever.
    ("max_partitions_per_insert_block", "0"),
    // Nothing is stored in another form than it was sent.
    ("input_format_null_as_default", "0"),
    // A column whose type was changed meanwhile refuses the block, instead of converting it silently.
    ("input_format_native_allow_types_conversion", "0"),
    ("input_format_skip_unknown_fields", "0"),
    // A string in `JSON` stays one, though it looks like a date.
    ("input_format_try_infer_dates", "0"),
    ("input_format_try_infer_datetimes", "0"),
];

/// A parameter of the HTTP interface, not a setting: the status is sent when the INSERT has ended.
const WAIT_END_OF_QUERY: (&str, &str) = ("wait_end_of_query", "1");

/// Settings of every probe: a profile's limit, filter or cache would falsify it.
const PROBE: &[(&str, &str)] = &[
    ("limit", "0"),
    ("offset", "0"),
    ("final", "0"),
    ("apply_deleted_mask", "0"),
    ("max_result_rows", "0"),
    ("max_rows_to_read", "0"),
    ("read_overflow_mode", "'throw'"),
    ("result_overflow_mode", "'throw'"),
    ("timeout_overflow_mode", "'throw'"),
    ("additional_table_filters", "{}"),
    ("additional_result_filter", "''"),
    ("use_query_cache", "0"),
    ("max_parallel_replicas", "1"),
];

/// The settings that the current server knows.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) insert: Vec<(String, String)>,
    pub(super) probe: String,
    /// The server has deduplication tokens.
    pub(super) tokens: bool,
}

impl Settings {
    /// An INSERT of a block with these settings, and with its token where the server has any.
    pub(super) fn insert_into<'a>(
        &'a self,
        table: &'a str,
        columns: &'a [String],
        token: Option<&'a str>,
        body: Bytes,
    ) -> Insert<'a> {
        Insert { table, columns, settings: &self.insert, token: token.filter(|_| self.tokens), body }
    }

    pub(super) fn known_to(server: &HashSet<String>) -> Self {
        let known = |settings: &[(&'static str, &'static str)]| -> Vec<(&'static str, &'static str)> {
            settings.iter().copied().filter(|(name, _)| server.contains(*name)).collect()
        };
        let pairs: Vec<String> = known(PROBE).into_iter().map(|(name, value)| format!("{name} = {value}")).collect();
        Self {
            insert: known(INSERT)
                .into_iter()
                .chain([WAIT_END_OF_QUERY])
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            probe: if pairs.is_empty() { String::new() } else { format!(" SETTINGS {}", pairs.join(", ")) },
            tokens: server.contains("insert_deduplication_token"),
        }
    }

    /// The same without deduplication.
    pub(super) fn without_tokens(&self) -> Self {
        let mut settings = self.clone();
        settings.tokens = false;
        for (name, value) in &mut settings.insert {
            match name.as_str() {
                "insert_deduplicate" => "0".clone_into(value),
                "deduplicate_insert" => "disable".clone_into(value),
                _ => {}
            }
        }
        settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_the_server_lacks_is_not_sent() {
        let old: HashSet<String> = ["insert_deduplicate", "max_rows_to_read"].map(str::to_owned).into();
        let settings = Settings::known_to(&old);
        let names: Vec<&str> = settings.insert.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["insert_deduplicate", "wait_end_of_query"]);
        assert_eq!(settings.probe, " SETTINGS max_rows_to_read = 0");
        assert!(!settings.tokens);
    }

    #[test]
    fn without_tokens_nothing_is_recognised() {
        let server = ["insert_deduplicate", "deduplicate_insert", "insert_deduplication_token"].map(str::to_owned);
        let settings = Settings::known_to(&server.into()).without_tokens();
        let pairs: Vec<_> = settings.insert.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert!(pairs.contains(&("insert_deduplicate", "0")) && pairs.contains(&("deduplicate_insert", "disable")));
        assert!(!settings.tokens);
    }
}
