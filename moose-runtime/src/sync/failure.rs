//! Classifies a failed INSERT: one table of error codes, one function.
//!
//! Whatever the verdict, the range is kept. The verdict only says whether it is worth looking for rows that ClickHouse
//! refuses: that takes a definite answer about the rows, from the table itself. ClickHouse has more than 600 codes, and
//! most are about the machine, the server or the statement. So the codes that a value can cause are listed here, and
//! one that is not listed, or that a later server adds, never makes a dead letter.

use super::{SyncError, cause::TrialFinding};
use crate::{
    clickhouse::ClickHouseError,
    drain::{DrainError, is_bar},
    telemetry::Reason,
};

/// The class of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Temporary: an outage, a limit, overload, a response that is not ClickHouse's.
    Retry,
    /// Lasts until the server, the table, its views, its grants or the declaration are fixed.
    Hold,
    /// A definite answer about values: after the second, a trial of the rows follows.
    Trial,
}

/// Codes caused by values: what a column, a constraint, a key or a computed column rejects.
const VALUES: &[u32] = &[
    // Text that can't be parsed, each type with a code of its own.
    6, 25, 26, 27, 32, 38, 41, 72, 130, 376, 441, 467, 563, 632, 675, 676, 691,
    // Too long, too large, beyond a type or what a function takes.
    12, 19, 69, 131, 135, 153, 248, 321, 407, //
    // Of an unsuitable type, as can happen with `Variant`, `Dynamic` and `JSON`.
    36, 43, 70, 120, 124, 127, 169, 170, 349, 386, 645, //
    // Arrays that don't match; texts that are no expression, no charset, no time.
    190, 346, 366, 427, 490, 621, 760, //
    // Rejected on purpose: `throwIf`, a constraint.
    395, 469,
];

/// Codes that are caused by values if a function in an expression raises them, and by something else if not.
const VALUES_IN_FUNCTIONS: &[u32] = &[33, 117, 128, 454, 592];

/// Codes that say nothing about the rows and are temporary.
const RETRY: &[u32] = &[
    // Files, disks and other storage.
    3, 23, 24, 74, 75, 76, 77, 83, 84, 87, 88, 107, 172, 204, 214, 243, 272, 273, 274, 275, 294, 363, 400, 402, 424,
    458, 463, 499, 500, 504, 521, 531, 566, 586, 615, 625, 641, 660, 662, 678, 679, 693, 707, 737, 747, 771, 900, 901,
    903, 1008, 1009, //
    // The network.
    86, 95, 96, 198, 203, 209, 210, 279, 297, 364, 410, 519, 573, 635, 749, 762, //
    // Memory, threads, processes, clocks.
    109, 110, 111, 112, 114, 173, 239, 240, 241, 298, 299, 301, 302, 303, 304, 411, 412, 413, 423, 425, 439, 445, 459,
    460, 461, 468, 502, 590, 661, 777, 778, //
    // Time, limits, quotas, shutdown.
    159, 160, 164, 201, 202, 216, 236, 252, 290, 384, 394, 473, 574, 677, 692, 696, 700, 710, 733, 735, 738, 745, 763,
    776, // Keeper and replicas.
    224, 225, 242, 244, 254, 255, 265, 285, 286, 289, 319, 369, 416, 529, 568, 571, 904, 999, 1005, //
    // Exceptions of libraries.
    1000, 1001, 1002,
];

/// Codes that say that our block can't be read: the fault is ours, not a row's.
const ENCODER: &[u32] = &[33, 50, 117, 128];

/// Codes from which ClickHouse does not recover by itself; 49 is a logical error.
const BROKEN: &[u32] = &[49, 734];

/// Messages of failures behind the table, or before the rows were looked at.
const ELSEWHERE: &[&str] = &["while pushing to view", "while converting column"];

/// The message of a failure within an expression.
const IN_FUNCTION: &[&str] = &["while executing 'function ", "while executing function "];

/// Classifies a failed try.
pub(super) fn verdict(error: &SyncError) -> Verdict {
    match error {
        SyncError::Insert(ClickHouseError::Exception { code, text }) => of_answer(*code, text),
        SyncError::Insert(_)
        | SyncError::ClickHouse(_)
        | SyncError::Stream(_)
        | SyncError::Drain(_)
        | SyncError::Revoked { .. }
        | SyncError::MadeAnew { .. }
        | SyncError::Trial { finding: TrialFinding::Unsteady, .. }
        | SyncError::Stale { .. } => Verdict::Retry,
        _ => Verdict::Hold,
    }
}

impl SyncError {
    /// The label of a failure in metrics and health.
    pub(super) fn reason(&self) -> Reason {
        if self.code().is_some_and(|code| BROKEN.contains(&code)) {
            return Reason::Broken;
        }
        match self {
            Self::ClickHouse(answer) | Self::Insert(answer) | Self::Drain(DrainError::ClickHouse(answer)) => {
                match answer {
                    ClickHouseError::Exception { text, .. } if is_bar(text) => Reason::Drained,
                    ClickHouseError::Exception { code, .. } if RETRY.contains(code) => Reason::Busy,
                    ClickHouseError::Exception { .. } => Reason::Refused,
                    _ => Reason::Unreachable,
                }
            }
            Self::Drain(_) => Reason::Drained,
            Self::Trial { .. } => Reason::Refused,
            Self::Stream(_) => Reason::Stream,
            Self::NoTable { .. }
            | Self::TableReplaced { .. }
            | Self::Columns { .. }
            | Self::Doubled { .. }
            | Self::ReplicatedShort { .. }
            | Self::NotShown { .. } => Reason::Table,
            Self::OtherReader { .. }
            | Self::LostCursor { .. }
            | Self::AnotherTopic { .. }
            | Self::Truncated { .. }
            | Self::ForeignCursor { .. }
            | Self::OutOfRange { .. } => Reason::Cursor,
            Self::UsedUp { hold } => hold.reason(),
            Self::Crashes { .. } => Reason::Crashes,
            Self::Revoked { .. } | Self::MadeAnew { .. } | Self::Stale { .. } | Self::Stopping => Reason::Handover,
            Self::Panicked { .. } => Reason::Bug,
        }
    }
}

fn of_answer(code: u32, text: &str) -> Verdict {
    if RETRY.contains(&code) || is_bar(text) {
        Verdict::Retry
    } else if is_of_values(code, text) && !says(text, ELSEWHERE) {
        Verdict::Trial
    } else {
        Verdict::Hold
    }
}

fn is_of_values(code: u32, text: &str) -> bool {
    VALUES.contains(&code) || (VALUES_IN_FUNCTIONS.contains(&code) && says(text, IN_FUNCTION))
}

fn says(text: &str, any: &[&str]) -> bool {
    let text = text.to_ascii_lowercase();
    any.iter().any(|words| text.contains(words))
}

/// Whether ClickHouse could not read the block that we wrote.
pub(super) fn blames_the_encoder(error: &SyncError) -> bool {
    matches!(error, SyncError::Insert(ClickHouseError::Exception { code, text })
        if ENCODER.contains(code) && !is_of_values(*code, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(code: u32, text: &str) -> SyncError {
        SyncError::Insert(ClickHouseError::Exception { code, text: format!("Code: {code}. DB::Exception: {text}") })
    }

    /// What every code means, by kind; the numbers that are in none are held like those that no server knows yet.
    #[test]
    fn each_code_has_the_verdict_of_the_protocol() {
        let values = [
            6, 12, 19, 25, 26, 27, 32, 36, 38, 41, 43, 69, 70, 72, 120, 124, 127, 130, 131, 135, 153, 169, 170, 190,
            248, 321, 346, 349, 366, 376, 386, 395, 407, 427, 441, 467, 469, 490, 563, 621, 632, 645, 675, 676, 691,
            760,
        ];
        let retry = [
            3, 23, 24, 74, 75, 76, 77, 83, 84, 86, 87, 88, 95, 96, 107, 109, 110, 111, 112, 114, 159, 160, 164, 172,
            173, 198, 201, 202, 203, 204, 209, 210, 214, 216, 224, 225, 236, 239, 240, 241, 242, 243, 244, 252, 254,
            255, 265, 272, 273, 274, 275, 279, 285, 286, 289, 290, 294, 297, 298, 299, 301, 302, 303, 304, 319, 363,
            364, 369, 384, 394, 400, 402, 410, 411, 412, 413, 416, 423, 424, 425, 439, 445, 458, 459, 460, 461, 463,
            468, 473, 499, 500, 502, 504, 519, 521, 529, 531, 566, 568, 571, 573, 574, 586, 590, 615, 625, 635, 641,
            660, 661, 662, 677, 678, 679, 692, 693, 696, 700, 707, 710, 733, 735, 737, 738, 745, 747, 749, 762, 763,
            771, 776, 777, 778, 900, 901, 903, 904, 999, 1000, 1001, 1002, 1005, 1008, 1009,
        ];
        for code in 0..1_200 {
            let expected = match code {
                code if retry.contains(&code) => Verdict::Retry,
                code if values.contains(&code) => Verdict::Trial,
                _ => Verdict::Hold,
            };
            assert_eq!(verdict(&insert(code, "no")), expected, "{code}");
        }
    }

    #[test]
    fn what_a_function_says_of_its_argument_is_about_values() {
        let text = "Cannot parse JSON object here: x(: while executing 'FUNCTION CAST(s :: 0, 'JSON'_String :: 1)";
        assert_eq!(verdict(&insert(117, text)), Verdict::Trial);
        assert!(!blames_the_encoder(&insert(117, text)));
        let text = "Cannot decrypt: while executing function decrypt on arguments s String";
        assert_eq!(verdict(&insert(454, text)), Verdict::Trial);
        assert_eq!(verdict(&insert(454, "certificate verify failed")), Verdict::Hold);
        let of_the_format = "Cannot read all data. While executing NativeInputFormat";
        assert_eq!(verdict(&insert(33, of_the_format)), Verdict::Hold);
        assert_eq!(verdict(&insert(241, text)), Verdict::Retry, "the machine is to blame wherever it fails");
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
    fn a_failure_shows_what_kind_it_is() {
        let bar = "Constraint `_moose_drain` for table d.t is violated";
        for (code, text, shown) in [
            (241, "no", Reason::Busy),
            (16, "no", Reason::Refused),
            (49, "no", Reason::Broken),
            (734, "no", Reason::Broken),
            (469, bar, Reason::Drained),
        ] {
            assert_eq!(insert(code, text).reason(), shown, "{code} {text}");
        }
        let away = || ClickHouseError::Unreachable { url: "http://c".to_owned(), reason: "refused".to_owned() };
        assert_eq!(SyncError::Insert(away()).reason(), Reason::Unreachable);
        assert_eq!(SyncError::from(DrainError::ClickHouse(away())).reason(), Reason::Unreachable);
        assert_eq!(SyncError::from(DrainError::Drained { table: "t".to_owned() }).reason(), Reason::Drained);
        let hold = SyncError::NoTable { table: "t".to_owned(), database: "d".to_owned() };
        assert_eq!(SyncError::UsedUp { hold: hold.into() }.reason(), Reason::Table);
    }

    #[test]
    fn codes_of_an_unreadable_block_are_our_own_mistake() {
        assert!([33, 50, 117, 128].iter().all(|code| blames_the_encoder(&insert(*code, "no"))));
        assert!(!blames_the_encoder(&insert(469, "no")));
    }
}
