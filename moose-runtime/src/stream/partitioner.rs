//! The partitioner: chooses a record's partition as Kafka's Java client does, so that records of one key stay together,
//! whichever program sends them.

use bytes::Bytes;

/// The partition of a record key among `partitions`.
pub fn partition_of(key: &[u8], partitions: u16) -> u16 {
    let positive = murmur2(key) & 0x7fff_ffff;
    // Smaller than a u16 after the remainder.
    u16::try_from(positive % u32::from(partitions.max(1))).unwrap_or(0)
}

/// Chooses the partitions for the records of one append: records of one key go to one partition, those without a key
/// all to one that is chosen at random, so that they stay one batch.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    partitions: u16,
    keeps_keys: bool,
    without_key: u16,
}

impl Spread {
    /// For a topic with so many partitions, on a stream that stores keys or not.
    pub fn new(partitions: u16, keeps_keys: bool) -> Self {
        let partitions = partitions.max(1);
        Self { partitions, keeps_keys, without_key: rand::random_range(0..partitions) }
    }

    /// The partition of a record, and the key to store with it. `key` is called only if it matters.
    pub fn place(&self, key: impl FnOnce() -> Option<Vec<u8>>) -> (u16, Option<Bytes>) {
        if self.partitions == 1 && !self.keeps_keys {
            return (0, None);
        }
        match key() {
            Some(key) => (partition_of(&key, self.partitions), self.keeps_keys.then(|| Bytes::from(key))),
            None => (self.without_key, None),
        }
    }
}

/// Murmur2 with the seed that Kafka uses.
fn murmur2(data: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const MULTIPLIER: u32 = 0x5bd1_e995;
    const SHIFT: u32 = 24;
    // Keys have far less than 4 GiB; the Java client takes the length as 32 bits too.
    #[expect(clippy::cast_possible_truncation, reason = "the hash is defined over the low 32 bits of the length")]
    let mut hash = SEED ^ data.len() as u32;
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        let mut mixed = u32::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        mixed ^= mixed >> SHIFT;
        hash = hash.wrapping_mul(MULTIPLIER) ^ mixed.wrapping_mul(MULTIPLIER);
    }
    if !rest.is_empty() {
        let last = rest.iter().rev().fold(0_u32, |last, byte| (last << 8) | u32::from(*byte));
        hash = (hash ^ last).wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_java_client() {
        // From the tests of Kafka's own implementation.
        for (key, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
    }

    #[test]
    fn a_key_is_made_only_where_it_matters_and_records_without_one_stay_together() {
        let unused = || -> Option<Vec<u8>> { panic!("nobody needs it") };
        assert_eq!(Spread::new(1, false).place(unused), (0, None));
        let key = || Some(b"foobar".to_vec());
        let partition = partition_of(b"foobar", 7);
        assert_eq!(Spread::new(1, true).place(key), (0, Some(Bytes::from_static(b"foobar"))));
        assert_eq!(Spread::new(7, true).place(key), (partition, Some(Bytes::from_static(b"foobar"))));
        assert_eq!(Spread::new(7, false).place(key), (partition, None));
        let spread = Spread::new(7, true);
        let (first, none) = spread.place(|| None);
        assert!(first < 7 && none.is_none() && spread.place(|| None).0 == first);
    }

    #[test]
    fn every_partition_gets_its_share() {
        let mut counts = [0; 7];
        for key in 0..7_000 {
            counts[usize::from(partition_of(format!("user-{key}").as_bytes(), 7))] += 1;
        }
        assert!(counts.iter().all(|count| (800..1_200).contains(count)), "{counts:?}");
        assert_eq!(partition_of(b"anything", 1), 0);
    }
}
