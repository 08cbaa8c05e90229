//! All registers of a history at once: the verdict, straight from its columns.
//!
//! What [`Zones`](super::Zones) does for one key, done for all keys in one pass over the history: no calls are
//! joined, nothing is split by key, and every position stays that of the history. It pays where every value of
//! every key is written once; at anything else it gives up at once, and all that is not plain (a call that
//! breaks a rule, an answer that contradicts its question, late knowledge, a failed compare-and-set that says
//! something) is left to those who look at it one by one.

use super::super::register_op::ValueId as Number;
use super::clusters::{Block, Clusters, NUMBERS_MAX, READS, WRITER};
use super::collide::Noted;
use super::condition::Condition;
use super::told::{Listener, Told};
use crate::history::History;
use crate::history::ended::{Ended, each_ended};
use crate::history::pair::{OpCounts, Outcome};
use crate::history::values::ValueId;
use crate::linearizability::condition::holds;
use crate::linearizability::hand_over::handed_over;
use crate::linearizability::register_decode::{Meaning, Said};
use crate::model::{CasRegister, Model};

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AtOnce {
    pub(crate) is_valid: bool,
    pub(crate) keys: u64,
    /// For each function of the history.
    pub(crate) counts: Vec<OpCounts>,
}

impl AtOnce {
    /// How many operations came to what.
    pub(crate) fn ops(&self) -> OpCounts {
        self.counts.iter().copied().sum()
    }
}

/// Judges every key; nothing if this is none of its kind, or if nothing was asked.
pub(crate) fn at_once(history: &History, model: &CasRegister) -> Option<AtOnce> {
    let threads = match is_worth_two_threads(history) {
        false => 1,
        true => std::thread::available_parallelism().map_or(1, usize::from),
    };
    at_once_on(threads, history, model)
}

/// Handing calls to a second thread costs more than it saves in shorter histories.
const EVENTS_FOR_TWO_THREADS_MIN: usize = 1 << 17;

/// Of registers that are only read and written there is so little to write down that it takes no longer than handing
/// it over does.
fn is_worth_two_threads(history: &History) -> bool {
    history.len() >= EVENTS_FOR_TWO_THREADS_MIN && !history.values().are_mostly_plain()
}

/// The same on one thread, or on two if there may be more.
pub(crate) fn at_once_on(threads: usize, history: &History, model: &CasRegister) -> Option<AtOnce> {
    let with = |places: Places| {
        let mut registers = Registers::new(history, model, places);
        let counts = if threads > 1 { registers.read_on_two() } else { registers.read() };
        (counts, registers)
    };
    let values = history.values().len();
    let own = if history.has_keys() {
        with(Places::Own { key: vec![0; values] })
    } else {
        with(Places::rows(history))
    };
    let (counts, registers) = if own.1.telling.keys_share { with(Places::rows(history)) } else { own };
    let (keys, counts) = (registers.telling.initial.len() as u64, counts?);
    let asked = counts.iter().any(|counts| counts.invoked > 0);
    asked.then(|| AtOnce { is_valid: registers.are_valid(), keys, counts })
}

/// A cluster for every value of every key.
struct Registers<'h> {
    telling: Telling<'h>,
    clusters: Clusters,
}

/// What the calls of a history say of which clusters.
struct Telling<'h> {
    history: &'h History,
    meaning: Meaning<'h>,
    /// The initial value, if it is in the history.
    initial_value: Option<ValueId>,
    places: Places,
    /// Whether a value is of two keys where none should be.
    keys_share: bool,
    /// One more than the number of each key that was seen.
    numbers: Vec<u32>,
    /// For each key where the cluster of its initial value is.
    initial: Vec<Number>,
}

/// Which cluster is that of a value.
enum Places {
    /// The one of its id: no value is of two keys. Initial values come behind.
    Own {
        /// For each value one more than the number of its key.
        key: Vec<u32>,
    },
    /// Every key has a row of clusters, so long that all values have a place, the initial one the last.
    Rows { length: u32, clusters_max: usize },
}

/// How many clusters there may be for a call.
const CLUSTERS_PER_CALL_MAX: usize = 2;
/// So many more cost nothing.
const CLUSTERS_ALWAYS: usize = 1 << 10;

impl Places {
    fn rows(history: &History) -> Self {
        let (values, calls) = (history.values().len(), history.len() / 2);
        let most = values + CLUSTERS_ALWAYS + CLUSTERS_PER_CALL_MAX * calls;
        let clusters_max = most.min(NUMBERS_MAX);
        Places::Rows { length: values as u32 + 1, clusters_max }
    }
}

impl<'h> Registers<'h> {
    fn new(history: &'h History, model: &CasRegister, places: Places) -> Self {
        let values = history.values().len();
        let room = match places {
            Places::Rows { length, .. } => length as usize,
            Places::Own { .. } => values + CLUSTERS_ALWAYS,
        };
        let telling = Telling {
            history,
            meaning: Meaning::new(history, model),
            initial_value: history.values().find(&model.initial()),
            places,
            keys_share: false,
            numbers: if history.has_keys() { vec![0; values] } else { Vec::new() },
            initial: Vec::new(),
        };
        Self { telling, clusters: Clusters::without_initial(room) }
    }

    /// Takes all calls. Counts them; nothing if some call is none of those that are decided here.
    fn read(&mut self) -> Option<Vec<OpCounts>> {
        let Self { telling, clusters } = self;
        telling.each(clusters)
    }

    /// The same on two threads: this one joins the calls and finds out what they say and where, another one
    /// writes it down, which is mostly waiting for memory.
    fn read_on_two(&mut self) -> Option<Vec<OpCounts>> {
        let Self { telling, clusters } = self;
        let (counts, all_taken) = handed_over(
            |batches| telling.each(batches),
            |batch: &[Told]| batch.iter().all(|told| told.again(clusters)),
        );
        counts.filter(|_| all_taken)
    }

    /// Whether no key is in the way of an order.
    fn are_valid(mut self) -> bool {
        let telling = &self.telling;
        let mut noted = Noted::new(telling.history.len() as u32);
        if !telling.history.has_keys() {
            return self.clusters.join_and_walk(|block| noted.note(block)).is_ok() && !noted.has_collision();
        }
        let mut reach = vec![0; telling.initial.len()];
        let first = match &telling.places {
            Places::Own { key } => (key.len() as u32, 1),
            Places::Rows { length, .. } => (0, *length),
        };
        let walked = self.clusters.join_and_walk(|block: Block| match block.end {
            // All of these are at one position.
            0 if holds(Condition::InitialByKey) => {
                reach[((block.head - first.0) / first.1) as usize] = block.start;
            }
            _ => noted.note(block),
        });
        let key_of = |position: u32| {
            let key = telling.history.key_id(position as usize - 1);
            key.map_or(0, |key| telling.numbers[key.index()] as usize - 1)
        };
        walked.is_ok() && !noted.collides(reach, key_of)
    }
}

impl Telling<'_> {
    /// Tells of every call, as long as more is wanted. Counts them; nothing if some call is none of those that are
    /// decided here, or no more was wanted.
    #[inline(always)]
    fn each(&mut self, listener: &mut impl Listener) -> Option<Vec<OpCounts>> {
        let history = self.history;
        if !history.has_keys() {
            self.new_key(listener)?;
        }
        each_ended(history, |call| self.tell(call, listener) == Some(true))
    }

    /// Nothing or false if it is none of those that are decided here, or no more is wanted.
    #[inline(always)]
    fn tell(&mut self, call: &Ended, listener: &mut impl Listener) -> Option<bool> {
        let Ended { start, end, f, op_type, key, asked, answered } = *call;
        let key = self.key(key, listener)?;
        Some(match self.meaning.of(f, Outcome::after(op_type), asked, answered).ok()? {
            Said::Nothing => true,
            Said::Value { seen, value } => {
                let value = self.place(key, value)?;
                listener.touched(value, if seen { READS } else { WRITER }, start, end)
            }
            Said::Swapped(old, new) => {
                let (found, left) = (self.place(key, old)?, self.place(key, new)?);
                listener.swapped(found, left, start, end)
            }
            Said::NotThere(_) => return None,
        })
    }

    #[inline]
    fn key(&mut self, key: ValueId, listener: &mut impl Listener) -> Option<usize> {
        match self.numbers.get(key.index()) {
            None if self.numbers.is_empty() => Some(0),
            None => None,
            Some(0) => {
                let number = self.new_key(listener)?;
                self.numbers[key.index()] = number as u32 + 1;
                Some(number)
            }
            Some(number) => Some(*number as usize - 1),
        }
    }

    /// Makes room for a key; nothing if that takes too much.
    #[cold]
    fn new_key(&mut self, listener: &mut impl Listener) -> Option<usize> {
        let number = self.initial.len();
        let initial = match &self.places {
            Places::Own { key } => key.len() + number,
            Places::Rows { length, clusters_max } => {
                let first = number * *length as usize;
                if first + *length as usize > *clusters_max {
                    return None;
                }
                first + self.initial_value.map_or(*length as usize - 1, ValueId::index)
            }
        };
        self.initial.push(initial as Number);
        listener.there_at_first(initial as Number).then_some(number)
    }

    /// Where the cluster of a key's value is.
    #[inline]
    fn place(&mut self, number: usize, value: ValueId) -> Option<Number> {
        match &mut self.places {
            Places::Rows { length, .. } => Some(number as u32 * *length + value.0),
            Places::Own { .. } if Some(value) == self.initial_value => Some(self.initial[number]),
            Places::Own { key } => {
                let key = &mut key[value.index()];
                if *key == 0 {
                    *key = number as u32 + 1;
                }
                self.keys_share |= *key != number as u32 + 1;
                (!self.keys_share).then_some(value.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::{Object, Plan, Spoil, simulate};
    use crate::{History, Op, OpType, Process, Value};

    #[test]
    fn a_history_without_calls_is_not_judged_at_once() {
        let model = CasRegister::default();
        let nemesis = Op::new(0, 0, OpType::Info, Process::Nemesis, "kill", Value::Nil);
        for ops in [Vec::new(), vec![nemesis]] {
            assert!(at_once(&History::new(ops), &model).is_none());
        }
    }

    #[test]
    fn two_threads_say_what_one_says() {
        let plan = Plan { operations: 30_000, ..Plan::of(Object::UniqueCas) };
        for (keys, spoil) in [(1, None), (7, None), (1, Some(Spoil::Stale)), (7, Some(Spoil::Stale))] {
            let simulated = simulate(&Plan { keys, spoil, ..plan });
            assert_eq!(simulated.spoiled_at.is_some(), spoil.is_some());
            let mut ops = simulated.history.into_ops();
            let model = CasRegister::default();
            let on = |threads, ops: &[Op]| at_once_on(threads, &ops.iter().cloned().collect(), &model);
            assert_eq!(on(1, &ops).map(|found| found.is_valid), Some(spoil.is_none()), "{keys}");
            assert_eq!(on(1, &ops), on(2, &ops), "{keys} {spoil:?}");
            // A value that is written twice is refused by whoever gets the batch that it is in.
            let writes = |op: &&mut Op| op.f == "write";
            let written: Vec<&mut Op> = ops.iter_mut().filter(writes).collect();
            let value = written[10].value.clone();
            written.into_iter().skip(10).for_each(|op| op.value = value.clone());
            assert_eq!(on(2, &ops), None);
        }
    }

    #[test]
    fn a_long_history_of_unique_values_is() {
        let plan = Plan { operations: 3_000, keys: 7, ..Plan::of(Object::UniqueCas) };
        let found = at_once(&simulate(&plan).history, &CasRegister::default());
        assert!(found.is_some_and(|found| found.is_valid && found.keys == 7));
    }
}
