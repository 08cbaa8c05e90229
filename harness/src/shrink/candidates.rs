//! What could be smaller about a schedule, one change at a time.

use std::time::Duration;

use crate::schedule::{
    ActionSpec, Concurrency, Fault, Lasts, LinkEffect, Schedule, Share, Span, Start, Target, Who,
};
use crate::system::NodeId;

/// No fault is made shorter: below it nobody notices.
const LENGTH_MIN: Duration = Duration::from_millis(200);
/// No wait is made shorter.
const WAIT_MIN: Duration = Duration::from_millis(50);
/// What is left of a phase after its last fault.
const TAIL: Duration = Duration::from_millis(500);

/// One kind of change.
pub(super) struct Pass {
    /// In a word or two.
    pub(super) name: &'static str,
    /// The change at this place: `None`: there are no more places; `Some(None)`: nothing to change here.
    pub(super) propose: fn(&Schedule, usize) -> Option<Option<Schedule>>,
}

/// All of them, in the order in which they are tried.
pub(super) const PASSES: &[Pass] = &[
    Pass { name: "fewer steps", propose: without_a_step },
    Pass { name: "what TCP can show", propose: legal },
    Pass { name: "a smaller cluster", propose: fewer_nodes },
    Pass { name: "fewer clients", propose: fewer_clients },
    Pass { name: "fewer keys", propose: fewer_keys },
    Pass { name: "everything or nothing", propose: whole_shares },
    Pass { name: "no time after the last fault", propose: no_tail },
    Pass { name: "shorter waits", propose: shorter_wait },
    Pass { name: "shorter faults", propose: shorter_fault },
];

/// The schedule with only these faults, by phase and place.
pub(super) fn only(schedule: &Schedule, kept: &[(usize, usize)]) -> Schedule {
    let mut smaller = schedule.clone();
    for (number, phase) in smaller.phases.iter_mut().enumerate() {
        let mut place = 0;
        phase.faults.retain(|_| {
            place += 1;
            kept.contains(&(number, place - 1))
        });
    }
    forget_the_missing(&mut smaller);
    smaller
}

/// Whether nothing in it is more than TCP can show.
pub(super) fn is_tcp_legal(schedule: &Schedule) -> bool {
    faults(schedule).flat_map(|fault| &fault.body.steps).all(|step| match &step.action {
        ActionSpec::Link(_, effect) => !is_lossy(effect),
        _ => true,
    })
}

fn is_lossy(effect: &LinkEffect) -> bool {
    let shares = [effect.drop, effect.duplicate, effect.reorder, effect.corrupt];
    effect.hold || !effect.messages.is_empty() || shares.iter().any(|share| !share.is_none())
}

fn faults(schedule: &Schedule) -> impl Iterator<Item = &Fault> {
    schedule.phases.iter().flat_map(|phase| &phase.faults)
}

/// Changes the fault at this place; the closure says whether there was anything to change.
fn change_fault(
    schedule: &Schedule,
    at: usize,
    change: impl FnOnce(&mut Fault) -> bool,
) -> Option<Option<Schedule>> {
    let mut smaller = schedule.clone();
    let fault = smaller.phases.iter_mut().flat_map(|phase| &mut phase.faults).nth(at)?;
    Some(change(fault).then_some(smaller))
}

/// Changes the step at this place, counted over all faults.
fn change_step(
    schedule: &Schedule,
    at: usize,
    change: impl FnOnce(&mut ActionSpec) -> bool,
) -> Option<Option<Schedule>> {
    let mut smaller = schedule.clone();
    let mut steps =
        smaller.phases.iter_mut().flat_map(|phase| &mut phase.faults).flat_map(|fault| &mut fault.body.steps);
    let step = steps.nth(at)?;
    Some(change(&mut step.action).then_some(smaller))
}

/// Faults that wait for one that is gone, or look back at it, do so no more.
fn forget_the_missing(schedule: &mut Schedule) {
    let ids: Vec<String> = faults(schedule).map(|fault| fault.id.clone()).collect();
    for fault in schedule.phases.iter_mut().flat_map(|phase| &mut phase.faults) {
        let gone = |after: &Option<String>| after.as_ref().is_some_and(|id| !ids.contains(id));
        if let Start::When(trigger) = &fault.start
            && gone(&trigger.after)
        {
            fault.start = Start::At(Span::exactly(trigger.plus));
        }
        for step in &mut fault.body.steps {
            step.action.targets_mut(&mut |target: &mut Target| {
                if gone(&target.as_of) {
                    target.as_of = None;
                }
            });
        }
    }
}

fn without_a_step(schedule: &Schedule, at: usize) -> Option<Option<Schedule>> {
    let mut smaller = schedule.clone();
    let mut left = at;
    for fault in smaller.phases.iter_mut().flat_map(|phase| &mut phase.faults) {
        let steps = &mut fault.body.steps;
        if left >= steps.len() {
            left -= steps.len();
            continue;
        }
        if steps.len() == 1 {
            return Some(None);
        }
        let gone = steps.remove(left);
        if let Some(next) = steps.get_mut(left) {
            // What came after it comes when it did.
            next.after = Span::exactly(next.after.min + gone.after.min);
        }
        return Some(Some(smaller));
    }
    None
}

/// Frames that vanish on a live connection could as well be stuck on a dead one.
fn legal(schedule: &Schedule, at: usize) -> Option<Option<Schedule>> {
    change_step(schedule, at, |action| match action {
        ActionSpec::Link(_, effect) if is_lossy(effect) => {
            let (delay, jitter) = (effect.delay, effect.jitter);
            let lost = !effect.drop.is_none() || effect.hold || !effect.corrupt.is_none();
            *effect = LinkEffect { delay, jitter, cut: lost, ..LinkEffect::default() };
            if !lost && delay.is_none() && jitter.is_none() {
                effect.jitter = Some(Span::exactly(Duration::from_millis(50)));
            }
            true
        }
        _ => false,
    })
}

fn fewer_nodes(schedule: &Schedule, at: usize) -> Option<Option<Schedule>> {
    let sizes = [3, 4, 5, 7];
    let size = *sizes.get(at)?;
    if schedule.nodes.is_none_or(|nodes| nodes <= size) {
        return Some(None);
    }
    let mut smaller = schedule.clone();
    smaller.nodes = Some(size);
    let mut possible = true;
    for step in
        smaller.phases.iter_mut().flat_map(|phase| &mut phase.faults).flat_map(|fault| &mut fault.body.steps)
    {
        step.action.targets_mut(&mut |target: &mut Target| {
            if let Who::Nodes(nodes) = &mut target.who {
                nodes.retain(|&NodeId(node)| node <= size);
                possible &= !nodes.is_empty() && nodes.len() < usize::from(size);
            }
        });
    }
    Some(possible.then_some(smaller))
}

fn fewer_clients(schedule: &Schedule, at: usize) -> Option<Option<Schedule>> {
    if at > 0 {
        return None;
    }
    let mut smaller = schedule.clone();
    let nodes = usize::from(schedule.nodes.unwrap_or(5));
    let clients = match schedule.workload.concurrency {
        Some(Concurrency::Clients(clients)) => clients,
        Some(Concurrency::PerNode(each)) => each * nodes,
        None => 2 * nodes,
    };
    smaller.workload.concurrency = Some(Concurrency::Clients(clients / 2));
    Some((clients >= 4).then_some(smaller))
}

fn fewer_keys(schedule: &Schedule, at: usize) -> Option<Option<Schedule>> {
    if at > 0 {
        return None;
    }
    let mut smaller = schedule.clone();
    let keys = schedule.workload.keys.unwrap_or(5);
    smaller.workload.keys = Some(keys / 2);
    Some((keys >= 2).then_some(smaller))
}

/// A share of frames becomes all of them: easier to tell, and to reason about.
fn whole_shares(schedule: &Schedule, at: usize) -> Option<Option<Schedule>> {
    change_step(schedule, at, |action| {
        let ActionSpec::Link(_, effect) = action else { return false };
        let all = Share::percent(100, 100);
        let some = |share: &Share| !share.is_none() && *share != all;
        if !some(&effect.drop) {
            return false;
        }
        effect.drop = all;
        true
    })
}

fn no_tail(schedule: &Schedule, at: usize) -> Option<Option<Schedule>> {
    let mut smaller = schedule.clone();
    let phase = smaller.phases.get_mut(at)?;
    let mut end = Duration::ZERO;
    for fault in &phase.faults {
        let Start::At(start) = &fault.start else { return Some(None) };
        let Lasts::For(length) = &fault.body.lasts else { return Some(None) };
        let steps: Duration = fault.body.steps.iter().map(|step| step.after.max).sum();
        end = end.max(start.max + steps + length.max);
    }
    let lasts = end + TAIL;
    let shorter = lasts + TAIL < phase.lasts;
    phase.lasts = lasts;
    Some(shorter.then_some(smaller))
}

/// The time between the fault at this place and whatever came before it is halved; all that comes
/// later comes earlier by as much.
fn shorter_wait(schedule: &Schedule, at: usize) -> Option<Option<Schedule>> {
    let mut smaller = schedule.clone();
    let mut left = at;
    for phase in &mut smaller.phases {
        let mut starts: Vec<Duration> = phase.faults.iter().filter_map(start_of).collect();
        starts.sort();
        starts.dedup();
        if left >= starts.len() {
            left -= starts.len();
            continue;
        }
        let this = starts[left];
        let before = left.checked_sub(1).map_or(Duration::ZERO, |place| starts[place]);
        let saved = (this - before) / 2;
        if this - before < 2 * WAIT_MIN {
            return Some(None);
        }
        for fault in &mut phase.faults {
            if let Start::At(start) = &mut fault.start
                && start.min >= this
            {
                *start = Span::exactly(start.min - saved);
            }
        }
        phase.lasts = phase.lasts.saturating_sub(saved);
        return Some(Some(smaller));
    }
    None
}

fn start_of(fault: &Fault) -> Option<Duration> {
    match &fault.start {
        Start::At(start) => Some(start.min),
        Start::Every(_) | Start::When(_) => None,
    }
}

fn shorter_fault(schedule: &Schedule, at: usize) -> Option<Option<Schedule>> {
    change_fault(schedule, at, |fault| match &mut fault.body.lasts {
        Lasts::For(length) if length.max >= 2 * LENGTH_MIN => {
            *length = Span::exactly(length.max / 2);
            true
        }
        Lasts::For(_) | Lasts::Until(_) | Lasts::Phase => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Body, Guard, Kind, NetworkModel, Preset, Step};
    use crate::shrink::{Oracle, count, shrink};

    /// Fails as long as certain faults are there, the run has three nodes at least, and the first of them lasts.
    struct Picky {
        needs: Vec<String>,
        patience: u64,
    }

    impl Oracle for Picky {
        fn fails(&mut self, schedule: &Schedule) -> Option<bool> {
            self.patience = self.patience.checked_sub(1)?;
            let has = |id: &String| faults(schedule).any(|fault| fault.id == *id);
            let long = faults(schedule).filter(|fault| self.needs.contains(&fault.id)).all(|fault| {
                matches!(&fault.body.lasts, Lasts::For(length) if length.max >= Duration::from_millis(400))
            });
            Some(self.needs.iter().all(has) && long)
        }
    }

    fn large() -> Schedule {
        let kinds = Kind::ALL.to_vec();
        let preset = Preset { owed: kinds.clone(), kinds, interval: Duration::from_secs(4) };
        let mut schedule = preset.schedule(Duration::from_secs(60), Duration::ZERO);
        schedule.nodes = Some(5);
        let phase = &mut schedule.phases[0];
        let choices = std::mem::take(&mut phase.mixes).remove(0).choices;
        let fault = |(number, choice): (u32, crate::schedule::Choice)| Fault {
            id: format!("{}-{number}", choice.id),
            start: Start::At(Span::exactly(Duration::from_secs(2) * number)),
            times_max: Some(1),
            body: Body { lasts: Lasts::For(Span::exactly(Duration::from_millis(1_600))), ..choice.body },
            guard: Guard::Any,
            required: false,
        };
        phase.faults = (0..).zip(choices).map(fault).collect();
        schedule
    }

    #[test]
    fn what_matters_is_left_and_as_short_as_can_be() {
        let whole = large();
        let needs = vec![whole.phases[0].faults[3].id.clone(), whole.phases[0].faults[9].id.clone()];
        let shrunk = shrink(&whole, &mut Picky { needs: needs.clone(), patience: 100_000 });
        assert!(shrunk.complete);
        let left: Vec<String> = faults(&shrunk.schedule).map(|fault| fault.id.clone()).collect();
        assert_eq!(left, needs);
        for fault in faults(&shrunk.schedule) {
            assert_eq!(
                fault.body.lasts,
                Lasts::For(Span::exactly(Duration::from_millis(400))),
                "{}",
                fault.id
            );
        }
        assert_eq!(shrunk.schedule.nodes, Some(3));
        assert_eq!(shrunk.schedule.model, NetworkModel::TcpLegal);
        assert!(
            shrunk.schedule.phases[0].lasts < Duration::from_secs(3),
            "{:?}",
            shrunk.schedule.phases[0].lasts
        );
        // Whatever it proposes can be written and read.
        let text = shrunk.schedule.to_toml();
        assert_eq!(
            Schedule::read("shrunk", &text).map_err(|refusals| refusals.to_string()),
            Ok(shrunk.schedule)
        );
    }

    #[test]
    fn without_patience_the_best_so_far_is_kept() {
        let whole = large();
        let needs = vec![whole.phases[0].faults[0].id.clone()];
        let shrunk = shrink(&whole, &mut Picky { needs: needs.clone(), patience: 3 });
        assert!(!shrunk.complete);
        assert!(count(&shrunk.schedule) < count(&whole));
        assert!(faults(&shrunk.schedule).any(|fault| fault.id == needs[0]));
    }

    #[test]
    fn who_waited_for_a_fault_that_is_gone_comes_by_itself() {
        let mut schedule = large();
        let first = schedule.phases[0].faults[0].id.clone();
        let second = &mut schedule.phases[0].faults[1];
        second.start = Start::When(crate::schedule::Trigger {
            what: crate::schedule::What::Came,
            after: Some(first.clone()),
            nth: 1,
            plus: Duration::from_millis(300),
        });
        second.body.steps = vec![Step {
            after: Span::ZERO,
            action: ActionSpec::Kill(Target { who: Who::Leader, as_of: Some(first) }),
        }];
        let left = only(&schedule, &[(0, 1)]);
        let fault = faults(&left).next().expect("one is left");
        assert_eq!(fault.start, Start::At(Span::exactly(Duration::from_millis(300))));
        assert_eq!(fault.body.steps[0].action, ActionSpec::Kill(Target::now(Who::Leader)));
    }
}
