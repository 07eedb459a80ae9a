//! Parses a type. With parameters that ClickHouse would not write it becomes an unknown type that keeps its text, never
//! an error.

use std::str::FromStr;

use super::{
    super::lexer::{self, Lexer, TokenKind, tokens},
    DataType, JsonOptions, PLAIN,
};

/// A text that can't be a type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DataTypeError {
    /// The text is empty.
    #[error("a column type is empty")]
    Empty,
    /// A parenthesis or quote is not closed, or text follows the type.
    #[error("the parentheses and quotes of the column type `{text}` don't match")]
    Unbalanced {
        /// The whole text.
        text: String,
    },
    /// Too many nested types.
    #[error("a column type is nested deeper than {most} levels")]
    TooDeep {
        /// The maximum depth.
        most: usize,
    },
}

/// Maximum depth of nested types; more than any table has, but a bound for the parser.
pub(super) const DEEPEST: usize = 64;
/// Maximum digits of a second's fraction.
const MOST_FRACTION: u8 = 9;
/// Maximum digits of a decimal.
const MOST_DIGITS: u8 = 76;

impl FromStr for DataType {
    type Err = DataTypeError;

    fn from_str(text: &str) -> Result<Self, DataTypeError> {
        if is_balanced(text) { parse(text, DEEPEST) } else { Err(DataTypeError::Unbalanced { text: text.to_owned() }) }
    }
}

impl TryFrom<String> for DataType {
    type Error = DataTypeError;

    fn try_from(text: String) -> Result<Self, DataTypeError> {
        text.parse()
    }
}

/// A type's text whose parentheses and quotes match.
fn parse(text: &str, depth: usize) -> Result<DataType, DataTypeError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(DataTypeError::Empty);
    }
    if depth == 0 {
        return Err(DataTypeError::TooDeep { most: DEEPEST });
    }
    if let Some((data_type, _)) = PLAIN.iter().find(|(_, name)| *name == text) {
        return Ok(data_type.clone());
    }
    let known = match text {
        "DateTime" => Some(DataType::DateTime { timezone: None }),
        "DateTime64" => Some(DataType::DateTime64 { precision: 3, timezone: None }),
        "Time64" => Some(DataType::Time64 { precision: 3 }),
        "Dynamic" => Some(DataType::Dynamic { max_types: None }),
        "JSON" => Some(DataType::Json(Box::default())),
        _ => match arguments(text) {
            Some((name, inside)) => match with_types(name, inside, depth - 1)? {
                Some(known) => Some(known),
                None => with_values(name, inside),
            },
            None => None,
        },
    };
    Ok(known.unwrap_or_else(|| DataType::Other(text.to_owned())))
}

/// A type that contains other types.
fn with_types(name: &str, inside: &str, depth: usize) -> Result<Option<DataType>, DataTypeError> {
    let inner = |text: &str| Ok(Box::new(parse(text, depth)?));
    Ok(match name {
        "Nullable" => Some(DataType::Nullable(inner(inside)?)),
        "Array" => Some(DataType::Array(inner(inside)?)),
        "LowCardinality" => Some(DataType::LowCardinality(inner(inside)?)),
        "Map" => match split(inside).as_slice() {
            [key, value] => Some(DataType::Map(inner(key)?, inner(value)?)),
            _ => None,
        },
        "Tuple" => tuple(inside, depth)?,
        "Nested" => named_types(&split(inside), depth)?.map(DataType::Nested),
        "Variant" => {
            let types: Result<_, _> = split(inside).into_iter().map(|text| parse(text, depth)).collect();
            Some(DataType::variant(types?))
        }
        "SimpleAggregateFunction" => match split(inside).as_slice() {
            [function, of] if !function.is_empty() => {
                Some(DataType::SimpleAggregateFunction { function: (*function).to_owned(), data_type: inner(of)? })
            }
            _ => None,
        },
        "JSON" => json(&split(inside), depth)?,
        _ => None,
    })
}

/// A type with numbers and strings as parameters.
fn with_values(name: &str, inside: &str) -> Option<DataType> {
    let parts = split(inside);
    let decimal = |precision: u8, scale: &str| {
        let scale = scale.parse().ok()?;
        let fits = (1..=MOST_DIGITS).contains(&precision) && scale <= precision;
        fits.then_some(DataType::Decimal { precision, scale })
    };
    let fraction = |text: &str| text.parse().ok().filter(|digits| *digits <= MOST_FRACTION);
    match (name, parts.as_slice()) {
        ("FixedString", [bytes]) => bytes.parse().ok().filter(|bytes| *bytes > 0).map(DataType::FixedString),
        ("Decimal", [precision, scale]) => decimal(precision.parse().ok()?, scale),
        ("Decimal", [precision]) => decimal(precision.parse().ok()?, "0"),
        ("Decimal32", [scale]) => decimal(9, scale),
        ("Decimal64", [scale]) => decimal(18, scale),
        ("Decimal128", [scale]) => decimal(38, scale),
        ("Decimal256", [scale]) => decimal(MOST_DIGITS, scale),
        ("Time64", [precision]) => Some(DataType::Time64 { precision: fraction(precision)? }),
        ("DateTime", [timezone]) => Some(DataType::DateTime { timezone: Some(unquoted('\'', timezone)?) }),
        ("DateTime64", [precision]) => Some(DataType::DateTime64 { precision: fraction(precision)?, timezone: None }),
        ("DateTime64", [precision, timezone]) => {
            Some(DataType::DateTime64 { precision: fraction(precision)?, timezone: Some(unquoted('\'', timezone)?) })
        }
        ("Enum8", labels) => Some(DataType::enum8(enumeration(labels)?)),
        ("Enum16", labels) => Some(DataType::enum16(enumeration(labels)?)),
        ("Dynamic", [most]) => Some(DataType::Dynamic { max_types: Some(assigned("max_types", most)?) }),
        _ => None,
    }
}

fn tuple(inside: &str, depth: usize) -> Result<Option<DataType>, DataTypeError> {
    let elements = split(inside);
    if elements.iter().all(|element| named(element).is_some()) && !elements.is_empty() {
        return Ok(named_types(&elements, depth)?.map(DataType::NamedTuple));
    }
    let types: Result<_, _> = elements.into_iter().map(|element| parse(element, depth)).collect();
    Ok(Some(DataType::Tuple(types?)))
}

fn named_types(elements: &[&str], depth: usize) -> Result<Option<Vec<(String, DataType)>>, DataTypeError> {
    let mut types = Vec::new();
    for element in elements {
        let Some((name, data_type)) = named(element) else { return Ok(None) };
        types.push((name, parse(data_type, depth)?));
    }
    Ok(Some(types))
}

fn json(arguments: &[&str], depth: usize) -> Result<Option<DataType>, DataTypeError> {
    let mut options = JsonOptions::default();
    for argument in arguments {
        if let Some(number) = assigned("max_dynamic_types", argument) {
            options.max_dynamic_types = Some(number);
        } else if let Some(number) = assigned("max_dynamic_paths", argument) {
            options.max_dynamic_paths = Some(number);
        } else if let Some(expression) = argument.strip_prefix("SKIP REGEXP ") {
            let Some(expression) = unquoted('\'', expression.trim()) else { return Ok(None) };
            options.skip_regexps.push(expression);
        } else if let Some(path) = argument.strip_prefix("SKIP ") {
            options.skips.push(unquoted('`', path.trim()).unwrap_or_else(|| path.trim().to_owned()));
        } else if let Some((path, data_type)) = named(argument) {
            options.paths.push((path, parse(data_type, depth)?));
        } else {
            return Ok(None);
        }
    }
    Ok(Some(DataType::json(options)))
}

/// `'label' = value` of each entry.
fn enumeration(entries: &[&str]) -> Option<Vec<(String, i16)>> {
    let entry = |entry: &&str| {
        let end = end_of_quoted('\'', entry)?;
        let (label, rest) = entry.split_at_checked(end)?;
        let value = rest.trim_start().strip_prefix('=')?.trim().parse().ok()?;
        Some((unquoted('\'', label)?, value))
    };
    entries.iter().map(entry).collect()
}

/// The number of `name=number`.
fn assigned(name: &str, text: &str) -> Option<u32> {
    text.strip_prefix(name)?.trim_start().strip_prefix('=')?.trim().parse().ok()
}

/// The name and the type of `name type`, if it has both.
fn named(element: &str) -> Option<(String, &str)> {
    if element.starts_with('`') {
        let (name, rest) = element.split_at_checked(end_of_quoted('`', element)?)?;
        return (rest.starts_with(' ') && !rest.trim().is_empty())
            .then(|| unquoted('`', name).map(|name| (name, rest.trim())))?;
    }
    let end = element.find(|character: char| !character.is_alphanumeric() && !"_.".contains(character))?;
    let (name, rest) = element.split_at_checked(end)?;
    (rest.starts_with(' ') && !name.is_empty() && !rest.trim_start().starts_with('('))
        .then(|| (name.to_owned(), rest.trim()))
}

/// `name` and `inside` of `name(inside)`.
fn arguments(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.split_once('(')?;
    let inside = rest.strip_suffix(')').filter(|inside| is_balanced(inside))?;
    Some((name.trim_end(), inside))
}

/// Splits a text at its commas outside parentheses and quotes. An empty text has no pieces.
fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut depth) = (0, 0_usize);
    for token in tokens(text) {
        match token.of(text) {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            "," if depth == 0 => {
                parts.push(text.get(start..token.start).unwrap_or_default().trim());
                start = token.end;
            }
            _ => {}
        }
    }
    let last = text.get(start..).unwrap_or_default().trim();
    if !(last.is_empty() && parts.is_empty()) {
        parts.push(last);
    }
    parts
}

/// The end of the quoted text at the beginning of a text.
fn end_of_quoted(quote: char, text: &str) -> Option<usize> {
    let first = Lexer::new(text).next().filter(|token| matches!(token.kind, TokenKind::Name | TokenKind::Text))?;
    text.starts_with(quote).then_some(first.end)
}

/// The content of a text that is one quoted text.
fn unquoted(quote: char, text: &str) -> Option<String> {
    (end_of_quoted(quote, text) == Some(text.len())).then(|| lexer::unquoted(text))
}

/// Whether all parentheses outside quotes, and all quotes, are closed.
fn is_balanced(text: &str) -> bool {
    let mut open = 0_usize;
    for token in tokens(text) {
        match token.of(text) {
            _ if token.kind == TokenKind::Unended => return false,
            "(" => open += 1,
            ")" => match open.checked_sub(1) {
                Some(less) => open = less,
                None => return false,
            },
            _ => {}
        }
    }
    open == 0
}
