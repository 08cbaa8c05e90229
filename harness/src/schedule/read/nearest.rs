//! Which of the words that there are was meant.

/// The word that is nearest to what was written, if any is near: at most a third of its letters are
/// wrong, missing, too many, or swapped with their neighbour.
pub(super) fn nearest<'a>(written: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written: Vec<char> = written.to_lowercase().replace('_', "-").chars().take(64).collect();
    let distances =
        words.into_iter().map(|word| (distance(&written, &word.chars().collect::<Vec<_>>()), word));
    let (distance, word) = distances.min_by_key(|&(distance, _)| distance)?;
    (distance <= (word.chars().count() / 3).max(1)).then_some(word)
}

/// How many letters must be changed, added, removed or swapped with their neighbour.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for (i, letter) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, other) in b.iter().enumerate() {
            let change = rows[i][j] + usize::from(letter != other);
            let mut best = change.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *letter == b[j - 1] && a[i - 1] == *other {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_finger_are_understood_and_other_words_are_not() {
        let words = ["target", "guard", "keep-quorum", "n", "one-way"];
        for (written, meant) in [
            ("tagret", Some("target")),
            ("Target", Some("target")),
            ("gaurd", Some("guard")),
            ("keep_quorum", Some("keep-quorum")),
            ("keepquorum", Some("keep-quorum")),
            ("oneway", Some("one-way")),
            ("disk", None),
            ("", Some("n")),
        ] {
            assert_eq!(nearest(written, words), meant, "{written}");
        }
        assert_eq!(nearest("x", []), None);
    }

    #[test]
    fn a_swap_of_neighbours_is_one_slip() {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        assert_eq!(distance(&chars("ab"), &chars("ba")), 1);
        assert_eq!(distance(&chars("kitten"), &chars("sitting")), 3);
        assert_eq!(distance(&chars(""), &chars("abc")), 3);
    }
}
