//! Delta debugging (Zeller and Hildebrandt, 2002): the smallest part of a list that still does it.

/// The smallest part found for which `does_it` holds, given that it holds for all of `items`: without
/// any one of its members it does not. `None` as soon as `does_it` gives none.
pub(super) fn minimise<T: Clone>(
    items: Vec<T>,
    mut does_it: impl FnMut(&[T]) -> Option<bool>,
) -> Option<Vec<T>> {
    let mut kept = items;
    let mut parts = 2;
    while kept.len() >= 2 {
        let size = kept.len().div_ceil(parts);
        let mut smaller = None;
        // First the parts alone, which saves most; then all but one part.
        for part in kept.chunks(size) {
            if part.len() < kept.len() && does_it(part)? {
                smaller = Some((part.to_vec(), 2));
                break;
            }
        }
        if smaller.is_none() && parts > 2 {
            for start in (0..kept.len()).step_by(size) {
                let without: Vec<T> = kept
                    .iter()
                    .enumerate()
                    .filter(|(at, _)| !(start..start + size).contains(at))
                    .map(|(_, item)| item.clone())
                    .collect();
                if !without.is_empty() && does_it(&without)? {
                    smaller = Some((without, (parts - 1).max(2)));
                    break;
                }
            }
        }
        match smaller {
            Some((fewer, next)) => (kept, parts) = (fewer, next),
            None if parts >= kept.len() => break,
            None => parts = (parts * 2).min(kept.len()),
        }
    }
    if kept.len() == 1 && does_it(&[])? {
        kept.clear();
    }
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_finds_exactly_what_matters(all in 1_usize..40, seed: u64) {
            let matters: Vec<usize> = (0..all).filter(|at| seed >> (at % 64) & 7 == 3).collect();
            let mut asked = 0;
            let found = minimise((0..all).collect(), |part| {
                asked += 1;
                Some(matters.iter().all(|at| part.contains(at)))
            });
            prop_assert_eq!(found, Some(matters));
            prop_assert!(asked <= 4 * all * all + 8, "{} questions about {}", asked, all);
        }
    }

    #[test]
    fn whoever_loses_patience_stops_it() {
        assert_eq!(minimise(vec![1, 2, 3], |_| None), None);
    }
}
