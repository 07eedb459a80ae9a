//! What was measured: a value a round, beside that of the ceiling in the same round, and what was wanted of it.

use std::fmt::{self, Display, Write as _};

use serde::Serialize;

/// All figures of a run.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) figures: Vec<Figure>,
}

/// One of them.
#[derive(Serialize)]
pub(crate) struct Figure {
    /// What was measured.
    pub(crate) name: String,
    /// Unit of the values.
    pub(crate) unit: &'static str,
    /// One for each round.
    pub(crate) values: Vec<f64>,
    /// The ceiling, in the same unit and the same rounds.
    pub(crate) beside: Option<Beside>,
    /// What it should come to.
    pub(crate) wanted: Option<Wanted>,
}

/// What a figure stands beside.
#[derive(Serialize)]
pub(crate) struct Beside {
    pub(crate) name: String,
    pub(crate) values: Vec<f64>,
}

/// What a figure should come to.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wanted {
    /// The ratio to the ceiling.
    Ratio(f64),
    /// The value itself, at most.
    AtMost(f64),
}

/// Lowest, median and highest of some values.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) low: f64,
    pub(crate) median: f64,
    pub(crate) high: f64,
}

impl Spread {
    pub(crate) fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |place: usize| sorted.get(place).copied().unwrap_or(f64::NAN);
        Self { low: at(0), median: at(sorted.len() / 2), high: at(sorted.len().saturating_sub(1)) }
    }
}

impl Figure {
    pub(crate) fn new(name: impl Into<String>, unit: &'static str, values: Vec<f64>) -> Self {
        Self { name: name.into(), unit, values, beside: None, wanted: None }
    }

    pub(crate) fn beside(mut self, name: impl Into<String>, values: &[f64]) -> Self {
        self.beside = Some(Beside { name: name.into(), values: values.to_vec() });
        self
    }

    pub(crate) fn wanted(mut self, wanted: Wanted) -> Self {
        self.wanted = Some(wanted);
        self
    }

    /// The ratios of the rounds.
    pub(crate) fn ratio(&self) -> Option<Spread> {
        let beside = self.beside.as_ref()?;
        let ratios: Vec<f64> = self.values.iter().zip(&beside.values).map(|(ours, theirs)| ours / theirs).collect();
        Some(Spread::of(&ratios))
    }

    /// Whether it came to what was wanted; `None` where nothing was.
    pub(crate) fn is_reached(&self) -> Option<bool> {
        Some(match self.wanted? {
            Wanted::Ratio(least) => self.ratio().is_some_and(|ratio| ratio.median >= least),
            Wanted::AtMost(most) => Spread::of(&self.values).median <= most,
        })
    }
}

impl Report {
    /// Adds a figure, and shows it at once.
    pub(crate) fn add(&mut self, figure: Figure) {
        println!("{figure}");
        self.figures.push(figure);
    }

    pub(crate) fn json(&self) -> String {
        serde_json::to_string_pretty(&self.figures).expect("figures are plain values")
    }
}

const HEAD: &str = "| figure | median (lowest to highest) | beside | its median | ratio (lowest to highest) | wanted |\n\
                    |---|---|---|---|---|---|";

impl Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "\n{HEAD}")?;
        self.figures.iter().try_for_each(|figure| writeln!(formatter, "{figure}"))
    }
}

impl Display for Figure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Spread { low, median, high } = Spread::of(&self.values);
        let unit = self.unit;
        write!(formatter, "| {} | {} {unit} ({} to {}) |", self.name, short(median), short(low), short(high))?;
        match (&self.beside, self.ratio()) {
            (Some(beside), Some(ratio)) => {
                let theirs = short(Spread::of(&beside.values).median);
                let Spread { low, median, high } = ratio;
                write!(formatter, " {} | {theirs} | **{median:.2}** ({low:.2} to {high:.2}) |", beside.name)?;
            }
            _ => formatter.write_str(" | | |")?,
        }
        let mut wanted = String::new();
        match self.wanted {
            Some(Wanted::Ratio(least)) => write!(wanted, "at least {least:.2}")?,
            Some(Wanted::AtMost(most)) => write!(wanted, "at most {} {unit}", short(most))?,
            None => {}
        }
        let verdict = match self.is_reached() {
            Some(true) => ": reached",
            Some(false) => ": **not reached**",
            None => "",
        };
        write!(formatter, " {wanted}{verdict} |")
    }
}

/// Three digits or so.
fn short(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{:.2} M", value / 1e6),
        value if value >= 1e4 => format!("{:.0} k", value / 1e3),
        value if value >= 100.0 => format!("{value:.0}"),
        value => format!("{value:.2}"),
    }
}
