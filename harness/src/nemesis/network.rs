//! Partitions and unruly links, with the proxies' own counters as evidence.

use std::collections::{BTreeMap, BTreeSet};

use super::hands::Bite;
use crate::proxy::{Counters, Link, LinkPolicy};

/// Counters of the links concerned, when the action was done.
pub type Before = BTreeMap<Link, Counters>;

/// Reads the counters of these links.
pub fn read(counters: impl Fn(Link) -> Counters, links: &BTreeSet<Link>) -> Before {
    links.iter().map(|&link| (link, counters(link))).collect()
}

/// Just before the undoing: bites if, for each thing that the policy does, the counters of enough of
/// the links show it.
pub fn examine(counters: impl Fn(Link) -> Counters, policy: &LinkPolicy, before: &Before, bite: &mut Bite) {
    bite.bit = true;
    let links: BTreeSet<Link> = before.keys().copied().collect();
    for (what, count) in effects(policy) {
        let hurt = before.iter().map(|(&link, before)| count(&counters(link).since(before)));
        let (links_hurt, total) =
            hurt.fold((0, 0), |(links, all), hurt| (links + usize::from(hurt > 0), all + hurt));
        bite.evidence.push(format!("{total} {what} on {links_hurt} of {} links", links.len()));
        bite.bit &= links_hurt >= links_hurt_min(policy, &links);
    }
}

type Count = fn(&Counters) -> u64;

/// What a policy does, each with the counter that proves it.
fn effects(policy: &LinkPolicy) -> Vec<(&'static str, Count)> {
    let effects: [(bool, &'static str, Count); 9] = [
        (policy.cut, "bytes or connections stalled", |counted| {
            counted.stalled_bytes + counted.stalled_connections
        }),
        (policy.delay_us > 0 || policy.jitter_us > 0, "frames delayed", |counted| counted.delayed),
        (policy.drop_ppm > 0, "frames dropped", |counted| counted.dropped),
        (policy.duplicate_ppm > 0, "frames duplicated", |counted| counted.duplicated),
        (policy.reorder_ppm > 0, "frames reordered", |counted| counted.reordered),
        (policy.corrupt_ppm > 0, "frames damaged", |counted| counted.corrupted),
        (policy.hold, "frames held", |counted| counted.held),
        (policy.bytes_per_s.is_some(), "bytes throttled", |counted| counted.throttled_bytes),
        (policy.half_open, "ends concealed or connections stalled", |counted| {
            counted.swallowed_ends + counted.stalled_connections
        }),
    ];
    effects.into_iter().filter(|(does, ..)| *does).map(|(_, what, count)| (what, count)).collect()
}

/// On how many links an effect must show. A cut both ways has parted somebody only if it kept apart
/// more than one pair of speaker and hearer; but followers hardly speak with each other, so a node
/// that is cut off in one direction may well show on its link with the leader alone.
fn links_hurt_min(policy: &LinkPolicy, links: &BTreeSet<Link>) -> usize {
    let back = |link: &Link| match link.from {
        crate::proxy::Endpoint::Node(from) => links.contains(&Link::between(link.to, from)),
        crate::proxy::Endpoint::Clients => false,
    };
    if policy.cut && links.len() > 2 && links.iter().all(back) { 2 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::NodeId;

    fn links(pairs: &[(u16, u16)]) -> BTreeSet<Link> {
        pairs.iter().map(|&(a, b)| Link::between(NodeId(a), NodeId(b))).collect()
    }

    #[test]
    fn a_cut_both_ways_must_show_on_two_links() {
        let one_way = links(&[(1, 2), (1, 3), (1, 4)]);
        let isolated = links(&[(1, 2), (2, 1), (1, 3), (3, 1)]);
        let pair = links(&[(1, 2), (2, 1)]);
        assert_eq!(
            [&one_way, &isolated, &pair].map(|links| links_hurt_min(&LinkPolicy::cut(), links)),
            [1, 2, 1]
        );
    }

    #[test]
    fn each_effect_is_proven_by_its_own_counter() {
        let counted = Counters { dropped: 3, delayed: 5, ..Counters::default() };
        let proven = |policy: LinkPolicy| {
            effects(&policy).iter().map(|(_, count)| count(&counted)).collect::<Vec<_>>()
        };
        assert_eq!(proven(LinkPolicy { drop_ppm: 1, jitter_us: 1, ..LinkPolicy::default() }), [5, 3]);
        assert_eq!(proven(LinkPolicy::cut()), [0]);
        assert_eq!(proven(LinkPolicy::default()), Vec::<u64>::new());
    }
}
