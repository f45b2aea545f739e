//! Which lines of a text are new.

use std::{collections::HashMap, ops::Range};

/// Lines of one text, from 1, as first and last of each run; in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines(Vec<(u32, u32)>);

impl Lines {
    /// Every line of a text.
    #[must_use]
    pub fn all(text: &str) -> Self {
        match number(text.lines().count()) {
            0 => Self::default(),
            last => Self(vec![(1, last)]),
        }
    }

    /// Is the line one of them?
    #[must_use]
    pub fn has(&self, line: u32) -> bool {
        self.touch(line, line)
    }

    /// Is a line between these two, included, one of them?
    #[must_use]
    pub fn touch(&self, from: u32, to: u32) -> bool {
        let at = self.0.partition_point(|(_, last)| *last < from);
        self.0.get(at).is_some_and(|(first, _)| *first <= to)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().map(|(from, to)| u64::from(to - from) + 1).sum()
    }

    /// Each of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.iter().flat_map(|(from, to)| *from..=*to)
    }

    fn push(&mut self, from: usize, to: usize) {
        if from < to {
            self.0.push((number(from + 1), number(to)));
        }
    }
}

/// What differs between two texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Lines of the new text that the old one does not have there.
    pub added: Lines,
    /// Lines of the old text that the new one does not have there.
    pub removed: Lines,
}

/// Finds what differs. Lines that are alike at both ends are set aside; between them, lines that
/// stand exactly once in each text hold the two together, and so on between those. Never more
/// than a few passes over the texts; where nothing holds them together, all between has changed.
#[must_use]
pub fn difference(before: &str, after: &str) -> Difference {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let mut found = Difference::default();
    let mut open = vec![(0..old.len(), 0..new.len())];
    while let Some((a, b)) = open.pop() {
        let (a, b) = between_ends(&old, &new, a, b);
        let held = anchors(&old[a.clone()], &new[b.clone()]);
        if held.is_empty() {
            found.removed.push(a.start, a.end);
            found.added.push(b.start, b.end);
            continue;
        }
        // The last part lies on top last, so that the parts come in order.
        let (mut end_a, mut end_b) = (a.end, b.end);
        for (at, with) in held.into_iter().rev() {
            let (at, with) = (a.start + at, b.start + with);
            open.push((at + 1..end_a, with + 1..end_b));
            (end_a, end_b) = (at, with);
        }
        open.push((a.start..end_a, b.start..end_b));
    }
    found
}

/// What is left of both when the lines that are alike at their beginnings and ends are set aside.
fn between_ends(
    old: &[&str],
    new: &[&str],
    mut a: Range<usize>,
    mut b: Range<usize>,
) -> (Range<usize>, Range<usize>) {
    while !a.is_empty() && !b.is_empty() && old[a.start] == new[b.start] {
        a.start += 1;
        b.start += 1;
    }
    while !a.is_empty() && !b.is_empty() && old[a.end - 1] == new[b.end - 1] {
        a.end -= 1;
        b.end -= 1;
    }
    (a, b)
}

/// Lines that stand once in each part, as pairs of places that rise in both.
fn anchors(old: &[&str], new: &[&str]) -> Vec<(usize, usize)> {
    if old.is_empty() || new.is_empty() {
        return Vec::new();
    }
    let mut seen: HashMap<&str, (usize, usize, usize, usize)> = HashMap::with_capacity(old.len());
    for (at, line) in old.iter().enumerate() {
        let entry = seen.entry(line).or_default();
        entry.0 += 1;
        entry.1 = at;
    }
    for (at, line) in new.iter().enumerate() {
        if let Some(entry) = seen.get_mut(line) {
            entry.2 += 1;
            entry.3 = at;
        }
    }
    let mut pairs: Vec<(usize, usize)> = seen
        .into_values()
        .filter(|(olds, _, news, _)| *olds == 1 && *news == 1)
        .map(|(_, at, _, with)| (at, with))
        .collect();
    pairs.sort_unstable();
    longest_rise(&pairs)
}

/// The longest run of pairs whose second places rise.
fn longest_rise(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    // For each length, the pair with the smallest second place that ends a rise so long.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    for (at, (_, with)) in pairs.iter().enumerate() {
        let place = ends.partition_point(|end| pairs[*end].1 < *with);
        before.push(place.checked_sub(1).map(|place| ends[place]));
        if place == ends.len() {
            ends.push(at);
        } else {
            ends[place] = at;
        }
    }
    let mut rise = Vec::with_capacity(ends.len());
    let mut at = ends.last().copied();
    while let Some(here) = at {
        rise.push(pairs[here]);
        at = before[here];
    }
    rise.reverse();
    rise
}

fn number(line: usize) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn added(before: &str, after: &str) -> Vec<u32> {
        difference(before, after).added.iter().collect()
    }

    #[test]
    fn new_lines_are_found_and_old_ones_are_not() {
        assert_eq!(added("a\nb\nc\n", "a\nx\nb\nc\ny\n"), [2, 5]);
        assert_eq!(added("a\nb\nc\n", "a\nb\nc\n"), [] as [u32; 0]);
        assert_eq!(added("", "a\nb\n"), [1, 2]);
        assert_eq!(
            added("f()\n}\n\ng()\n}\n", "f()\n}\n\nh()\n}\n\ng()\n}\n"),
            [4, 5, 6]
        );
        let gone = difference("a\nb\nc\n", "a\nc\n").removed;
        assert_eq!(gone.iter().collect::<Vec<_>>(), [2]);
    }

    proptest! {
        #[test]
        fn what_is_not_new_was_there(before in "[abc\n]{0,60}", after in "[abc\n]{0,60}") {
            let found = difference(&before, &after);
            let kept: Vec<&str> = after.lines().zip(1..).filter(|(_, at)| !found.added.has(*at)).map(|(l, _)| l).collect();
            let stayed: Vec<&str> = before.lines().zip(1..).filter(|(_, at)| !found.removed.has(*at)).map(|(l, _)| l).collect();
            prop_assert_eq!(kept, stayed);
        }
    }
}
