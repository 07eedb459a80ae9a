//! Reads the key of a record, which chooses its partition.

use std::fmt;

use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::{Deserializer, Value};

use super::serde::Text;

/// The key of a record whose key fields have these names: one string field as it is, otherwise the JSON array of the
/// values. Whitespace, escapes and the order of fields make no difference.
pub(in crate::record) fn key(record: &[u8], fields: &[&'static [&'static str]]) -> Vec<u8> {
    let mut values = vec![Value::Null; fields.len()];
    // An invalid record needs no key: whatever was read of it is used.
    let _ = Deserializer::from_slice(record).deserialize_map(KeyVisitor { fields, values: &mut values });
    match values.as_mut_slice() {
        [Value::String(text)] => std::mem::take(text).into_bytes(),
        values => Value::Array(values.iter_mut().map(Value::take).collect()).to_string().into(),
    }
}

struct KeyVisitor<'a> {
    fields: &'a [&'static [&'static str]],
    values: &'a mut [Value],
}

impl<'de> Visitor<'de> for KeyVisitor<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut missing = self.fields.len();
        // A valid record has each field once, so the rest of it need not be read.
        while missing > 0
            && let Some(name) = map.next_key::<Text<'de>>()?
        {
            let place = self.fields.iter().position(|names| names.contains(&&*name.0));
            if let Some(value) = place.and_then(|place| self.values.get_mut(place)) {
                *value = map.next_value()?;
                missing -= 1;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}
