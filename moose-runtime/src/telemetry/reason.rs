//! Reasons of failures and rejections, as label values: a small fixed set, whatever the text beside them says.

use prometheus_client::encoding::{EncodeLabelValue, LabelValueEncoder};

/// Makes an enum whose variants are the values of a label.
macro_rules! reasons {
    ($(#[doc = $of:literal])+ $enum:ident { $( #[doc = $doc:literal] $variant:ident = $name:literal, )+ }) => {
        $(#[doc = $of])+
        #[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $enum {
            $( #[doc = $doc] $variant, )+
        }

        impl $enum {
            /// All of them, each with what it means.
            pub const ALL: &'static [(Self, &'static str)] = &[$( (Self::$variant, $doc) ),+];

            /// The value of the label.
            pub fn name(self) -> &'static str {
                match self {
                    $( Self::$variant => $name, )+
                }
            }
        }

        impl EncodeLabelValue for $enum {
            fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
                self.name().encode(encoder)
            }
        }
    };
}

reasons! {
    /// Why something fails and is tried again.
    Reason {
        /// ClickHouse is not heard, or what answers is not ClickHouse.
        Unreachable = "unreachable",
        /// ClickHouse can't at present: memory, disk, limits, Keeper.
        Busy = "busy",
        /// ClickHouse refuses the rows or the statement.
        Refused = "refused",
        /// ClickHouse says of itself that it is broken.
        Broken = "broken",
        /// The table is drained while it is changed.
        Drained = "drained",
        /// The table is missing, replaced or not as declared, or does not show what it has confirmed.
        Table = "table",
        /// The place in the stream is lost, somebody else's, or beyond what the stream holds.
        Cursor = "cursor",
        /// The stream can't be read or written.
        Stream = "stream",
        /// The process has ended repeatedly while the range was on its way.
        Crashes = "crashes",
        /// The partition is being given away or begun again; it goes on by itself.
        Handover = "handover",
        /// A bug of this program: please report it.
        Bug = "bug",
    }
}

reasons! {
    /// Why a record became a dead letter.
    LetterReason {
        /// The record does not fit its record type any more.
        Invalid = "invalid",
        /// ClickHouse refuses its row.
        Refused = "refused",
    }
}
