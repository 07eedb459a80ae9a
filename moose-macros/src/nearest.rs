//! The allowed name that is nearest to a mistyped one.

/// Minimum length of a mistyped name that is completed to an allowed one.
const BEGINNING: usize = 4;

/// The name to suggest for `wrong`, if one is near enough.
pub(crate) fn nearest<'a>(wrong: &str, allowed: &[&'a str]) -> Option<&'a str> {
    let plain = |name: &str| name.to_lowercase().replace(['_', '-'], "");
    let wrong = plain(wrong);
    let near = allowed
        .iter()
        .map(|name| (distance(&wrong, &plain(name)), *name))
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name);
    // Or a name that begins with the mistyped one.
    near.or_else(|| allowed.iter().find(|name| wrong.len() >= BEGINNING && plain(name).starts_with(&wrong)).copied())
}

/// Edit distance: insertions, deletions, replacements, and swaps of neighbours.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    let mut previous = None;
    for (row, character) in left.chars().enumerate() {
        let mut current = vec![row + 1];
        for (column, other) in right.iter().enumerate() {
            let at = |line: &[usize], place: usize| line.get(place).copied().unwrap_or(usize::MAX - 1);
            let replaced = at(&last, column) + usize::from(character != *other);
            let mut best = replaced.min(at(&last, column + 1) + 1).min(at(&current, column) + 1);
            let swapped =
                column.checked_sub(1).filter(|left| previous == Some(*other) && right.get(*left) == Some(&character));
            if let Some(column) = swapped {
                best = best.min(at(&before_last, column) + 1);
            }
            current.push(best);
        }
        before_last = std::mem::replace(&mut last, current);
        previous = Some(character);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_mistake_finds_its_name() {
        let allowed = ["low_cardinality", "precision", "codec", "rename"];
        for (wrong, meant) in [
            ("lowcardinality", Some("low_cardinality")),
            ("low_cardinalty", Some("low_cardinality")),
            ("percision", Some("precision")),
            ("codce", Some("codec")),
            ("renamed", Some("rename")),
            ("low_card", Some("low_cardinality")),
            ("low", None),
            ("primary_key", None),
        ] {
            assert_eq!(nearest(wrong, &allowed), meant, "{wrong}");
        }
    }
}
