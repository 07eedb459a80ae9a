//! Bisection: finds the refused items of a list, where only a whole slice can be accepted or refused.
//!
//! The whole list is tried; a refused slice is halved, and its left half tried first. If that is accepted, the fault
//! must be in the right one, which is halved without a try. Only an item that was tried alone counts as refused.

use std::ops::Range;

/// The state of a search. Its questions are answered one after another.
#[derive(Debug)]
pub(super) struct Bisection {
    open: Vec<Span>,
}

#[derive(Debug)]
struct Span {
    places: Range<usize>,
    /// The other half was accepted, while both halves together were refused.
    known_refused: bool,
    left: bool,
}

impl Bisection {
    /// A search among the indexes `0..count`.
    pub(super) fn new(count: usize) -> Self {
        let whole = Span { places: 0..count, known_refused: false, left: false };
        Self { open: if count == 0 { Vec::new() } else { vec![whole] } }
    }

    /// The slice to try next; `None` when the search is over.
    pub(super) fn question(&mut self) -> Option<Range<usize>> {
        while self.open.last()?.known_refused && self.open.last()?.places.len() > 1 {
            self.halve();
        }
        Some(self.open.last()?.places.clone())
    }

    /// The answer for the last slice. True if it identifies a single index as refused.
    pub(super) fn answer(&mut self, taken: bool) -> bool {
        let Some(span) = self.open.last() else { return false };
        if taken {
            let left = span.left;
            self.open.pop();
            if left && let Some(right) = self.open.last_mut() {
                right.known_refused = true;
            }
            return false;
        }
        if span.places.len() == 1 {
            self.open.pop();
            return true;
        }
        self.halve();
        false
    }

    fn halve(&mut self) {
        let Some(Span { places, .. }) = self.open.pop() else { return };
        let middle = places.start + places.len() / 2;
        self.open.push(Span { places: middle..places.end, known_refused: false, left: false });
        self.open.push(Span { places: places.start..middle, known_refused: false, left: true });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::{collection::btree_set, prelude::*};

    use super::*;

    /// The refused indexes, and the number of tries.
    fn search(count: usize, bad: &BTreeSet<usize>) -> (Vec<usize>, usize) {
        let mut bisection = Bisection::new(count);
        let (mut found, mut questions) = (Vec::new(), 0);
        while let Some(places) = bisection.question() {
            questions += 1;
            if bisection.answer(!places.clone().any(|place| bad.contains(&place))) {
                found.push(places.start);
            }
        }
        (found, questions)
    }

    /// The bound that `trial` documents.
    fn bound(count: usize, bad: usize) -> usize {
        if bad == 0 { 1 } else { bad * (2 * (count.div_ceil(bad).next_power_of_two().ilog2() as usize) + 2) + 1 }
    }

    proptest! {
        #[test]
        fn exactly_the_refused_ones_are_found_within_the_bound(count in 1_usize..3_000, places in btree_set(0_usize..3_000, 0..60)) {
            let bad: BTreeSet<usize> = places.into_iter().filter(|place| *place < count).collect();
            let (found, questions) = search(count, &bad);
            prop_assert_eq!(found, bad.iter().copied().collect::<Vec<_>>());
            prop_assert!(questions <= bound(count, bad.len()), "{} questions for {} of {}", questions, bad.len(), count);
        }
    }

    #[test]
    fn one_and_a_thousand_of_a_hundred_thousand() {
        assert!(search(100_000, &[54_321].into()).1 <= 35);
        let thousand: BTreeSet<usize> = (0..100_000).step_by(100).collect();
        let questions = search(100_000, &thousand).1;
        assert!(questions <= bound(100_000, 1_000) && questions <= 16_001, "{questions}");
        assert_eq!(search(0, &BTreeSet::new()), (Vec::new(), 0));
    }
}
