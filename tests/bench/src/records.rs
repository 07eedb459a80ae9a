//! The records that are measured, the pipelines of them, and their JSON.

use std::fmt::Write as _;

use moose_runtime::{declare::Resource, prelude::*};

/// The quickstart's event.
#[derive(OlapRecord)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event {
    #[key]
    pub(crate) id: String,
    pub(crate) user_id: String,
    pub(crate) timestamp: DateTime<Utc>,
    pub(crate) event_type: String,
}

/// A large text.
#[derive(OlapRecord)]
pub(crate) struct Document {
    #[key]
    pub(crate) id: u64,
    pub(crate) text: String,
}

/// A record of a number, pairs of a number and a text, and a number.
macro_rules! wide {
    ($name:ident: $($number:ident $text:ident)*) => {
        #[derive(OlapRecord)]
        pub(crate) struct $name {
            #[key]
            pub(crate) id: u64,
            $(pub(crate) $number: u32, pub(crate) $text: String,)*
            pub(crate) last: f64,
        }
    };
}

wide!(Columns6:
    n0 t0 n1 t1
);
wide!(Columns50:
    n0 t0 n1 t1 n2 t2 n3 t3 n4 t4 n5 t5 n6 t6 n7 t7
    n8 t8 n9 t9 n10 t10 n11 t11 n12 t12 n13 t13 n14 t14 n15 t15
    n16 t16 n17 t17 n18 t18 n19 t19 n20 t20 n21 t21 n22 t22 n23 t23
);
wide!(Columns200:
    n0 t0 n1 t1 n2 t2 n3 t3 n4 t4 n5 t5 n6 t6 n7 t7
    n8 t8 n9 t9 n10 t10 n11 t11 n12 t12 n13 t13 n14 t14 n15 t15
    n16 t16 n17 t17 n18 t18 n19 t19 n20 t20 n21 t21 n22 t22 n23 t23
    n24 t24 n25 t25 n26 t26 n27 t27 n28 t28 n29 t29 n30 t30 n31 t31
    n32 t32 n33 t33 n34 t34 n35 t35 n36 t36 n37 t37 n38 t38 n39 t39
    n40 t40 n41 t41 n42 t42 n43 t43 n44 t44 n45 t45 n46 t46 n47 t47
    n48 t48 n49 t49 n50 t50 n51 t51 n52 t52 n53 t53 n54 t54 n55 t55
    n56 t56 n57 t57 n58 t58 n59 t59 n60 t60 n61 t61 n62 t62 n63 t63
    n64 t64 n65 t65 n66 t66 n67 t67 n68 t68 n69 t69 n70 t70 n71 t71
    n72 t72 n73 t73 n74 t74 n75 t75 n76 t76 n77 t77 n78 t78 n79 t79
    n80 t80 n81 t81 n82 t82 n83 t83 n84 t84 n85 t85 n86 t86 n87 t87
    n88 t88 n89 t89 n90 t90 n91 t91 n92 t92 n93 t93 n94 t94 n95 t95
    n96 t96 n97 t97 n98 t98
);

static EVENTS: IngestPipeline<Event> = IngestPipeline::new("events").ingest_api(true).stream(true).table(true);
static DOOR: IngestPipeline<Event> = IngestPipeline::new("events").ingest_api(true).stream(true);
static DOCUMENTS: IngestPipeline<Document> = IngestPipeline::new("events").ingest_api(true).stream(true).table(true);
static COLUMNS_6: IngestPipeline<Columns6> = IngestPipeline::new("events").stream(true).table(true);
static COLUMNS_50: IngestPipeline<Columns50> = IngestPipeline::new("events").stream(true).table(true);
static COLUMNS_200: IngestPipeline<Columns200> = IngestPipeline::new("events").stream(true).table(true);

/// What a process is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Events into their table.
    Events,
    /// Events into a stream without a table.
    Door,
    /// Large texts into their table.
    Documents,
    /// Records of so many columns.
    Columns(usize),
    /// So many pipelines of events, each with its stream and table.
    Many(usize),
}

impl Shape {
    /// How it is told to the process.
    pub(crate) fn word(self) -> String {
        match self {
            Self::Events => "events".to_owned(),
            Self::Door => "door".to_owned(),
            Self::Documents => "documents".to_owned(),
            Self::Columns(count) => format!("columns-{count}"),
            Self::Many(count) => format!("many-{count}"),
        }
    }

    /// What a process was told.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        let number = |rest: &str| rest.parse().ok();
        match word {
            "events" => Some(Self::Events),
            "door" => Some(Self::Door),
            "documents" => Some(Self::Documents),
            _ => word
                .strip_prefix("columns-")
                .and_then(number)
                .map(Self::Columns)
                .or_else(|| word.strip_prefix("many-").and_then(number).map(Self::Many)),
        }
    }

    /// Its declarations.
    pub(crate) fn resources(self) -> Vec<&'static dyn Resource> {
        match self {
            Self::Events => vec![&EVENTS],
            Self::Door => vec![&DOOR],
            Self::Documents => vec![&DOCUMENTS],
            Self::Columns(200) => vec![&COLUMNS_200],
            Self::Columns(50) => vec![&COLUMNS_50],
            Self::Columns(_) => vec![&COLUMNS_6],
            Self::Many(_) => self.topics().into_iter().map(many).collect(),
        }
    }

    /// Its streams, named as their tables.
    pub(crate) fn topics(self) -> Vec<String> {
        match self {
            Self::Many(count) => (0..count).map(|number| format!("events_{number}")).collect(),
            _ => vec!["events".to_owned()],
        }
    }

    /// The JSON of a record.
    pub(crate) fn record(self, number: u64) -> String {
        match self {
            Self::Events | Self::Door | Self::Many(_) => event(number),
            Self::Documents => document(number),
            Self::Columns(count) => wide(count, number),
        }
    }
}

/// A pipeline for the life of the process, as a static is.
fn many(name: String) -> &'static dyn Resource {
    let name: &'static str = Box::leak(name.into_boxed_str());
    let pipeline: IngestPipeline<Event> = IngestPipeline::new(name).stream(true).table(true);
    Box::leak(Box::new(pipeline))
}

/// 120 bytes or so.
pub(crate) fn event(number: u64) -> String {
    format!(
        r#"{{"id":"evt_{number:010}","userId":"user_{:06}","timestamp":"2026-01-01T00:00:{:02}.{:03}Z","eventType":"page_view"}}"#,
        number % 500_000,
        number / 1000 % 60,
        number % 1000
    )
}

/// Events one a line.
pub(crate) fn lines(numbers: std::ops::Range<u64>) -> String {
    let mut lines = String::new();
    for number in numbers {
        lines.push_str(&event(number));
        lines.push('\n');
    }
    lines
}

/// 100 KB of words, no two records alike.
fn document(number: u64) -> String {
    let mut text = String::with_capacity(100_100);
    let mut state = number | 1;
    while text.len() < 100_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Writing to a String does not fail.
        let _ = write!(text, "{:x} ", state >> 40);
    }
    format!(r#"{{"id":{number},"text":"{text}"}}"#)
}

fn wide(columns: usize, number: u64) -> String {
    let mut record = format!(r#"{{"id":{number}"#);
    for pair in 0..(columns - 2) / 2 {
        // Writing to a String does not fail.
        let _ = write!(record, r#","n{pair}":{},"t{pair}":"text {}""#, number % 1_000_000, number % 1000);
    }
    record.push_str(r#","last":0.5}"#);
    record
}
