//! Executing the learned log again, node by node.

use super::Findings;
use super::check::{Chosen, is_update, reason_of, request_of, slot_of, updates};
use super::learned::{NodeView, prefix};
use crate::system::paxos::translate::{self, Asked, Told};
use checker::{Op, OpType, Process, Value as Said};
use paxos_node::kv::{Batch, Command, Kv, Reply, RequestId, Txn, TxnOutcome};
use paxos_node::paxos::{Slot, Value};
use std::collections::{BTreeMap, BTreeSet};

/// What a history's operations were answered, by the slot that their answers named.
pub(super) struct Answers<'a> {
    /// Reads, by the slot whose state they saw.
    reads: BTreeMap<Slot, Vec<&'a Op>>,
    /// Updates that happened or aborted, by slot and request.
    updates: BTreeMap<Slot, BTreeMap<&'a str, &'a Op>>,
}

impl<'a> Answers<'a> {
    pub(super) fn of(history: &'a [Op]) -> Answers<'a> {
        let mut reads: BTreeMap<Slot, Vec<&Op>> = BTreeMap::new();
        for op in history {
            let is_read =
                op.op_type == OpType::Ok && !is_update(op) && matches!(op.process, Process::Client(_));
            if let (true, Some(slot)) = (is_read, slot_of(op)) {
                reads.entry(slot).or_default().push(op);
            }
        }
        let mut answered: BTreeMap<Slot, BTreeMap<&str, &Op>> = BTreeMap::new();
        for op in updates(history, OpType::Ok).chain(updates(history, OpType::Fail)) {
            if let (Some(slot), Some(request)) = (slot_of(op), request_of(op)) {
                answered.entry(slot).or_default().insert(request, op);
            }
        }
        Answers { reads, updates: answered }
    }
}

/// Replays what was chosen, looking up what was answered and repeated requests; then each node's own learned
/// prefix, whose states must be the same. The logs of `unread` nodes are missing.
pub(super) fn replay(
    views: &[NodeView<'_>],
    chosen: &Chosen<'_>,
    unread: usize,
    answers: &Answers<'_>,
    findings: &mut Findings,
) {
    let Some(reference) = Replay::of_all(views, chosen, answers, findings) else { return };
    for view in views {
        let Some(begin) = view.log.begin() else {
            findings.unknown(format!("{}: its snapshot can't be read a second time", view.log.node));
            continue;
        };
        let own = Replay::run(begin, &view.learned, None, findings);
        let differs = own.hashes.iter().find_map(|(slot, own)| {
            let all = reference.hashes.get(slot)?;
            (own != all).then_some((slot, own, all))
        });
        if let Some((slot, own, all)) = differs {
            findings.violation(format!(
                "slot {slot}: {}'s state differs from here on: its log gives hash {own:016x}, all logs together {all:016x}",
                view.log.node
            ));
        }
    }
    let end = reference.kv.applied().slot.0;
    let Some((slot, ops)) = answers.reads.range(Slot(end + 1)..).next() else { return };
    let words = format!(
        "op {}: a read was answered at slot {slot}, but slot {} is chosen nowhere in the logs",
        ops[0].index,
        end + 1
    );
    if unread == 0 {
        findings.violation(words);
    } else {
        findings.unknown(words);
    }
}

struct Replay {
    kv: Kv,
    /// After each slot replayed, and after the one it began with.
    hashes: BTreeMap<Slot, u64>,
    /// What each request was answered when it executed.
    answers: BTreeMap<RequestId, (Slot, Reply)>,
    /// Keys of which a read was found to contradict the log; none for transactions over several keys.
    contradicted: BTreeSet<Option<i64>>,
}

impl Replay {
    /// Replays what is chosen, from the snapshot on that covers least; where the logs have a gap that
    /// a later snapshot covers, from that one on. `None`, and a word why, if one can't be read.
    fn of_all(
        views: &[NodeView<'_>],
        chosen: &Chosen<'_>,
        answers: &Answers<'_>,
        findings: &mut Findings,
    ) -> Option<Replay> {
        let mut logs: Vec<_> = views.iter().map(|view| view.log).collect();
        logs.sort_by_key(|log| log.base.slot);
        let mut replay: Option<Replay> = None;
        for log in logs {
            if replay.as_ref().is_some_and(|replay| log.base.slot <= replay.kv.applied().slot) {
                continue;
            }
            let Some(begin) = log.begin() else {
                findings.unknown(format!("{}: its snapshot can't be read a second time", log.node));
                return None;
            };
            let from = begin.applied();
            match &mut replay {
                None => replay = Some(Replay::run(begin, chosen, Some(answers), findings)),
                Some(replay) => {
                    replay.kv = begin;
                    replay.hashes.insert(from.slot, from.hash);
                    replay.go_on(chosen, Some(answers), findings);
                }
            }
        }
        Some(replay.unwrap_or_else(|| Replay::run(Kv::new(), chosen, Some(answers), findings)))
    }

    /// Replays the values behind a state up to the first gap.
    fn run(begin: Kv, values: &Chosen<'_>, told: Option<&Answers<'_>>, findings: &mut Findings) -> Replay {
        let from = begin.applied();
        let mut replay = Replay {
            kv: begin,
            hashes: BTreeMap::from([(from.slot, from.hash)]),
            answers: BTreeMap::new(),
            contradicted: BTreeSet::new(),
        };
        replay.go_on(values, told, findings);
        replay
    }

    fn go_on(&mut self, values: &Chosen<'_>, told: Option<&Answers<'_>>, findings: &mut Findings) {
        let mut replayed = 0;
        for (slot, value) in prefix(self.kv.applied().slot, values) {
            let replies = self.kv.apply(slot, value);
            self.hashes.insert(slot, self.kv.applied().hash);
            replayed += 1;
            let Some(told) = told else { continue };
            let logged = replies.as_ref().map_or(Vec::new(), |replies| logged_reads(value, replies));
            match replies {
                Ok(replies) => {
                    let updates = told.updates.get(&slot);
                    self.replies(slot, value, replies, updates.unwrap_or(&BTreeMap::new()), findings);
                }
                Err(error) => {
                    findings.violation(format!("slot {slot}: a value was chosen that is no batch: {error}"))
                }
            }
            for op in told.reads.get(&slot).into_iter().flatten() {
                self.check_read(slot, op, &logged, findings);
            }
        }
        findings.examined("replayed slots", replayed);
    }

    /// A client must have been answered what its request came to. One that comes again must be
    /// answered as the first time, or not at all.
    fn replies(
        &mut self,
        slot: Slot,
        value: &Value,
        replies: Vec<Reply>,
        updates: &BTreeMap<&str, &Op>,
        findings: &mut Findings,
    ) {
        let Value::Batch(bytes) = value else { return };
        let Ok(batch) = Batch::decode(bytes.clone()) else { return };
        for (command, reply) in batch.commands.iter().zip(replies) {
            let Command::Execute { request: Some(request), .. } = command else { continue };
            findings.examined("requests in the log", 1);
            if let Some(op) = updates.get(request.to_string().as_str()) {
                check_update(slot, op, &reply, findings);
            }
            let Some((first, answer)) = self.answers.get(request) else {
                if matches!(reply, Reply::Outcome(_)) {
                    self.answers.insert(*request, (slot, reply));
                }
                continue;
            };
            findings.examined("requests in the log again", 1);
            if matches!(reply, Reply::Outcome(_)) && reply != *answer {
                findings.violation(format!(
                    "slot {slot}: request {request} executed twice: in slot {first} it said {answer:?}, here {reply:?}"
                ));
            }
        }
    }

    /// A read saw the state after its slot; or, if it went through the log itself, what it was answered at
    /// its place there. It has no name there: one of the same question will do.
    fn check_read(&mut self, slot: Slot, op: &Op, logged: &[(Txn, TxnOutcome)], findings: &mut Findings) {
        // Not what this system was ever asked for, if it can't be translated.
        let Some(asked) = Asked::of(op) else { return };
        let Ok(txn) = translate::transaction(asked) else { return };
        findings.examined("reads replayed", 1);
        let said = |outcome: &TxnOutcome| match translate::told(asked, outcome) {
            Told::Happened(state) => state,
            Told::DidNot(_) | Told::Nonsense => Said::Nil,
        };
        if logged.iter().any(|(question, outcome)| *question == txn && said(outcome) == op.value) {
            return;
        }
        let state = said(&self.kv.read(&txn));
        // Every later read of the key would only say it again.
        if state != op.value && self.contradicted.insert(asked.key) {
            let what = match asked.key {
                Some(key) => format!("key {key}"),
                None if asked.f == "txn" => "several keys".to_owned(),
                None => "the only key".to_owned(),
            };
            findings.violation(format!(
                "op {}: a read of {what} at slot {slot} returned {}",
                op.index,
                difference(&op.value, &state)
            ));
        }
    }
}

/// The reads that a slot holds, and what they were answered.
fn logged_reads(value: &Value, replies: &[Reply]) -> Vec<(Txn, TxnOutcome)> {
    let Value::Batch(bytes) = value else { return Vec::new() };
    let Ok(batch) = Batch::decode(bytes.clone()) else { return Vec::new() };
    let answered = batch.commands.into_iter().zip(replies);
    let read = |(command, reply): (Command, &Reply)| match (command, reply) {
        (Command::Execute { request: None, txn }, Reply::Outcome(outcome)) if txn.is_read_only() => {
            Some((txn, outcome.clone()))
        }
        _ => None,
    };
    answered.filter_map(read).collect()
}

/// An update that was answered in this slot, against what replaying answers there.
fn check_update(slot: Slot, op: &Op, replayed: &Reply, findings: &mut Findings) {
    findings.examined("answers to updates replayed", 1);
    let told = match (Asked::of(op), replayed) {
        (Some(asked), Reply::Outcome(outcome)) => translate::told(asked, outcome),
        _ => Told::Nonsense,
    };
    let agrees = match told {
        Told::Happened(value) => op.op_type == OpType::Ok && op.value == value,
        Told::DidNot(word) => op.op_type == OpType::Fail && reason_of(op) == Some(word),
        Told::Nonsense => false,
    };
    if !agrees {
        let said = match op.op_type {
            OpType::Ok => "done",
            _ => reason_of(op).unwrap_or("no reason"),
        };
        findings.violation(format!(
            "op {}: {} {} was answered in slot {slot} with: {said}; the log gives {replayed:?} there",
            op.index, op.f, op.value
        ));
    }
}

/// What was returned, against what replaying gives; of lists only the first element that differs.
fn difference(returned: &Said, replayed: &Said) -> String {
    let (Some(returned_items), Some(replayed_items)) = (returned.as_list(), replayed.as_list()) else {
        return format!("{returned}, where the log gives {replayed}");
    };
    let same = returned_items.iter().zip(replayed_items).take_while(|(one, other)| one == other).count();
    let show = |items: &[Said]| items.get(same).map_or("nothing".to_owned(), Said::to_string);
    format!(
        "a list of {} whose element {same} is {}, where the log gives {} with {} there",
        returned_items.len(),
        show(returned_items),
        replayed_items.len(),
        show(replayed_items)
    )
}
