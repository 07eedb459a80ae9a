//! `Map(K, V)` for `HashMap` and `BTreeMap`: the end offset of each row, and the keys and values of all rows in two
//! columns.
//!
//! JSON gives a map as an object. A duplicate key is rejected: Rust's maps would keep one of the two, ClickHouse's
//! both.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    marker::PhantomData,
};

use serde::de::{Deserializer, MapAccess, Visitor};

use super::{AllowsDecimal, Column, ColumnType, MapKeyColumn, Stores};
use crate::record::{
    DataType, Findings, Node, Place, Seed, ValueError,
    map_key::{KeySeed, SeenKeys, read_key},
    native::write_fixed,
};

const EXPECTED: &str = "an object";
/// Values of `Map(K, V)`.
#[derive(Debug, Default)]
pub struct MapColumn<K, V> {
    /// The end of each row's entries.
    ends: Vec<usize>,
    keys: K,
    values: V,
}

impl<K: Column, V: Column> MapColumn<K, V> {
    fn end(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    fn append_entries<'a, KT: 'a, VT: 'a>(
        &mut self,
        entries: impl Iterator<Item = (&'a KT, &'a VT)>,
    ) -> Result<(), ValueError>
    where
        K: Stores<KT>,
        V: Stores<VT>,
    {
        for (key, value) in entries {
            self.keys.append(key)?;
            self.values.append(value)?;
        }
        self.ends.push(self.keys.rows());
        Ok(())
    }

    fn append_object<'de, KT, VT, D: Deserializer<'de>>(&mut self, input: D) -> Result<(), D::Error>
    where
        K: Stores<KT>,
        V: Stores<VT>,
    {
        let entries = EntriesVisitor { keys: &mut self.keys, values: &mut self.values, entry: PhantomData };
        input.deserialize_map::<EntriesVisitor<'_, KT, VT, K, V>>(entries)?;
        self.ends.push(self.keys.rows());
        Ok(())
    }
}

impl<K: MapKeyColumn, V: Column> Column for MapColumn<K, V> {
    const DATA_TYPE: DataType = DataType::Map(&K::DATA_TYPE, &V::DATA_TYPE);

    fn rows(&self) -> usize {
        self.ends.len()
    }

    fn byte_size(&self) -> usize {
        self.ends.len() * 8 + self.keys.byte_size() + self.values.byte_size()
    }

    fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows);
        let end = self.end();
        self.keys.truncate(end);
        self.values.truncate(end);
    }

    fn push_default(&mut self) {
        self.ends.push(self.end());
    }

    fn write_prefix(&self, out: &mut Vec<u8>) {
        self.keys.write_prefix(out);
        self.values.write_prefix(out);
    }

    fn write_data(&self, out: &mut Vec<u8>) {
        write_fixed(out, &self.ends, |end| (end as u64).to_le_bytes());
        self.keys.write_data(out);
        self.values.write_data(out);
    }
}

/// All errors in an object.
fn explain<KT, VT, K: Stores<KT>, V: Stores<VT>>(input: Node<'_>, place: &Place<'_>, findings: &mut Findings) {
    if !input.is_object() {
        findings.push_wrong_type(place, EXPECTED, input);
        return;
    }
    let mut seen = HashSet::new();
    input.for_each_field(|name, value| {
        if findings.is_full() {
            return;
        }
        let place = place.field(name);
        if !seen.insert(name.to_owned()) {
            findings.push(&place, serde::de::Error::duplicate_field(DUPLICATE));
        }
        if let Err(problem) = read_key::<KT, K, _>(&mut K::default(), name) {
            findings.push(&place, problem);
        }
        V::explain(value, &place, findings);
    });
}

/// Replaces the name of a key in messages, which never quote the input.
const DUPLICATE: &str = "…";

macro_rules! maps {
    ($($map:ty, [$($parameter:tt)*];)*) => { $(
        impl<KT, VT, K: MapKeyColumn + Stores<KT>, V: Stores<VT>, $($parameter)*> Stores<$map> for MapColumn<K, V> {
            fn append(&mut self, value: &$map) -> Result<(), ValueError> {
                self.append_entries(value.iter())
            }

            fn append_json<'de, D: Deserializer<'de>>(&mut self, input: D) -> Result<(), D::Error> {
                self.append_object::<KT, VT, D>(input)
            }

            fn explain(input: Node<'_>, place: &Place<'_>, findings: &mut Findings) {
                explain::<KT, VT, K, V>(input, place, findings);
            }
        }

        impl<KT: ColumnType, VT: ColumnType, $($parameter)*> ColumnType for $map
        where
            KT::Column: MapKeyColumn,
        {
            type Column = MapColumn<KT::Column, VT::Column>;
        }

        #[diagnostic::do_not_recommend]
        impl<const P: u8, const D: u8, KT: ColumnType, VT: AllowsDecimal<P, D>, $($parameter)*> AllowsDecimal<P, D> for $map
        where
            KT::Column: MapKeyColumn,
        {
            type Column = MapColumn<KT::Column, VT::Column>;
        }
    )* };
}

maps! {
    BTreeMap<KT, VT>, [];
    HashMap<KT, VT, S>, [S];
}

struct EntriesVisitor<'a, KT, VT, K, V> {
    keys: &'a mut K,
    values: &'a mut V,
    entry: PhantomData<fn(&KT, &VT)>,
}

impl<'de, KT, VT, K: Stores<KT>, V: Stores<VT>> Visitor<'de> for EntriesVisitor<'_, KT, VT, K, V> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(EXPECTED)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = SeenKeys::default();
        while let Some(is_new) = map.next_key_seed(KeySeed::<KT, K>::new(self.keys, &mut seen))? {
            if !is_new {
                return Err(serde::de::Error::duplicate_field(DUPLICATE));
            }
            map.next_value_seed(Seed::<VT, V>::new(self.values))?;
        }
        Ok(())
    }
}
