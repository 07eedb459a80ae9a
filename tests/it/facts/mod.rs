//! What ClickHouse really does: the facts that the delivery protocol stands on, each pinned on the engine in use. A
//! failure here after a change of the engine means that the protocol has to be thought through again, not that a number
//! is to be adjusted.
//!
//! 1. `tokens::the_same_token_drops_its_own_resend`
//! 2. `tokens::identical_data_under_a_new_token_lands`
//! 3. `tokens::other_data_under_the_same_token_is_dropped_without_a_word`
//! 4. `tokens::without_a_window_a_token_means_nothing`
//! 5. `tokens::what_falls_out_of_the_window_lands_again`
//! 6. `tokens::the_window_counts_parts_and_not_inserts`
//! 7. `tokens::an_insert_over_several_partitions_is_dropped_in_each`
//! 8. `tokens::a_resend_that_splits_differently_is_another_insert`
//! 9. `tokens::an_asynchronous_table_keeps_to_the_token`
//! 10. `tokens::two_clients_with_one_token_store_once`
//! 11. `tokens::the_newer_setting_beats_the_older`
//! 12. `tokens::a_partition_key_over_the_clock_of_the_server_makes_tokens_void`
//! 13. `tokens::the_server_remembers_nothing_and_syncs_nothing_unless_told`
//! 14. `changes::tokens_outlive_a_rename_and_detaching`
//! 15. `changes::tokens_do_not_outlive_truncating`
//! 16. `changes::tokens_do_not_outlive_dropping_their_partition`
//! 17. `changes::tokens_stay_with_their_table_in_an_exchange`
//! 18. `changes::rows_and_tokens_outlive_a_restart_and_a_kill_right_after_the_answer`
//! 19. `views::a_view_is_fed_once_for_a_resent_token`
//! 20. `views::without_the_setting_a_view_is_fed_again`
//! 21. `views::a_view_into_a_table_without_a_window_is_fed_again`
//! 22. `views::a_failing_view_fails_the_insert_after_the_table_has_its_rows`
//! 23. `views::a_view_that_works_again_gets_its_rows_by_the_token_that_the_table_has`
//! 24. `views::errors_of_a_view_that_are_ignored_lose_its_rows`
//! 25. `views::a_slow_view_keeps_the_insert_waiting`
//! 26. `views::a_partition_that_is_moved_feeds_no_view`
//! 27. `hidden::hidden_columns_are_filled_only_when_allowed`
//! 28. `hidden::hidden_columns_outlive_merges_mutations_an_exchange_and_native`
//! 29. `hidden::a_copy_of_everything_loses_the_hidden_columns`
//! 30. `hidden::hidden_columns_cost_less_than_a_byte_a_row`
//! 31. `values::a_native_block_of_other_types_is_converted_without_a_word`
//! 32. `values::a_native_block_of_other_types_is_refused_when_asked`
//! 33. `values::a_fraction_into_an_integer_is_cut`
//! 34. `values::a_value_outside_of_an_enum_is_stored_and_then_can_not_be_read`
//! 35. `values::no_time_is_refused_and_one_past_the_calendar_reads_as_another`
//! 36. `values::dates_hold_what_the_encoder_lets_through`
//! 37. `values::a_date_of_two_bytes_ends_in_2149`
//! 38. `values::values_that_json_can_carry_are_refused_as_text_and_not_looked_at_in_a_block`
//! 39. `answers::a_body_that_breaks_off_stores_nothing`
//! 40. `answers::a_refused_insert_may_have_stored_rows_in_other_partitions`
//! 41. `answers::a_constraint_that_comes_later_refuses_rows_that_are_stored`
//! 42. `answers::a_block_over_more_than_100_partitions_is_refused_unless_allowed`
//! 43. `answers::a_profile_makes_a_question_lie_and_ours_says_otherwise`
//! 44. `answers::no_request_sees_the_settings_of_another`
//! 45. `fences::pairs_are_exchanged_in_order_and_the_first_that_fails_ends_it`
//! 46. `fences::an_alter_is_taken_as_a_whole_or_not_at_all`
//! 47. `fences::a_time_of_day_fits_at_every_higher_precision`
//! 48. `blocks::block_numbers_grow_and_a_merged_part_keeps_its_lowest`
//! 49. `lexer::texts_are_taken_apart_where_clickhouse_does`
//!
//! Beside these, with a process that is killed or a disk that is full: a kill between token and rename burns the token
//! (`crash/rename.rs`), a rename that fails does too, and a merge can cover what it lost (`burnt.rs`).

mod answers;
mod blocks;
mod changes;
mod fences;
mod hidden;
mod lexer;
mod tokens;
mod values;
mod views;

use moose_tests::http::{self, Answer, percent_encoded};

use crate::stage::Stage;

/// A table with the deduplication window that ours have.
const WINDOW: &str = "ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 100";

/// Settings under which every INSERT of ours is sent, as far as deduplication goes.
const OURS: &str = "async_insert=0&wait_for_async_insert=1&insert_deduplicate=1&deduplicate_insert=enable\
                    &deduplicate_blocks_in_dependent_materialized_views=1&insert_allow_materialized_columns=1\
                    &max_insert_threads=1&wait_end_of_query=1";

impl Stage {
    /// An INSERT of rows as CSV under a token.
    async fn insert(&self, table: &str, token: &str, rows: &str) -> Answer {
        self.insert_with(table, token, rows, OURS).await
    }

    async fn insert_with(&self, table: &str, token: &str, rows: &str, settings: &str) -> Answer {
        let statement = percent_encoded(&format!("INSERT INTO {table} FORMAT CSV"));
        let token = percent_encoded(token);
        let url = format!("{}&query={statement}&insert_deduplication_token={token}&{settings}", self.url());
        http::post(&url, "application/octet-stream", rows.to_owned()).await
    }

    /// An INSERT that is expected to be answered "ok", whatever it stores.
    async fn insert_ok(&self, table: &str, token: &str, rows: &str) {
        let answer = self.insert(table, token, rows).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// An INSERT of one hand-written Native block.
    async fn insert_native(&self, table: &str, columns: &[(&str, &str, &[u8])], rows: u8) -> Answer {
        self.insert_native_with(table, columns, rows, OURS).await
    }

    async fn insert_native_with(
        &self,
        table: &str,
        columns: &[(&str, &str, &[u8])],
        rows: u8,
        settings: &str,
    ) -> Answer {
        let mut body = vec![u8::try_from(columns.len()).expect("few columns"), rows];
        for (name, data_type, data) in columns {
            for text in [name, data_type] {
                body.push(u8::try_from(text.len()).expect("a short name"));
                body.extend_from_slice(text.as_bytes());
            }
            body.extend_from_slice(data);
        }
        let names = columns.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", ");
        let statement = percent_encoded(&format!("INSERT INTO {table} ({names}) FORMAT Native"));
        let url = format!("{}&query={statement}&{settings}", self.url());
        http::post(&url, "application/octet-stream", body).await
    }

    async fn count(&self, table: &str) -> String {
        self.sql(&format!("SELECT count() FROM {table}")).await
    }

    /// A table `t` and behind it a view into `target`, whose engine and settings are given.
    async fn table_with_view(&self, query: &str, target: &str) {
        self.sql(&format!("CREATE TABLE t (id UInt32) {WINDOW}")).await;
        self.sql(&format!("CREATE TABLE target (id UInt32) {target}")).await;
        self.sql(&format!("CREATE MATERIALIZED VIEW view TO target AS {query}")).await;
    }
}

#[test]
fn the_list_of_facts_is_the_tests() {
    let sources = [
        ("tokens", include_str!("tokens.rs")),
        ("changes", include_str!("changes.rs")),
        ("views", include_str!("views.rs")),
        ("hidden", include_str!("hidden.rs")),
        ("values", include_str!("values.rs")),
        ("answers", include_str!("answers.rs")),
        ("fences", include_str!("fences.rs")),
        ("blocks", include_str!("blocks.rs")),
        ("lexer", include_str!("lexer.rs")),
    ];
    let tests = sources.iter().flat_map(|(module, source)| {
        let names = source.split("#[tokio::test]\nasync fn ").skip(1).filter_map(|test| test.split('(').next());
        names.map(move |name| format!("`{module}::{name}`"))
    });
    let numbered: Vec<String> = tests.enumerate().map(|(at, test)| format!("//! {}. {test}", at + 1)).collect();
    let listed: Vec<&str> =
        include_str!("mod.rs").lines().filter(|line| line.ends_with('`') && line.contains("::")).collect();
    assert_eq!(listed, numbered);
}
