//! Checks whether ClickHouse's `JSON` type stores an object unchanged.
//!
//! The names of nested objects, joined by dots, are a value's path, and a path has one value. An integer has 64 bits.
//! An array has one type: booleans beside numbers would become numbers, and integers beside fractions floats.

use std::collections::HashSet;

use super::{ErrorCode, Findings, Node, Place, Problem, json::Number};

/// Maximum nesting depth of an object, as in the record parser.
const DEEPEST: usize = 127;

/// The typed paths of a column.
pub(super) trait TypedPaths {
    /// Finds all errors in the value of a path, if the path has a type.
    fn explain(path: &str, value: Node<'_>, place: &Place<'_>, findings: &mut Findings) -> bool;
}

/// All errors in a value that should be an object.
pub(super) fn explain<T: TypedPaths>(value: Node<'_>, place: &Place<'_>, findings: &mut Findings) {
    if value.is_object() {
        object::<T>(value, place, "", &mut Paths::default(), 0, findings);
    } else {
        findings.push_wrong_type(place, "an object", value);
    }
}

/// The paths seen so far.
#[derive(Default)]
struct Paths {
    values: HashSet<String>,
    /// Their parent paths.
    above: HashSet<String>,
}

impl Paths {
    /// Adds a path; returns false if it, or a parent of it, already has a value.
    fn insert(&mut self, path: &str) -> bool {
        let mut is_new = !self.above.contains(path) && !self.values.contains(path);
        for (dot, _) in path.match_indices('.') {
            if let Some(above) = path.get(..dot) {
                is_new &= !self.values.contains(above);
                self.above.insert(above.to_owned());
            }
        }
        self.values.insert(path.to_owned());
        is_new
    }
}

fn object<T: TypedPaths>(
    value: Node<'_>,
    place: &Place<'_>,
    path: &str,
    paths: &mut Paths,
    depth: usize,
    findings: &mut Findings,
) {
    if depth > DEEPEST {
        findings.push(place, Problem::new(ErrorCode::TooDeep, format!("nested deeper than {DEEPEST} levels")));
        return;
    }
    let mut names = HashSet::new();
    value.for_each_field(|name, value| {
        if findings.is_full() {
            return;
        }
        let place = place.field(name);
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        let is_typed = T::explain(&path, value, &place, findings);
        let is_new = names.insert(name.to_owned());
        if !is_new || ((is_typed || !(value.is_object() || value.is_null())) && !paths.insert(&path)) {
            let message = "this path is there more than once; a dot in a name is a level";
            findings.push(&place, Problem::new(ErrorCode::DuplicateField, message));
        } else if is_typed {
        } else if value.is_object() {
            object::<T>(value, &place, &path, paths, depth + 1, findings);
        } else {
            other::<T>(value, &place, depth + 1, findings);
        }
    });
}

fn other<T: TypedPaths>(value: Node<'_>, place: &Place<'_>, depth: usize, findings: &mut Findings) {
    if depth > DEEPEST {
        findings.push(place, Problem::new(ErrorCode::TooDeep, format!("nested deeper than {DEEPEST} levels")));
    } else if value.is_array() {
        let mut kinds = Vec::new();
        array::<T>(value, place, depth, &mut kinds, findings);
        if let Some(mixed) = kinds.into_iter().find_map(Kinds::mixed) {
            findings.push(place, Problem::new(ErrorCode::InvalidValue, mixed));
        }
    } else if let Some(number) = value.as_number() {
        let is_whole = !value.text().contains(['.', 'e', 'E']);
        let fits = match number {
            Number::Unsigned(_) | Number::Signed(_) => true,
            Number::Float(number) => number.is_finite() && !is_whole,
        };
        if !fits {
            let message = "out of range: an integer of `JSON` has 64 bits, and any other number is a 64-bit float";
            findings.push(place, Problem::new(ErrorCode::OutOfRange, message));
        }
    }
}

/// The kinds of values at one depth of an array, as bits.
#[derive(Clone, Copy, Default)]
struct Kinds(u8);

impl Kinds {
    const BOOLEANS: u8 = 1;
    const NUMBERS: u8 = 2;
    const FRACTIONS: u8 = 4;
    /// Integers that no float represents exactly.
    const EXACT: u8 = 8;

    fn note(&mut self, element: Node<'_>) {
        let exact = |magnitude: u64| if magnitude > 1 << 53 { Self::EXACT } else { 0 };
        self.0 |= match element.as_number() {
            Some(Number::Float(_)) => Self::NUMBERS | Self::FRACTIONS,
            Some(Number::Unsigned(number)) => Self::NUMBERS | exact(number),
            Some(Number::Signed(number)) => Self::NUMBERS | exact(number.unsigned_abs()),
            None if element.is_boolean() => Self::BOOLEANS,
            None => 0,
        };
    }

    fn mixed(self) -> Option<&'static str> {
        let holds = |kinds: u8| self.0 & kinds == kinds;
        if holds(Self::BOOLEANS | Self::NUMBERS) {
            return Some("an array of booleans and numbers: ClickHouse would store the booleans as numbers");
        }
        holds(Self::FRACTIONS | Self::EXACT)
            .then_some("an array of fractions and of integers that no float holds: ClickHouse would round those")
    }
}

fn array<T: TypedPaths>(
    value: Node<'_>,
    place: &Place<'_>,
    depth: usize,
    kinds: &mut Vec<Kinds>,
    findings: &mut Findings,
) {
    let level = kinds.len();
    kinds.push(Kinds::default());
    let mut inner = Vec::new();
    value.for_each_element(|index, element| {
        if findings.is_full() {
            return;
        }
        let place = place.element(index);
        if element.is_array() && depth < DEEPEST {
            let mut found = Vec::new();
            array::<T>(element, &place, depth + 1, &mut found, findings);
            merge(&mut inner, &found);
        } else if element.is_object() {
            object::<NoPaths>(element, &place, "", &mut Paths::default(), depth + 1, findings);
        } else {
            other::<T>(element, &place, depth + 1, findings);
            if let Some(kinds) = kinds.get_mut(level) {
                kinds.note(element);
            }
        }
    });
    kinds.extend(inner);
}

/// Merges the kinds at the same depths.
fn merge(into: &mut Vec<Kinds>, found: &[Kinds]) {
    into.resize(into.len().max(found.len()), Kinds::default());
    for (into, found) in into.iter_mut().zip(found) {
        into.0 |= found.0;
    }
}

/// Objects in arrays have no typed paths.
struct NoPaths;

impl TypedPaths for NoPaths {
    fn explain(_: &str, _: Node<'_>, _: &Place<'_>, _: &mut Findings) -> bool {
        false
    }
}
