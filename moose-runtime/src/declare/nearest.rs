//! Finds the column whose name is nearest to a mistyped one, in const code.
#![expect(clippy::indexing_slicing, reason = "const code has no iterators, and an index past the end fails to compile")]

use super::columns::Columns;

/// Maximum length of names that are compared; for longer ones nothing is suggested.
const LONGEST: usize = 64;

/// Finds a name to suggest.
pub(super) struct Nearest;

impl Nearest {
    /// The column to suggest for `wrong`, if one is near enough.
    pub(super) const fn among<'a>(wrong: &[u8], columns: Columns<'a>) -> Option<&'a str> {
        let mut best = None;
        let mut least = usize::MAX;
        let mut place = 0;
        while place < columns.count() {
            let name = columns.at(place).0;
            let distance = distance(wrong, name.as_bytes());
            if distance < least && distance <= 1 + name.len() / 4 {
                least = distance;
                best = Some(name);
            }
            place += 1;
        }
        best
    }
}

/// Edit distance between two names, ignoring case.
const fn distance(left: &[u8], right: &[u8]) -> usize {
    if left.len() > LONGEST || right.len() > LONGEST {
        return usize::MAX;
    }
    let mut last = [0_usize; LONGEST + 1];
    let mut place = 0;
    while place <= right.len() {
        last[place] = place;
        place += 1;
    }
    let mut row = 0;
    while row < left.len() {
        let mut diagonal = last[0];
        last[0] = row + 1;
        let mut column = 0;
        while column < right.len() {
            let replaced = diagonal + !same(left[row], right[column]) as usize;
            diagonal = last[column + 1];
            last[column + 1] = least(replaced, least(diagonal, last[column]) + 1);
            column += 1;
        }
        row += 1;
    }
    last[right.len()]
}

const fn same(left: u8, right: u8) -> bool {
    left.eq_ignore_ascii_case(&right)
}

const fn least(left: usize, right: usize) -> usize {
    if left < right { left } else { right }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_mistake_finds_its_column_and_another_word_none() {
        let columns = Columns::Named(&[("userId", None), ("timestamp", None), ("id", None)]);
        for (wrong, meant) in [
            ("timestmp", Some("timestamp")),
            ("user_id", Some("userId")),
            ("USERID", Some("userId")),
            ("ip", Some("id")),
            ("price", None),
        ] {
            assert_eq!(Nearest::among(wrong.as_bytes(), columns), meant, "{wrong}");
        }
    }
}
