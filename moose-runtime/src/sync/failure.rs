//! What becomes of a failed INSERT: one table of codes, one function.
//!
//! Every failure keeps the range, whatever its verdict. The verdict only says whether it is worth looking for rows that
//! ClickHouse refuses: that takes a definite answer of its own, about the rows, from the table itself.

use super::SyncError;
use crate::{clickhouse::ClickHouseError, drain::is_bar};

/// What a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Passes by itself: an outage, a limit, too much at once, an answer that is not ClickHouse's.
    Retry,
    /// Passes when somebody mends the table, its views, its grants or the declaration.
    Hold,
    /// A definite answer about the INSERT: given twice, the rows are tried.
    Trial,
}

/// Codes that say nothing about the rows: time, memory, disk, Keeper, replicas, connections, quotas, shutdown.
const RETRY: &[u32] = &[
    3, 107, 159, 164, 173, 198, 201, 202, 203, 209, 210, 225, 236, 241, 242, 243, 244, 252, 254, 265, 279, 285, 286,
    289, 290, 297, 319, 364, 384, 394, 425, 439, 473, 499, 568, 677, 999, 1000, 1001, 1002,
];

/// Codes that say that the table is not as declared, or not ours to write: no row is to blame.
const HOLD: &[u32] = &[16, 20, 44, 53, 60, 81, 115, 192, 193, 194, 218, 452, 497, 516, 701];

/// Codes that say that what we sent can't be read: the mistake is ours, and no row's.
const ENCODER: &[u32] = &[33, 50, 117, 128];

/// Texts of failures behind the table or before the rows were looked at.
const ELSEWHERE: &[&str] = &["while pushing to view", "while converting column"];

/// The verdict on a failed try.
pub(super) fn verdict(error: &SyncError) -> Verdict {
    match error {
        SyncError::Insert(ClickHouseError::Exception { code, text }) => of_answer(*code, text),
        SyncError::Insert(_)
        | SyncError::ClickHouse(_)
        | SyncError::Stream(_)
        | SyncError::Drain(_)
        | SyncError::Revoked { .. }
        | SyncError::MadeAnew { .. }
        | SyncError::Stale { .. } => Verdict::Retry,
        _ => Verdict::Hold,
    }
}

fn of_answer(code: u32, text: &str) -> Verdict {
    if RETRY.contains(&code) || is_bar(text) {
        Verdict::Retry
    } else if HOLD.contains(&code) || ENCODER.contains(&code) || elsewhere(text) {
        Verdict::Hold
    } else {
        Verdict::Trial
    }
}

fn elsewhere(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ELSEWHERE.iter().any(|words| text.contains(words))
}

/// Whether ClickHouse could not read the block that we wrote.
pub(super) fn blames_the_encoder(error: &SyncError) -> bool {
    matches!(error, SyncError::Insert(ClickHouseError::Exception { code, .. }) if ENCODER.contains(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(code: u32, text: &str) -> SyncError {
        SyncError::Insert(ClickHouseError::Exception { code, text: format!("Code: {code}. DB::Exception: {text}") })
    }

    #[test]
    fn each_code_has_the_verdict_of_the_protocol() {
        let retry = [
            3, 107, 159, 164, 173, 198, 201, 202, 203, 209, 210, 225, 236, 241, 242, 243, 244, 252, 254, 265, 279, 285,
            286, 289, 290, 297, 319, 364, 384, 394, 425, 439, 473, 499, 568, 677, 999, 1000, 1001, 1002,
        ];
        let hold = [16, 20, 44, 53, 60, 81, 115, 192, 193, 194, 218, 452, 497, 516, 701, 33, 50, 117, 128];
        for code in 0..1100 {
            let expected = match code {
                code if retry.contains(&code) => Verdict::Retry,
                code if hold.contains(&code) => Verdict::Hold,
                _ => Verdict::Trial,
            };
            assert_eq!(verdict(&insert(code, "no")), expected, "{code}");
        }
    }

    #[test]
    fn a_failure_behind_the_table_is_no_row_s_fault() {
        for text in [
            "Value passed to 'throwIf' function is non-zero: while pushing to view default.v (1f). (FUNCTION_THROW_IF)",
            "Cannot parse: While converting column `a`",
        ] {
            assert_eq!(verdict(&insert(395, text)), Verdict::Hold, "{text}");
        }
        assert_eq!(verdict(&insert(395, "Value passed to 'throwIf' function is non-zero")), Verdict::Trial);
        assert_eq!(verdict(&insert(241, "while pushing to view default.v")), Verdict::Retry);
    }

    #[test]
    fn only_clickhouse_s_own_answer_to_the_insert_tries_rows() {
        let url = || "http://c".to_owned();
        for error in [
            ClickHouseError::NotClickHouse { url: url(), status: 429, text: "Code: 469".to_owned() },
            ClickHouseError::Unreachable { url: url(), reason: "refused".to_owned() },
            ClickHouseError::Silent { url: url(), waited: std::time::Duration::from_mins(1) },
        ] {
            assert_eq!(verdict(&SyncError::Insert(error)), Verdict::Retry);
        }
        let probe = ClickHouseError::Exception { code: 469, text: "Code: 469. DB::Exception".to_owned() };
        assert_eq!(verdict(&SyncError::ClickHouse(probe)), Verdict::Retry, "the answer to another statement");
        let gone = SyncError::NoTable { table: "t".to_owned(), database: "d".to_owned() };
        assert_eq!(verdict(&gone), Verdict::Hold);
    }

    #[test]
    fn codes_of_an_unreadable_block_are_our_own_mistake() {
        assert!([33, 50, 117, 128].iter().all(|code| blames_the_encoder(&insert(*code, "no"))));
        assert!(!blames_the_encoder(&insert(469, "no")));
    }
}
