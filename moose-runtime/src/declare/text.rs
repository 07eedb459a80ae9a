//! String comparison for const code, where `==` is not available.
#![expect(clippy::indexing_slicing, reason = "const code has no iterators, and an index past the end fails to compile")]

/// Whether `name` is among `names`.
pub(super) const fn contains(names: &[&str], name: &str) -> bool {
    let mut index = 0;
    while index < names.len() {
        if equal(names[index], name) {
            return true;
        }
        index += 1;
    }
    false
}

/// `left == right`, which const code can't write for strings.
pub(super) const fn equal(left: &str, right: &str) -> bool {
    equal_bytes(left.as_bytes(), right.as_bytes())
}

pub(super) const fn equal_bytes(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut index = 0;
    while index < left.len() {
        if left[index] != right[index] {
            return false;
        }
        index += 1;
    }
    true
}

/// Whether `whole` begins with `beginning`.
pub(super) const fn is_prefix(beginning: &[&str], whole: &[&str]) -> bool {
    if beginning.len() > whole.len() {
        return false;
    }
    let mut index = 0;
    while index < beginning.len() {
        if !equal(beginning[index], whole[index]) {
            return false;
        }
        index += 1;
    }
    true
}
