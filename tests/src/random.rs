//! Numbers that look random, and can be had again by their seed.

use std::time::SystemTime;

/// A little generator. Its seed is printed, so that a failure can be had again with `MOOSE_TEST_SEED`.
///
/// The short form of the tests has the same numbers every time: when it turns red, it is the change that did it. What
/// nobody thought of yet is looked for by the long form, whose seed is another one every second.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// With the seed that the environment gives, or that of the form of the tests.
    pub fn seeded() -> Self {
        let given = std::env::var("MOOSE_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let seed = given.unwrap_or_else(|| if crate::is_full() { now() } else { 0 });
        eprintln!("MOOSE_TEST_SEED={seed}");
        Self(seed)
    }

    /// With a seed that is always the same.
    pub fn with_seed(seed: u64) -> Self {
        Self(seed)
    }

    /// Another one, for whoever runs beside.
    #[must_use]
    pub fn branch(&mut self) -> Self {
        Self(self.below(u64::MAX))
    }

    /// So many letters, in which nothing repeats: no packing makes them fewer.
    pub fn letters(&mut self, count: usize) -> String {
        let letter = || char::from(b'a' + u8::try_from(self.below(26)).unwrap_or(0));
        std::iter::repeat_with(letter).take(count).collect()
    }

    /// A number below `end`, by splitmix64.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}
