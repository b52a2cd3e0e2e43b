//! Nearest known word to a mistyped one. Must not know where the words come from.

/// Most characters compared; longer words are never near.
const CHARS_MAX: usize = 64;

/// The known word nearest to `word`, when one is near enough to be meant.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    if length > CHARS_MAX {
        return None;
    }
    let allowed = (length / 3).max(1);
    known
        .into_iter()
        .filter(|k| k.chars().count() <= CHARS_MAX)
        .map(|k| (distance(word, k), k))
        .filter(|(d, _)| *d <= allowed)
        .min()
        .map(|(_, k)| k)
}

/// Edits (insert, remove, replace, swap of neighbours) between two words, without regard to case.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().flat_map(char::to_lowercase).collect();
    let b: Vec<char> = b.chars().flat_map(char::to_lowercase).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, cb) in b.iter().enumerate() {
            let cell = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX / 2);
            let mut best = (cell(&last, j) + usize::from(ca != cb)).min(cell(&last, j + 1) + 1);
            best = best.min(cell(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(cb) && b.get(j - 1) == Some(ca);
            if swapped {
                best = best.min(cell(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

/// "did you mean" and the list of valid words, for a hint.
pub(crate) fn suggest(kind: &str, word: &str, known: &[&str]) -> String {
    let list = known.join(", ");
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`? valid {kind}: {list}"),
        None if known.is_empty() => format!("there are no valid {kind} here"),
        None => format!("valid {kind}: {list}"),
    }
}
