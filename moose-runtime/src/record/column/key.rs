//! Types that a `LowCardinality` dictionary can hold: strings, strings of fixed length and UUIDs. ClickHouse has more,
//! but refuses to create a table with them unless `allow_suspicious_low_cardinality_types` is set.

use std::{borrow::Cow, marker::PhantomData};

use ::uuid::Uuid;

use super::{Column, FixedStringColumn, Newtype, fixed_string::check_length, uuid};
use crate::record::{
    DataType, ValueError,
    native::{size_with_length, write_bytes},
};

/// A type of values in a dictionary, each represented by its bytes.
pub trait DictionaryKey: Send + 'static {
    /// The ClickHouse type of the values.
    const DATA_TYPE: DataType;
    /// The value used for NULL.
    const NULL: &'static [u8];

    /// Size of a value once written.
    fn size(value: &[u8]) -> usize {
        value.len()
    }

    /// Appends a value.
    fn write(value: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(value);
    }
}

/// The bytes that represent a value of the Rust type `T` in a dictionary.
pub trait KeyOf<T>: DictionaryKey {
    /// What is expected, for messages.
    const EXPECTED: &'static str;
    /// Passes the bytes of a value to `then`.
    fn with_value(value: &T, then: impl FnOnce(&[u8])) -> Result<(), ValueError>;
    /// Passes the bytes of a parsed value to `then`.
    fn with_text(text: &str, then: impl FnOnce(&[u8])) -> Result<(), ValueError>;
}

/// `String`
#[derive(Debug)]
pub struct Text;

/// `FixedString(N)`
#[derive(Debug)]
pub struct FixedText<const N: usize>;

/// `UUID`
#[derive(Debug)]
pub struct Id;

/// A newtype around one of the others.
#[derive(Debug)]
pub struct Wrapped<N, K>(PhantomData<fn() -> (N, K)>);

impl DictionaryKey for Text {
    const DATA_TYPE: DataType = DataType::String;
    const NULL: &'static [u8] = b"";

    #[inline]
    fn size(value: &[u8]) -> usize {
        size_with_length(value)
    }

    #[inline]
    fn write(value: &[u8], out: &mut Vec<u8>) {
        write_bytes(out, value);
    }
}

/// The maximum length of a fixed string.
const ZEROS: [u8; 256] = [0; 256];

impl<const N: usize> DictionaryKey for FixedText<N> {
    const DATA_TYPE: DataType = FixedStringColumn::<N>::DATA_TYPE;
    const NULL: &'static [u8] = match ZEROS.split_at_checked(N) {
        Some((zeros, _)) => zeros,
        None => &[],
    };
}

impl DictionaryKey for Id {
    const DATA_TYPE: DataType = DataType::Uuid;
    const NULL: &'static [u8] = &[0; 16];
}

impl<N: Newtype, K: DictionaryKey> DictionaryKey for Wrapped<N, K> {
    const DATA_TYPE: DataType = K::DATA_TYPE;
    const NULL: &'static [u8] = K::NULL;

    fn size(value: &[u8]) -> usize {
        K::size(value)
    }

    fn write(value: &[u8], out: &mut Vec<u8>) {
        K::write(value, out);
    }
}

macro_rules! strings {
    ($($type:ty),*) => { $(
        impl KeyOf<$type> for Text {
            const EXPECTED: &'static str = "a string";

            #[inline]
            fn with_value(value: &$type, then: impl FnOnce(&[u8])) -> Result<(), ValueError> {
                then(value.as_bytes());
                Ok(())
            }

            #[inline]
            fn with_text(text: &str, then: impl FnOnce(&[u8])) -> Result<(), ValueError> {
                then(text.as_bytes());
                Ok(())
            }
        }

        impl<const N: usize> KeyOf<$type> for FixedText<N> {
            const EXPECTED: &'static str = "a string";

            fn with_value(value: &$type, then: impl FnOnce(&[u8])) -> Result<(), ValueError> {
                then(check_length::<N>(value)?);
                Ok(())
            }

            fn with_text(text: &str, then: impl FnOnce(&[u8])) -> Result<(), ValueError> {
                then(check_length::<N>(text)?);
                Ok(())
            }
        }
    )* };
}

strings!(String, Box<str>, Cow<'static, str>);

impl KeyOf<Uuid> for Id {
    const EXPECTED: &'static str = uuid::EXPECTED;

    fn with_value(value: &Uuid, then: impl FnOnce(&[u8])) -> Result<(), ValueError> {
        then(&uuid::bytes(*value));
        Ok(())
    }

    fn with_text(text: &str, then: impl FnOnce(&[u8])) -> Result<(), ValueError> {
        then(&uuid::bytes(uuid::parse(text)?));
        Ok(())
    }
}

impl<N: Newtype, K: KeyOf<N::Inner>> KeyOf<N> for Wrapped<N, K> {
    const EXPECTED: &'static str = K::EXPECTED;

    fn with_value(value: &N, then: impl FnOnce(&[u8])) -> Result<(), ValueError> {
        K::with_value(value.inner(), then)
    }

    fn with_text(text: &str, then: impl FnOnce(&[u8])) -> Result<(), ValueError> {
        K::with_text(text, then)
    }
}
