//! The field attributes that choose how a type is stored, and the column type that they produce in combination.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{LitStr, Type, spanned::Spanned};

use super::{entry::Entry, json::JsonForm, mistakes::Mistakes};
use crate::{nearest::nearest, place::respanned};

/// The names of these attributes.
pub(super) const NAMES: [&str; 10] = [
    "aggregate",
    "column",
    "compact",
    "decimal",
    "fixed",
    "json",
    "low_cardinality",
    "nested",
    "precision",
    "timezone",
];

/// Functions that ClickHouse accepts in a `SimpleAggregateFunction`.
const AGGREGATES: [&str; 15] = [
    "any",
    "anyLast",
    "groupArrayArray",
    "groupBitAnd",
    "groupBitOr",
    "groupBitXor",
    "groupUniqArrayArray",
    "max",
    "maxMap",
    "min",
    "minMap",
    "sum",
    "sumMap",
    "sumWithOverflow",
    "anyRespectNulls",
];

/// Maximum digits of a second's fraction.
const MOST_FRACTION: u8 = 9;
/// Maximum digits of a decimal.
const MOST_DIGITS: u8 = 76;
/// Maximum length of a fixed string: ClickHouse regards more as an error.
const MOST_BYTES: usize = 256;

/// The forms given by the attributes, in the order in which they are applied.
#[derive(Default)]
pub(super) struct Forms {
    /// The name of every attribute, for its span.
    named: Vec<Ident>,
    base: Base,
    forms: Vec<Form>,
    /// Whether there was an error, so that the column is unknown.
    is_in_doubt: bool,
}

#[derive(Default)]
enum Base {
    /// The column of the type without attributes.
    #[default]
    OfType,
    Named(Box<Type>),
    Decimal(u8, u8),
}

/// A type-level function.
enum Form {
    Fixed(usize),
    Compact,
    Precision(u8),
    Timezone(String),
    LowCardinality,
    Nested,
    Json(JsonForm),
    Aggregate(LitStr),
}

impl Form {
    /// Its rank in the order in which forms are applied.
    fn rank(&self) -> u8 {
        match self {
            Self::Fixed(_) | Self::Compact | Self::Precision(_) | Self::Nested | Self::Json(_) => 0,
            Self::Timezone(_) | Self::LowCardinality => 1,
            Self::Aggregate(_) => 2,
        }
    }
}

/// The tokens that an error is shown at: the compiler marks from the first to the last of a type.
pub(super) struct Shown {
    first: Span,
    last: Span,
}

impl Shown {
    pub(super) fn at(value: &Type) -> Self {
        let first = value.span();
        let last = value.to_token_stream().into_iter().last().map_or(first, |token| token.span());
        Self { first, last }
    }

    /// The result of a type-level function.
    fn function(&self, of: impl ToTokens, function: &TokenStream, result: &str) -> TokenStream {
        let open = quote_spanned!(self.first=> <);
        let result = Ident::new(result, self.last);
        quote!(#open #of as #function>::#result)
    }

    /// A type with these arguments.
    pub(super) fn wrap(&self, path: &TokenStream, arguments: &TokenStream) -> TokenStream {
        let path = respanned(path.clone(), self.first);
        let close = quote_spanned!(self.last=> >);
        quote!(#path<#arguments #close)
    }
}

/// Whether both attributes may be on one field.
fn go_together(one: &str, other: &str) -> bool {
    let pair = |left: &str, right: &str| (one == left && other == right) || (one == right && other == left);
    one == "aggregate"
        || other == "aggregate"
        || pair("fixed", "low_cardinality")
        || pair("timezone", "compact")
        || pair("timezone", "precision")
}

impl Forms {
    /// Reads an attribute, if it is one of these.
    pub(super) fn read(&mut self, entry: &Entry, mistakes: &mut Mistakes) -> bool {
        let name = entry.name.to_string();
        if !NAMES.contains(&name.as_str()) {
            return false;
        }
        let before = mistakes.count();
        if let Some(other) = self.named.iter().find(|other| !go_together(&other.to_string(), &name)) {
            let message = format!("`{other}` and `{name}` each choose the column: keep one of them");
            mistakes.at(&entry.name, message);
        }
        self.named.push(entry.name.clone());
        match name.as_str() {
            "column" => {
                if let Some(column) = entry.type_of_column(mistakes) {
                    self.base = Base::Named(Box::new(column));
                }
            }
            "decimal" => {
                if let Some((precision, scale)) = decimal(entry, mistakes) {
                    self.base = Base::Decimal(precision, scale);
                }
            }
            _ => self.forms.extend(form(&name, entry, mistakes)),
        }
        self.forms.sort_by_key(Form::rank);
        self.is_in_doubt |= mistakes.count() > before;
        true
    }

    /// Records an error after which the intended column is unknown.
    pub(super) fn doubt(&mut self) {
        self.is_in_doubt = true;
    }

    /// The column of a field. Attributes are type-level functions, so aliases and newtypes work. Errors in the result
    /// have the span of the field's type.
    pub(super) fn column(&self, value: &Type, private: &TokenStream, place: usize) -> TokenStream {
        if self.is_in_doubt {
            return quote!(#private::AnyColumn<()>);
        }
        let shown = Shown::at(value);
        let base = match &self.base {
            Base::OfType => shown.function(value, &quote!(#private::ColumnType), "Column"),
            Base::Named(named) => Shown::at(named).function(named, &quote!(#private::NamedColumn<#value>), "Column"),
            Base::Decimal(precision, scale) => {
                shown.function(value, &quote!(#private::AllowsDecimal<#precision, #scale>), "Column")
            }
        };
        self.forms.iter().fold(base, |column, form| match form {
            Form::Fixed(bytes) => shown.function(column, &quote!(#private::AllowsFixed<#bytes>), "Fixed"),
            Form::Compact => shown.function(column, &quote!(#private::AllowsCompact), "Compact"),
            Form::Precision(digits) => {
                shown.function(column, &quote!(#private::AllowsPrecision<#digits>), "WithPrecision")
            }
            Form::Timezone(_) => {
                let zone = zone(place);
                shown.function(column, &quote!(#private::AllowsTimezone<#zone>), "WithTimezone")
            }
            Form::LowCardinality => shown.function(column, &quote!(#private::AllowsLowCardinality), "LowCardinality"),
            Form::Nested => shown.function(column, &quote!(#private::AllowsNested), "Nested"),
            Form::Json(_) => {
                let form = json(place);
                shown.function(column, &quote!(#private::AllowsJson<#form>), "WithForm")
            }
            Form::Aggregate(_) => {
                let function = function(place);
                shown.wrap(&quote!(#private::AggregateColumn), &quote!(#function, #column))
            }
        })
    }

    /// The aggregate function, if one is given.
    pub(super) fn aggregate(&self) -> Option<&LitStr> {
        self.forms.iter().find_map(|form| match form {
            Form::Aggregate(function) => Some(function),
            _ => None,
        })
    }

    /// Marker types for the texts in the column's type; `is_checked` if aggregates are checked elsewhere.
    pub(super) fn markers(&self, private: &TokenStream, place: usize, is_checked: bool) -> TokenStream {
        let forms = if self.is_in_doubt { &[][..] } else { &self.forms };
        let markers = forms.iter().filter_map(|form| match form {
            Form::Timezone(name) => {
                let zone = zone(place);
                Some(quote! {
                    pub struct #zone;
                    #[automatically_derived]
                    impl #private::Timezone for #zone {
                        const NAME: &'static ::core::primitive::str = #name;
                    }
                })
            }
            Form::Aggregate(name) => {
                let function = function(place);
                Some(quote! {
                    pub struct #function;
                    #[automatically_derived]
                    impl #private::Aggregate for #function {
                        const FUNCTION: &'static ::core::primitive::str = #name;
                        const IS_CHECKED: ::core::primitive::bool = #is_checked;
                    }
                })
            }
            Form::Json(form) => Some(form.marker(&json(place), private)),
            _ => None,
        });
        markers.collect()
    }
}

fn zone(place: usize) -> Ident {
    format_ident!("__Zone{place}")
}

fn json(place: usize) -> Ident {
    format_ident!("__Json{place}")
}

fn function(place: usize) -> Ident {
    format_ident!("__Function{place}")
}

/// ```text
/// #[olap(precision = 10)]    // nanoseconds have 9 digits
/// #[olap(fixed = 0)]         // there is no string of no bytes
/// ```
fn form(name: &str, entry: &Entry, mistakes: &mut Mistakes) -> Option<Form> {
    match name {
        "compact" => entry.flag(mistakes).then_some(Form::Compact),
        "low_cardinality" => entry.flag(mistakes).then_some(Form::LowCardinality),
        "nested" => entry.flag(mistakes).then_some(Form::Nested),
        "json" => Some(Form::Json(JsonForm::read(entry, mistakes))),
        "precision" => {
            let digits = entry.integer("precision = 6", mistakes)?;
            let message = "the precision of a timestamp is 0 (seconds) to 9 (nanoseconds)";
            let precision = digits.base10_parse().ok().filter(|digits| *digits <= MOST_FRACTION);
            if precision.is_none() {
                mistakes.at(digits, message);
            }
            precision.map(Form::Precision)
        }
        "fixed" => {
            let bytes = entry.integer("fixed = 16", mistakes)?;
            let length = bytes.base10_parse().ok().filter(|bytes| (1..=MOST_BYTES).contains(bytes));
            if length.is_none() {
                mistakes.at(bytes, format_args!("a string of fixed length has 1 to {MOST_BYTES} bytes"));
            }
            length.map(Form::Fixed)
        }
        "timezone" => timezone(&entry.text(mistakes)?, mistakes).map(Form::Timezone),
        _ => aggregate(&entry.text(mistakes)?, mistakes).map(Form::Aggregate),
    }
}

/// `decimal(18, 4)`
fn decimal(entry: &Entry, mistakes: &mut Mistakes) -> Option<(u8, u8)> {
    let (precision, scale) = entry.two_integers("decimal(18, 4)", mistakes)?;
    let message = format!("a decimal has 1 to {MOST_DIGITS} digits, and no more of them after its point");
    let digits = precision.base10_parse().ok().filter(|digits| (1..=MOST_DIGITS).contains(digits));
    let Some(digits) = digits else {
        mistakes.at(precision, message);
        return None;
    };
    let after = scale.base10_parse().ok().filter(|after| *after <= digits);
    if after.is_none() {
        mistakes.at(scale, message);
    }
    after.map(|after| (digits, after))
}

fn timezone(name: &LitStr, mistakes: &mut Mistakes) -> Option<String> {
    let text = name.value();
    let is_name = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|character| character.is_ascii_alphanumeric() || "/_+-".contains(character));
    if !is_name {
        mistakes.at(name, "expected a name of the time zone database, such as \"Europe/Berlin\"");
    }
    is_name.then_some(text)
}

fn aggregate(name: &LitStr, mistakes: &mut Mistakes) -> Option<LitStr> {
    let text = name.value();
    if AGGREGATES.contains(&text.as_str()) {
        return Some(name.clone());
    }
    let hint = nearest(&text, &AGGREGATES)
        .map_or_else(|| format!("known are {}", AGGREGATES.join(", ")), |nearest| format!("did you mean `{nearest}`?"));
    mistakes.at(name, format_args!("`{text}` is no function of a `SimpleAggregateFunction`; {hint}"));
    None
}
