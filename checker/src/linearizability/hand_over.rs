//! Two threads for one pass: this one makes things, another one takes them, in order.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// So many things are handed over in one go: a few hundred kilobytes, so that what was made is still in a cache, and
/// waking somebody up costs nothing beside it.
const BATCH: usize = 1 << 13;
/// So many batches are on their way.
const BATCHES: usize = 4;

/// What is made, on its way to the other thread.
pub(super) struct Batches<T> {
    made: Vec<T>,
    full: SyncSender<Vec<T>>,
    /// Batches that were taken, to be filled again.
    taken: Receiver<Vec<T>>,
}

impl<T> Batches<T> {
    /// One more. Whether more are wanted.
    #[inline(always)]
    pub(super) fn push(&mut self, thing: T) -> bool {
        self.made.push(thing);
        self.made.len() < BATCH || self.hand_over()
    }

    #[inline(never)]
    fn hand_over(&mut self) -> bool {
        let empty = self.taken.try_recv().unwrap_or_else(|_| Vec::with_capacity(BATCH));
        self.full.send(std::mem::replace(&mut self.made, empty)).is_ok()
    }
}

/// What making came to, and whether all was taken: once a batch is refused no more are.
pub(super) fn handed_over<T: Send, M>(
    make: impl FnOnce(&mut Batches<T>) -> M,
    mut take: impl FnMut(&[T]) -> bool + Send,
) -> (M, bool) {
    let (full, filled) = sync_channel::<Vec<T>>(BATCHES);
    let (empty, taken) = sync_channel(2 * BATCHES);
    std::thread::scope(|scope| {
        let taker = scope.spawn(move || {
            filled.into_iter().all(|mut batch| {
                let all = take(&batch);
                batch.clear();
                // Who makes them may be done.
                let _ = empty.try_send(batch);
                all
            })
        });
        let mut batches = Batches { made: Vec::with_capacity(BATCH), full, taken };
        let made = make(&mut batches);
        batches.hand_over();
        drop(batches);
        match taker.join() {
            Ok(all) => (made, all),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made_until(end: usize, stop: usize) -> (usize, bool, Vec<usize>) {
        let mut taken = Vec::new();
        let (made, all) = handed_over(
            |batches| (0..end).take_while(|thing| batches.push(*thing)).count(),
            |batch| {
                taken.extend_from_slice(batch);
                taken.len() < stop
            },
        );
        (made, all, taken)
    }

    #[test]
    fn everything_arrives_in_order() {
        for end in [0, 1, BATCH - 1, BATCH, 20 * BATCH + 7] {
            let (made, all, taken) = made_until(end, usize::MAX);
            assert!(all && made == end && taken.into_iter().eq(0..end), "{end}");
        }
    }

    #[test]
    fn what_is_refused_is_not_made_for_ever() {
        let (made, all, taken) = made_until(usize::MAX, 3 * BATCH);
        assert!(!all);
        assert_eq!(taken.len(), 3 * BATCH);
        assert!(made < 20 * BATCH, "{made}");
    }
}
