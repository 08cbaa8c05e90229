//! Partitions and unruly links: one map of policies for the whole cluster, swapped in one step,
//! with the proxies' own counters as evidence. The cure is the empty map.

use std::collections::BTreeMap;

use super::report::FaultReport;
use super::{Action, Direction, Trouble};
use crate::proxy::{Counters, Link, LinkPolicy, Links, Mesh};

/// Counters of the links concerned, when the fault was installed.
pub type Before = BTreeMap<Direction, Counters>;

/// The policies that these actions ask for; where they meet on a link, all of them apply. Kills
/// and pauses ask for none.
pub fn policies<'a>(actions: impl IntoIterator<Item = &'a Action>) -> Links {
    let mut links = Links::new();
    for action in actions {
        let (directions, policy) = match action {
            Action::Kill(_) | Action::Pause(_) => continue,
            Action::Cut(directions) => (directions, LinkPolicy::cut()),
            Action::Trouble(directions, trouble) => (directions, policy(*trouble)),
        };
        for &(from, to) in directions {
            let both = links.entry(Link::between(from, to)).or_default();
            *both = std::mem::take(both).and(&policy);
        }
    }
    links
}

fn policy(trouble: Trouble) -> LinkPolicy {
    let clean = LinkPolicy::default();
    match trouble {
        Trouble::Delay { delay_ms, jitter_ms } => {
            // "Give or take" around the mean; the policy's jitter only adds.
            let least_ms = delay_ms.saturating_sub(jitter_ms);
            LinkPolicy {
                delay_us: u64::from(least_ms) * 1_000,
                jitter_us: u64::from(jitter_ms) * 2_000,
                ..clean
            }
        }
        Trouble::Drop { ppm } => LinkPolicy { drop_ppm: ppm, ..clean },
        Trouble::Duplicate { ppm } => LinkPolicy { duplicate_ppm: ppm, ..clean },
        Trouble::Reorder { ppm } => LinkPolicy { reorder_ppm: ppm, ..clean },
    }
}

/// Puts the map in force; a refusal makes the fault indeterminate.
pub fn install(mesh: &Mesh, links: Links, report: &mut FaultReport) {
    if let Err(error) = mesh.set_links(links) {
        report.doubt(error.to_string());
    }
}

/// Reads the counters of the links that an action concerns.
pub fn read(mesh: &Mesh, action: &Action) -> Before {
    match action {
        Action::Kill(_) | Action::Pause(_) => Before::new(),
        Action::Cut(directions) | Action::Trouble(directions, _) => directions
            .iter()
            .map(|&(from, to)| ((from, to), mesh.counters(Link::between(from, to))))
            .collect(),
    }
}

/// Just before the cure: bites if the counters of enough of the links concerned show it.
pub fn examine(mesh: &Mesh, action: &Action, before: &Before, report: &mut FaultReport) {
    let mut links_hurt = 0;
    let mut total = 0;
    for (&(from, to), before) in before {
        let since = mesh.counters(Link::between(from, to)).since(before);
        let hurt = hurt(action, &since);
        links_hurt += u32::from(hurt > 0);
        total += hurt;
    }
    let what = match action {
        Action::Kill(_) | Action::Pause(_) => return,
        Action::Cut(_) => "bytes or connections stalled",
        Action::Trouble(_, Trouble::Delay { .. }) => "frames delayed",
        Action::Trouble(_, Trouble::Drop { .. }) => "frames dropped",
        Action::Trouble(_, Trouble::Duplicate { .. }) => "frames duplicated",
        Action::Trouble(_, Trouble::Reorder { .. }) => "frames reordered",
    };
    report.evidence.push(format!("{total} {what} on {links_hurt} of {} links", before.len()));
    report.bit = links_hurt >= links_hurt_min(action);
}

/// On how many links a fault must show. A cut both ways has parted somebody only if it kept apart
/// more than one pair of speaker and hearer; but followers hardly speak with each other, so a node
/// that is cut off in one direction may well show on its link with the leader alone.
fn links_hurt_min(action: &Action) -> u32 {
    match action {
        Action::Cut(links) if links.len() > 2 && links.iter().all(|&(a, b)| links.contains(&(b, a))) => 2,
        _ => 1,
    }
}

/// How much of what this action does was counted.
fn hurt(action: &Action, since: &Counters) -> u64 {
    match action {
        Action::Kill(_) | Action::Pause(_) => 0,
        Action::Cut(_) => since.stalled_bytes + since.stalled_connections,
        Action::Trouble(_, Trouble::Delay { .. }) => since.delayed,
        Action::Trouble(_, Trouble::Drop { .. }) => since.dropped,
        Action::Trouble(_, Trouble::Duplicate { .. }) => since.duplicated,
        Action::Trouble(_, Trouble::Reorder { .. }) => since.reordered,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::NodeId;

    #[test]
    fn policies_that_meet_on_a_link_all_apply() {
        let (a, b) = (NodeId(1), NodeId(2));
        let slow = Action::Trouble([(a, b), (b, a)].into(), Trouble::Delay { delay_ms: 50, jitter_ms: 20 });
        let cut = Action::Cut([(a, b)].into());
        let links = policies([&slow, &cut, &Action::Kill(vec![a])]);
        assert_eq!(links.len(), 2);
        let both = &links[&Link::between(a, b)];
        assert!(both.cut && both.delay_us == 30_000);
        let delayed = &links[&Link::between(b, a)];
        assert_eq!((delayed.delay_us, delayed.jitter_us), (30_000, 40_000));
    }

    #[test]
    fn a_cut_both_ways_must_show_on_two_links() {
        let n = NodeId;
        let one_way = Action::Cut([(n(1), n(2)), (n(1), n(3)), (n(1), n(4))].into());
        let isolated = Action::Cut([(n(1), n(2)), (n(2), n(1)), (n(1), n(3)), (n(3), n(1))].into());
        let pair = Action::Cut([(n(1), n(2)), (n(2), n(1))].into());
        assert_eq!([&one_way, &isolated, &pair].map(links_hurt_min), [1, 2, 1]);
    }

    #[test]
    fn each_trouble_is_proven_by_its_own_counter() {
        let counted = Counters { dropped: 3, delayed: 5, ..Counters::default() };
        let links = [(NodeId(1), NodeId(2))];
        let drop = Action::Trouble(links.into(), Trouble::Drop { ppm: 1 });
        assert_eq!(hurt(&drop, &counted), 3);
        assert_eq!(hurt(&Action::Cut(links.into()), &counted), 0);
    }
}
