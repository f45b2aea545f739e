//! "Did you mean": the word that was most likely meant.

/// The candidate closest to `word`, when one is close enough to be a slip of the fingers.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    let close = |candidate: &'a str| {
        let apart = distance(&word.to_lowercase(), &candidate.to_lowercase());
        (apart <= allowed).then_some((apart, candidate))
    };
    let best = candidates.into_iter().filter_map(close).min();
    best.map(|(_, candidate)| candidate)
}

/// How many letters must be typed, left out, replaced or swapped with their neighbour.
fn distance(from: &str, to: &str) -> usize {
    // Nobody means a name of forty letters by chance, and the work is a product.
    const LONGEST: usize = 40;
    let from: Vec<char> = from.chars().take(LONGEST).collect();
    let to: Vec<char> = to.chars().take(LONGEST).collect();
    let mut older: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let replaced = last[j] + usize::from(a != b);
            let mut least = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == to[j - 1] && from[i - 1] == *b {
                least = least.min(older[j - 1] + 1);
            }
            row.push(least);
        }
        older = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_other_words_are_not() {
        let words = ["status", "startsWith", "assignees", "id"];
        assert_eq!(nearest("statsu", words), Some("status"));
        assert_eq!(nearest("startswith", words), Some("startsWith"));
        assert_eq!(nearest("assignee", words), Some("assignees"));
        assert_eq!(nearest("priority", words), None);
        assert_eq!(nearest("", words), None);
    }

    #[test]
    fn p8_a_long_word_is_no_work() {
        let long = "x".repeat(1_000_000);
        assert_eq!(nearest(&long, ["status"]), None);
    }
}
