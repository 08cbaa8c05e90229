//! The calls of a history in the order in which they end, straight from the columns.
//!
//! For whoever looks at every call once and needs no list of them. Only the plain is handed out: what breaks
//! a rule, or tells late what became of a call, is for [`History::calls`], which says what it is.

use super::op::OpType;
use super::pair::OpCounts;
use super::processes::NEMESIS;
use super::values::ValueId;
use super::{F, History, NO_KEY};

/// The end of a call whose outcome is unknown: later than everything.
pub(crate) const NEVER: u32 = u32::MAX;

/// A call, once it has ended or the history has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    /// Its end is [`NEVER`] if the outcome is unknown. Both count positions of the history from 1.
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) f: F,
    pub(crate) op_type: OpType,
    /// [`NO_KEY`] where it has none: no id of a value.
    pub(crate) key: ValueId,
    pub(crate) asked: ValueId,
    pub(crate) answered: ValueId,
}

/// What a process is doing: where it began that, from 1, or one of these.
type Doing = u32;

const IDLE: Doing = u32::MAX;
const RETIRED: Doing = u32::MAX - 1;
/// Positions are less than that, with a bit to spare for whoever keeps them.
const POSITIONS_MAX: usize = 1 << 31;

/// So many events are paired in one go. Whether one ends a call can't be predicted, so that is done without
/// branches, and what ended is looked at afterwards.
const EVENTS_PER_CHUNK: usize = 512;

/// Hands out every call as long as more are wanted. Answers, for each function, what came of its calls; nothing
/// if no more were wanted, or if there is anything that is not plain.
pub(crate) fn each_ended(
    history: &History,
    mut wants_more: impl FnMut(&Ended) -> bool,
) -> Option<Vec<OpCounts>> {
    if !history.index.is_sorted_by(|one, next| one < next) || history.op_type.len() >= POSITIONS_MAX {
        return None;
    }
    let mut doing: Vec<Doing> = vec![IDLE; history.processes.clients()];
    let mut counts = vec![[0u64; 4]; history.functions.len()];
    let mut ended = [[0; 2]; EVENTS_PER_CHUNK];
    let chunks = history.process.chunks(EVENTS_PER_CHUNK).zip(history.op_type.chunks(EVENTS_PER_CHUNK));
    for (chunk, (processes, op_types)) in chunks.enumerate() {
        let first = (chunk * EVENTS_PER_CHUNK) as u32 + 1;
        let many = pair_up(processes, op_types, first, &mut doing, &mut ended)?;
        for &[start, end] in &ended[..many] {
            let call = Ended::of(history, start, end)?;
            count(&mut counts, &call);
            if !wants_more(&call) {
                return None;
            }
        }
    }
    for start in doing.into_iter().filter(|doing| *doing < RETIRED) {
        let call = Ended { end: NEVER, op_type: OpType::Info, ..Ended::of(history, start, start)? };
        count(&mut counts, &call);
        if !wants_more(&call) {
            return None;
        }
    }
    Some(counts.into_iter().map(OpCounts::of_types).collect())
}

/// Notes start and end of what ends among these events; how many that are, or nothing if some event is not in
/// its turn.
fn pair_up(
    processes: &[u32],
    op_types: &[OpType],
    first: u32,
    doing: &mut [Doing],
    ended: &mut [[u32; 2]; EVENTS_PER_CHUNK],
) -> Option<usize> {
    let (mut many, mut in_turn) = (0, true);
    for ((&process, &op_type), position) in processes.iter().zip(op_types).zip(first..) {
        if process == NEMESIS {
            continue;
        }
        let doing = &mut doing[process as usize];
        let begins = op_type == OpType::Invoke;
        in_turn &= if begins { *doing == IDLE } else { *doing < RETIRED };
        ended[many] = [*doing, position];
        many += usize::from(!begins);
        let afterwards = if op_type == OpType::Info { RETIRED } else { IDLE };
        *doing = if begins { position } else { afterwards };
    }
    in_turn.then_some(many)
}

fn count(counts: &mut [[u64; 4]], call: &Ended) {
    let by_type = &mut counts[usize::from(call.f.0)];
    by_type[OpType::Invoke as usize] += 1;
    by_type[call.op_type as usize] += 1;
}

impl Ended {
    /// What began and ended at these positions; nothing if the two are not about the same.
    #[inline(always)]
    fn of(history: &History, start: u32, end: u32) -> Option<Self> {
        let (began, completed) = (start as usize - 1, end as usize - 1);
        let (f, op_type) = (history.f[began], history.op_type[completed]);
        let key = if history.keyed { history.key[began] } else { NO_KEY };
        let same = history.f[completed] == f && (!history.keyed || history.key[completed] == key);
        same.then(|| Ended {
            start,
            end: if op_type == OpType::Info { NEVER } else { end },
            f,
            op_type,
            key,
            asked: history.value[began],
            answered: history.value[completed],
        })
    }
}
