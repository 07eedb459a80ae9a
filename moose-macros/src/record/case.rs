//! The cases of `#[serde(rename_all)]`, applied to the name of a field or variant as serde does.

/// The values of `rename_all`.
pub(super) const CASES: [&str; 8] = [
    "lowercase",
    "UPPERCASE",
    "PascalCase",
    "camelCase",
    "snake_case",
    "SCREAMING_SNAKE_CASE",
    "kebab-case",
    "SCREAMING-KEBAB-CASE",
];

/// A case of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Lower,
    Upper,
    Pascal,
    Camel,
    Snake,
    UpperSnake,
    Kebab,
    UpperKebab,
}

impl Case {
    /// The case with this name in serde.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "lowercase" => Self::Lower,
            "UPPERCASE" => Self::Upper,
            "PascalCase" => Self::Pascal,
            "camelCase" => Self::Camel,
            "snake_case" => Self::Snake,
            "SCREAMING_SNAKE_CASE" => Self::UpperSnake,
            "kebab-case" => Self::Kebab,
            "SCREAMING-KEBAB-CASE" => Self::UpperKebab,
            _ => return None,
        })
    }

    /// The name of a field, given in snake case.
    pub(super) fn apply(self, field: &str) -> String {
        match self {
            // To serde, field names are in this case already.
            Self::Lower | Self::Snake => field.to_owned(),
            Self::Upper | Self::UpperSnake => field.to_ascii_uppercase(),
            Self::Pascal => pascal(field),
            Self::Camel => with_small_first(&pascal(field)),
            Self::Kebab => field.replace('_', "-"),
            Self::UpperKebab => field.to_ascii_uppercase().replace('_', "-"),
        }
    }

    /// The name of a variant, given in Pascal case.
    pub(super) fn apply_to_variant(self, variant: &str) -> String {
        match self {
            Self::Lower => variant.to_ascii_lowercase(),
            Self::Upper => variant.to_ascii_uppercase(),
            Self::Pascal => variant.to_owned(),
            Self::Camel => with_small_first(variant),
            Self::Snake => snake(variant),
            Self::UpperSnake => snake(variant).to_ascii_uppercase(),
            Self::Kebab => snake(variant).replace('_', "-"),
            Self::UpperKebab => snake(variant).to_ascii_uppercase().replace('_', "-"),
        }
    }
}

fn with_small_first(name: &str) -> String {
    let mut characters = name.chars();
    let first = characters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(characters).collect()
}

fn snake(variant: &str) -> String {
    let mut name = String::new();
    for (place, character) in variant.char_indices() {
        if place > 0 && character.is_uppercase() {
            name.push('_');
        }
        name.push(character.to_ascii_lowercase());
    }
    name
}

fn pascal(field: &str) -> String {
    let mut name = String::new();
    let mut capitalize = true;
    for character in field.chars() {
        if character == '_' {
            capitalize = true;
        } else if std::mem::take(&mut capitalize) {
            name.push(character.to_ascii_uppercase());
        } else {
            name.push(character);
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_of_serde_is_applied() {
        let names: Vec<String> = CASES.iter().map(|case| Case::named(case).unwrap().apply("user_id")).collect();
        let expected = ["user_id", "USER_ID", "UserId", "userId", "user_id", "USER_ID", "user-id", "USER-ID"];
        assert_eq!(names, expected);
    }

    #[test]
    fn every_case_of_serde_is_applied_to_variants() {
        let names: Vec<String> =
            CASES.iter().map(|case| Case::named(case).unwrap().apply_to_variant("UserId2")).collect();
        let expected = ["userid2", "USERID2", "UserId2", "userId2", "user_id2", "USER_ID2", "user-id2", "USER-ID2"];
        assert_eq!(names, expected);
    }
}
