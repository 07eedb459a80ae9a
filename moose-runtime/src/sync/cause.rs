//! Details of sync errors that have several possible causes: rows that stay hidden, a cursor that does not fit its
//! partition, a trial without a result.

/// What may hide rows that a table has confirmed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Hiding {
    /// Row policies that apply to this user.
    #[error("row policies hide rows from this user ({}): exempt it, or drop them until the range has passed", .policies.join(", "))]
    Policies {
        /// Their names.
        policies: Vec<String>,
    },
    /// Row policies that apply to others.
    #[error(
        "there are row policies ({}), and a user to whom none applies may see nothing: drop them until the range has passed",
        .policies.join(", ")
    )]
    PoliciesOfOthers {
        /// Their names.
        policies: Vec<String>,
    },
    /// Row policies that this user may not see.
    #[error(
        "row policies may hide them, which this user may not see: exempt it from them, and `GRANT SHOW ROW POLICIES ON *.*` \
         to it"
    )]
    Unseen,
    /// No known cause.
    #[error("there is no row policy that would hide them; see what deletes rows as soon as they are there")]
    Nothing,
}

/// How a cursor does not fit its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misfit {
    /// Records after the cursor are gone.
    Behind {
        /// Every offset below was done.
        next: u64,
        /// First offset stored.
        start: u64,
    },
    /// The partition ends before offsets that were already read.
    Ahead {
        /// Every offset below was read.
        needed: u64,
    },
}

impl std::fmt::Display for Misfit {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Behind { next, start } => {
                write!(formatter, "offsets {next}..{start} were deleted before the table was known to have them")
            }
            Self::Ahead { needed } => write!(
                formatter,
                "it was read up to {needed}, so it was cut off or made anew; what it holds will be stored under a new epoch"
            ),
        }
    }
}

/// Why a trial has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrialFinding {
    /// No single row is at fault.
    #[error("takes every row")]
    TookAll,
    /// The fault is not in single rows.
    #[error("refuses every row")]
    RefusedAll,
    /// Too many rows are at fault.
    #[error("refuses too many rows")]
    TooMany,
    /// The fault is temporary, and in no row.
    #[error("now takes a row and now refuses it")]
    Unsteady,
}

impl TrialFinding {
    /// What to do.
    pub(super) fn advice(self) -> &'static str {
        match self {
            Self::TookAll | Self::RefusedAll | Self::TooMany => "mend the table or the declaration",
            Self::Unsteady => "it is tried again",
        }
    }
}
