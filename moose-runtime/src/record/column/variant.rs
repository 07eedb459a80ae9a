//! `Variant(…)` for enums with data: which type each row has, and the values of each type in a column of its own.
//!
//! A variant without data is NULL, and so is the `None` of an `Option` of the enum. JSON gives a value as serde would:
//! `{"Name": value}`, or the value alone if the enum has `#[serde(untagged)]`, and then the first variant that accepts
//! it.

use std::{fmt, marker::PhantomData};

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, Visitor};

use super::{Column, NullableInside, Stores, variant_flaw::expect_fine};
use crate::record::{
    ColumnVisitor, ColumnVisitorMut, DataType, Findings, Node, Place, ValueError,
    digits::{self, RawError},
    json,
};

/// Marks a row as NULL.
const NULL: u8 = u8::MAX;

/// The columns of an enum with data, one for each variant with data. Implemented by generated code.
pub trait VariantColumns<E>: Default + Send + 'static {
    /// Type of each column.
    const TYPES: &'static [DataType];
    /// The names by which JSON may give each variant.
    const NAMES: &'static [&'static [&'static str]];
    /// The names by which JSON may give the variant without data, if there is one.
    const NULL_NAMES: &'static [&'static str];
    /// JSON gives a value without the name of its variant.
    const UNTAGGED: bool;
    /// Whether the types were checked at their variants, by [`Variants`].
    const IS_CHECKED: bool;

    /// Calls the visitor with every column, in order.
    fn visit<V: ColumnVisitor>(&self, visitor: &mut V);

    /// Calls the visitor with every column, mutable, in order.
    fn visit_mut<V: ColumnVisitorMut>(&mut self, visitor: &mut V);

    /// Appends a value to the column of its variant, and returns that column's index; `None` for NULL.
    fn append(&mut self, value: &E) -> Result<Option<usize>, ValueError>;

    /// Parses a value into the column of a variant.
    fn append_json<'de, D: Deserializer<'de>>(&mut self, variant: usize, input: D) -> Result<(), D::Error>;

    /// Finds all errors in a value of a variant.
    fn explain(variant: usize, input: Node<'_>, place: &Place<'_>, findings: &mut Findings);
}

/// Values of `Variant(…)`.
#[derive(Debug)]
pub struct VariantColumn<E, C> {
    columns: C,
    /// The column index of each row, or [`NULL`].
    chosen: Vec<u8>,
    /// Number of complete values in each column, for truncation.
    counts: Vec<usize>,
    value: PhantomData<fn() -> E>,
}

impl<E, C: Default> Default for VariantColumn<E, C> {
    fn default() -> Self {
        Self { columns: C::default(), chosen: Vec::new(), counts: Vec::new(), value: PhantomData }
    }
}

/// The types of the variants of an enum with data, and their names in JSON.
#[doc(hidden)]
pub trait Variants {
    /// The types of the variants with data, in order.
    const TYPES: &'static [DataType];
    /// Their names; the first is the variant's own.
    const NAMES: &'static [&'static [&'static str]];
}

impl<E, C: VariantColumns<E>> Variants for VariantColumn<E, C> {
    const TYPES: &'static [DataType] = C::TYPES;
    const NAMES: &'static [&'static [&'static str]] = C::NAMES;
}

impl<E, C: VariantColumns<E>> VariantColumn<E, C> {
    /// Records that the value of a row was appended to a column.
    fn choose(&mut self, variant: Option<usize>) {
        let chosen = variant.and_then(|variant| u8::try_from(variant).ok()).unwrap_or(NULL);
        if let Some(variant) = variant {
            self.counts.resize(C::TYPES.len(), 0);
            if let Some(count) = self.counts.get_mut(variant) {
                *count += 1;
            }
        }
        self.chosen.push(chosen);
    }

    /// Removes what a failed append left in the columns.
    fn restore(&mut self) {
        struct Restore<'a>(std::slice::Iter<'a, usize>);
        impl ColumnVisitorMut for Restore<'_> {
            fn column<C: Column>(&mut self, column: &mut C) {
                column.truncate(self.0.next().copied().unwrap_or(0));
            }
        }
        self.columns.visit_mut(&mut Restore(self.counts.iter()));
    }

    /// The columns in the order of their types' texts, as ClickHouse sorts them.
    fn order() -> Vec<usize> {
        let mut order: Vec<usize> = (0..C::TYPES.len()).collect();
        order.sort_by_cached_key(|place| C::TYPES.get(*place).map(DataType::to_string));
        order
    }

    /// Writes every column, in ClickHouse's order.
    fn write_columns(&self, is_prefix: bool, out: &mut Vec<u8>) {
        struct Write {
            is_prefix: bool,
            written: Vec<Vec<u8>>,
        }
        impl ColumnVisitor for Write {
            fn column<C: Column>(&mut self, column: &C) {
                let mut out = Vec::new();
                if self.is_prefix {
                    column.write_prefix(&mut out);
                } else if column.rows() > 0 {
                    column.write_data(&mut out);
                }
                self.written.push(out);
            }
        }
        let mut write = Write { is_prefix, written: Vec::new() };
        self.columns.visit(&mut write);
        for place in Self::order() {
            out.extend_from_slice(write.written.get(place).map_or(&[], Vec::as_slice));
        }
    }

    fn expected() -> String {
        let names: Vec<String> = if C::UNTAGGED {
            C::TYPES.iter().map(|data_type| format!("`{data_type}`")).collect()
        } else {
            C::NAMES.iter().filter_map(|names| names.first()).map(|name| format!("{{\"{name}\": …}}")).collect()
        };
        let null = match (C::NULL_NAMES.first(), C::UNTAGGED) {
            (None, _) => String::new(),
            (Some(_), true) => " or null".to_owned(),
            (Some(name), false) => format!(" or \"{name}\""),
        };
        format!("a value of {}{null}", names.join(" or "))
    }

    fn variant_of(name: &str) -> Option<usize> {
        C::NAMES.iter().position(|names| names.contains(&name))
    }

    /// Appends the value to the first variant that accepts the text.
    fn append_text(&mut self, text: &str) -> Result<(), RawError> {
        if text == "null" && !C::NULL_NAMES.is_empty() {
            self.choose(None);
            return Ok(());
        }
        for variant in 0..C::TYPES.len() {
            if json::read(text, VariantSeed { columns: &mut self.columns, variant, value: PhantomData::<fn(&E)> })
                .is_ok()
            {
                self.choose(Some(variant));
                return Ok(());
            }
            self.restore();
        }
        Err(ValueError::invalid_value(Self::expected()).into())
    }
}

impl<E: 'static, C: VariantColumns<E>> Column for VariantColumn<E, C> {
    const DATA_TYPE: DataType = {
        if !C::IS_CHECKED {
            expect_fine(C::TYPES);
        }
        DataType::Variant(C::TYPES)
    };

    fn rows(&self) -> usize {
        self.chosen.len()
    }

    fn byte_size(&self) -> usize {
        struct Sum(usize);
        impl ColumnVisitor for Sum {
            fn column<C: Column>(&mut self, column: &C) {
                self.0 += column.byte_size();
            }
        }
        let mut sum = Sum(8 + self.chosen.len());
        self.columns.visit(&mut sum);
        sum.0
    }

    fn truncate(&mut self, rows: usize) {
        for gone in self.chosen.drain(rows.min(self.chosen.len())..) {
            if let Some(count) = self.counts.get_mut(usize::from(gone)) {
                *count -= 1;
            }
        }
        self.restore();
    }

    fn push_default(&mut self) {
        self.chosen.push(NULL);
    }

    fn write_prefix(&self, out: &mut Vec<u8>) {
        // The basic mode: a discriminator for every row.
        out.extend_from_slice(&0_u64.to_le_bytes());
        self.write_columns(true, out);
    }

    fn write_data(&self, out: &mut Vec<u8>) {
        let mut places = [NULL; 256];
        for (place, variant) in Self::order().into_iter().enumerate() {
            if let (Some(slot), Ok(place)) = (places.get_mut(variant), u8::try_from(place)) {
                *slot = place;
            }
        }
        out.extend(self.chosen.iter().map(|variant| places.get(usize::from(*variant)).copied().unwrap_or(NULL)));
        self.write_columns(false, out);
    }
}

#[diagnostic::do_not_recommend]
impl<E: 'static, C: VariantColumns<E>> NullableInside for VariantColumn<E, C> {
    const HAS_NULL: bool = true;
}

struct VariantSeed<'a, E, C> {
    columns: &'a mut C,
    variant: usize,
    value: PhantomData<fn(&E)>,
}

impl<'de, E, C: VariantColumns<E>> DeserializeSeed<'de> for VariantSeed<'_, E, C> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        self.columns.append_json(self.variant, input)
    }
}

impl<E: 'static, C: VariantColumns<E>> Stores<E> for VariantColumn<E, C> {
    fn append(&mut self, value: &E) -> Result<(), ValueError> {
        let variant = self.columns.append(value)?;
        self.choose(variant);
        Ok(())
    }

    fn append_json<'de, D: Deserializer<'de>>(&mut self, input: D) -> Result<(), D::Error> {
        if C::UNTAGGED {
            return digits::with_text(input, |text| self.append_text(text));
        }
        let variant =
            input.deserialize_any(TaggedVisitor { columns: &mut self.columns, value: PhantomData::<fn(&E)> })?;
        self.choose(variant);
        Ok(())
    }

    fn explain(input: Node<'_>, place: &Place<'_>, findings: &mut Findings) {
        if input.is_object() && !C::UNTAGGED {
            let mut fields = 0;
            input.for_each_field(|name, value| {
                fields += 1;
                match Self::variant_of(name) {
                    Some(variant) => C::explain(variant, value, &place.field(name), findings),
                    None => findings.push(&place.field(name), de::Error::unknown_field(name, &[])),
                }
            });
            if fields != 1 {
                let expected = "an object with exactly one field, named after a variant";
                findings.push(place, de::Error::invalid_length(fields, &expected));
            }
        } else if let Err(problem) = Self::default().append_json(input) {
            findings.push(place, problem);
        }
    }
}

struct TaggedVisitor<'a, E, C> {
    columns: &'a mut C,
    value: PhantomData<fn(&E)>,
}

impl<'de, E, C: VariantColumns<E>> Visitor<'de> for TaggedVisitor<'_, E, C> {
    type Value = Option<usize>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&VariantColumn::<E, C>::expected())
    }

    fn visit_str<Error: de::Error>(self, name: &str) -> Result<Option<usize>, Error> {
        if C::NULL_NAMES.contains(&name) {
            return Ok(None);
        }
        Err(ValueError::invalid_value(VariantColumn::<E, C>::expected()).into_reader())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<usize>, A::Error> {
        let name: std::borrow::Cow<'de, str> = map.next_key()?.ok_or_else(|| de::Error::invalid_length(0, &self))?;
        let Some(variant) = VariantColumn::<E, C>::variant_of(&name) else {
            return Err(de::Error::unknown_field("", &[]));
        };
        map.next_value_seed(VariantSeed { columns: self.columns, variant, value: self.value })?;
        // One variant and no more.
        if map.next_key::<de::IgnoredAny>()?.is_some() {
            return Err(de::Error::invalid_length(2, &"an object with exactly one field, named after a variant"));
        }
        Ok(Some(variant))
    }
}
