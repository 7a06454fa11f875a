//! The nearest of several names to a misspelt one, for a message.
//!
//! Case, hyphens and underscores do not count: `lookupKey` is `lookup_key`. Other differences are counted
//! as characters to insert, remove or replace (Levenshtein).

/// The maximum length of a name that is compared, in bytes: the work grows with its square.
const MAX_LEN: usize = 64;

/// The candidate that is most likely meant by `name`; `None` if none of them is near.
pub(super) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let mut best = None;
    for candidate in candidates {
        let Some(distance) = near_distance(name, candidate) else { continue };
        if best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// How many characters differ; `None` if too many do for a misspelling: a third of the shorter name, and
/// three at most.
pub(super) fn near_distance(name: &str, candidate: &str) -> Option<usize> {
    if name.len() > MAX_LEN || candidate.len() > MAX_LEN {
        return None;
    }
    let (name, candidate) = (normalize(name), normalize(candidate));
    let allowed = (name.len().min(candidate.len()) / 3).clamp(1, 3);
    // Two names of a character each are always one apart.
    if name.len().min(candidate.len()) < 2 {
        return (name == candidate).then_some(0);
    }
    let distance = levenshtein(&name, &candidate);
    (distance <= allowed).then_some(distance)
}

fn normalize(name: &str) -> Vec<char> {
    let significant = name.chars().filter(|c| !matches!(c, '_' | '-'));
    significant.map(|c| c.to_ascii_lowercase()).collect()
}

/// <https://en.wikipedia.org/wiki/Levenshtein_distance#Iterative_with_two_matrix_rows>, with one row.
fn levenshtein(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (index, x) in a.iter().enumerate() {
        let mut diagonal = index;
        let mut left = index + 1;
        let mut cells = row.iter_mut();
        if let Some(first) = cells.next() {
            *first = left;
        }
        for (cell, y) in cells.zip(b) {
            let replaced = diagonal + usize::from(x != y);
            diagonal = *cell;
            left = replaced.min(left + 1).min(*cell + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    /// The distances are from Python's `rapidfuzz.distance.Levenshtein`.
    #[test]
    fn distances_are_those_of_levenshtein() {
        for (a, b, distance) in [
            ("", "", 0),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("saturday", "sunday", 3),
            ("feature", "feature", 0),
            ("faeture", "feature", 2),
        ] {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            assert_eq!(levenshtein(&chars(a), &chars(b)), distance, "{a} {b}");
            assert_eq!(levenshtein(&chars(b), &chars(a)), distance, "{b} {a}");
        }
    }

    #[test]
    fn a_misspelling_is_near_and_another_word_is_not() {
        let names = ["customer", "feature", "at_least", "fresh", "id"];
        for (name, expected) in [
            ("custmer", Some("customer")),
            ("customer_id", Some("customer")),
            ("Customer", Some("customer")),
            ("features", Some("feature")),
            ("atLeast", Some("at_least")),
            ("at-least", Some("at_least")),
            ("frehs", None),
            ("frsh", Some("fresh")),
            ("ids", Some("id")),
            ("color", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, names), expected, "{name}");
        }
        let (longest, too_long) = ("f".repeat(64), "f".repeat(65));
        assert_eq!(nearest(&longest, [longest.as_str()]), Some(longest.as_str()));
        assert_eq!(nearest(&too_long, [too_long.as_str()]), None);
    }
}
