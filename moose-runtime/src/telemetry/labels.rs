//! The labels of the metrics, each with its possible values: declared names, reasons and ClickHouse's codes, and never
//! anything from a request. So the number of label sets is bounded.

use prometheus_client::encoding::EncodeLabelSet;

use super::{LetterReason, Reason};

/// The names that are known when the process starts.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    /// Ingest APIs.
    pub apis: Vec<String>,
    /// Tables that streams fill.
    pub tables: Vec<String>,
    /// What can be wrong with a record at the front door.
    pub rejections: Vec<&'static str>,
}

/// A set of labels.
pub(super) trait Labels: Sized {
    /// Each label and the values that it may have.
    #[cfg(test)]
    const LABELS: &'static [(&'static str, &'static str)];

    /// The sets that there are from the start, so that a counter is there before its first event.
    fn known(declared: &Declared) -> Vec<Self>;
}

/// Makes a set of labels: the sentence of each label says which values it may have.
macro_rules! labels {
    ($(
        $(#[doc = $of:literal])+
        $set:ident { $( #[doc = $values:literal] $label:ident: $type:ty, )+ } known $known:expr;
    )+) => {$(
        $(#[doc = $of])+
        #[derive(Clone, Debug, Hash, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
        pub struct $set {
            $( #[doc = $values] pub $label: $type, )+
        }

        impl Labels for $set {
            #[cfg(test)]
            const LABELS: &'static [(&'static str, &'static str)] = &[$( (stringify!($label), $values) ),+];

            fn known(declared: &Declared) -> Vec<Self> {
                let known: fn(&Declared) -> Vec<Self> = $known;
                known(declared)
            }
        }
    )+};
}

labels! {
    /// Labels of what is counted at an ingest API.
    ApiLabel {
        /// A declared ingest API.
        api: String,
    } known |declared| declared.apis.iter().map(|api| Self { api: api.clone() }).collect();

    /// Labels of records that an ingest API refuses.
    RejectionLabel {
        /// A declared ingest API.
        api: String,
        /// The `code` of the record's first error, as listed in [http.md](http.md#the-answer).
        reason: &'static str,
    } known |declared| {
        let of_api = |api: &String| {
            let api = api.clone();
            declared.rejections.iter().map(move |reason| Self { api: api.clone(), reason })
        };
        declared.apis.iter().flat_map(of_api).collect()
    };

    /// Labels of what is counted at a table.
    TableLabel {
        /// A declared table that streams fill.
        table: String,
    } known |declared| declared.tables.iter().map(|table| Self { table: table.clone() }).collect();

    /// Labels of records that become dead letters.
    LetterLabel {
        /// A declared table that streams fill.
        table: String,
        /// One of the reasons of a dead letter, below.
        reason: LetterReason,
    } known |declared| {
        let of_table = |table: &String| {
            let table = table.clone();
            LetterReason::ALL.iter().map(move |(reason, _)| Self { table: table.clone(), reason: *reason })
        };
        declared.tables.iter().flat_map(of_table).collect()
    };

    /// Labels of what holds a table.
    HoldLabel {
        /// A declared table that streams fill.
        table: String,
        /// One of the reasons of a failure, below.
        reason: Reason,
    } known |declared| {
        let of_table = |table: &String| {
            let table = table.clone();
            Reason::ALL.iter().map(move |(reason, _)| Self { table: table.clone(), reason: *reason })
        };
        declared.tables.iter().flat_map(of_table).collect()
    };

    /// Labels of an INSERT that is sent again.
    RetryLabel {
        /// A declared table that streams fill.
        table: String,
        /// ClickHouse's error code, or 0 where the failure was not ClickHouse's answer.
        code: u32,
        /// One of the reasons of a failure, below.
        reason: Reason,
    } known |_| Vec::new();

    /// Labels of what is counted at a materialized view.
    ViewLabel {
        /// A materialized view behind a declared table, with its database.
        view: String,
    } known |_| Vec::new();

    /// Labels of a partition on its way into a table.
    LagLabel {
        /// A declared stream.
        stream: String,
        /// A declared table that streams fill.
        table: String,
        /// A partition of the stream.
        partition: u16,
    } known |_| Vec::new();

    /// Labels of a reader of a stream.
    ReaderLabel {
        /// A declared stream.
        stream: String,
        /// The group of a reader that the stream's storage knows: `<application>/<table>`.
        reader: String,
    } known |_| Vec::new();

    /// Labels of what a stream holds.
    StreamLabel {
        /// A declared stream.
        stream: String,
    } known |_| Vec::new();
}
