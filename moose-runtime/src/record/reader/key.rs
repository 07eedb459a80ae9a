//! What stands before a colon: a string, and a number or a boolean in quotes for maps that have such keys.

use serde::{
    de::{self, IntoDeserializer as _, Visitor},
    forward_to_deserialize_any,
};

use super::{Read, Reader};
use crate::record::json::Refused;

/// Methods for which a key is a value in quotes.
macro_rules! unquoted {
    ($($method:ident)*) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
            self.unquoted(|reader| reader.$method(visitor))
        }
    )* };
}

/// The name of a field, or the key of a map.
pub(super) struct Key<'a, 'de>(pub(super) &'a mut Reader<'de>);

impl<'de> Key<'_, 'de> {
    /// What stands between the quotes, as a value.
    fn unquoted<V>(self, read: impl FnOnce(&mut Reader<'de>) -> Read<V>) -> Read<V> {
        self.0.take(b'"')?;
        // No space: a quote is all that may follow.
        if matches!(self.0.peek(), Some(b' ' | b'\n' | b'\t' | b'\r')) {
            return Err(Refused);
        }
        let value = read(&mut *self.0)?;
        self.0.take_word("\"")?;
        Ok(value)
    }
}

impl<'de> de::Deserializer<'de> for Key<'_, 'de> {
    type Error = Refused;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.0.deserialize_str(visitor)
    }

    unquoted! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16
        deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Read<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Read<V::Value> {
        self.0.string()?.into_deserializer().deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}
