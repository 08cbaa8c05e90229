//! Does a history show anything? One in which nobody looked contradicts nothing, whatever was lost.

use crate::history::History;
use crate::history::pair::OpCounts;

/// A function that was asked at least this often should have succeeded once: less may be bad luck.
const ASKED_MIN: u64 = 50;

/// Why a history that contradicts nothing shows too little to be called valid, if so: none of the functions
/// that `look` ever succeeded, or one that was asked again and again never did. With no function
/// that looks every history shows enough. Counts are those of each function.
pub(crate) fn too_little(history: &History, counts: &[OpCounts], look: &[&str]) -> Option<String> {
    let names = history.functions().iter().map(|name| &**name);
    let counts: Vec<(&str, OpCounts)> = names.zip(counts.iter().copied()).collect();
    let looked = |(f, counts): &(&str, OpCounts)| look.contains(f) && counts.ok > 0;
    if look.is_empty() {
        return None;
    }
    if !counts.iter().any(looked) {
        let updates: u64 = counts.iter().map(|(_, counts)| counts.ok).sum();
        return Some(format!(
            "{updates} acknowledged updates and not one successful read, so nothing shows that they are there"
        ));
    }
    let mut in_vain: Vec<_> =
        counts.into_iter().filter(|(_, counts)| counts.invoked >= ASKED_MIN && counts.ok == 0).collect();
    in_vain.sort_unstable_by_key(|(f, _)| *f);
    in_vain.first().map(|(f, counts)| {
        format!("none of the {} operations {f} succeeded, so nothing is shown about them", counts.invoked)
    })
}
