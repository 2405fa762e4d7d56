//! The known name that a mistyped one was probably meant to be, for "did you mean" hints.
//!
//! Bounded: long names, which nobody mistypes, are not compared.

/// Longer names are typos of nothing.
const LONGEST: usize = 64;

/// The candidate that differs least from `name`, if it differs in a third of its letters at most.
pub(crate) fn nearest<'n>(
    name: &str,
    candidates: impl IntoIterator<Item = &'n str>,
) -> Option<&'n str> {
    let letters: Vec<char> = name.chars().take(LONGEST + 1).collect();
    if letters.len() > LONGEST {
        return None;
    }
    let allowed = (letters.len() / 3).max(1);
    let distances = candidates
        .into_iter()
        .map(|known| (distance(&letters, known), known));
    let (steps, known) = distances.min_by_key(|(steps, _)| *steps)?;
    (steps <= allowed && steps < letters.len()).then_some(known)
}

/// How many letters must be put in, taken out or replaced; upper and lower case are alike.
fn distance(name: &[char], known: &str) -> usize {
    let mut row: Vec<usize> = (0..=name.len()).collect();
    for (line, other) in known.chars().enumerate() {
        let mut above_left = line;
        let mut left = line + 1;
        for (cell, letter) in row.iter_mut().skip(1).zip(name) {
            let replaced = above_left + usize::from(!letter.eq_ignore_ascii_case(&other));
            above_left = *cell;
            left = replaced.min(left + 1).min(*cell + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typos_find_their_name_and_other_words_none() {
        let known = ["storage", "systemd", "passwd", "size_mib", "overwrite"];
        let find = |name| nearest(name, known);
        assert_eq!(find("storge"), Some("storage"));
        assert_eq!(find("Systemd"), Some("systemd"));
        assert_eq!(find("sizeMiB"), Some("size_mib"));
        assert_eq!(find("passwod"), Some("passwd"));
        assert_eq!(find("x"), None);
        assert_eq!(find("network"), None);
        assert_eq!(find(&"s".repeat(100_000)), None);
    }
}
