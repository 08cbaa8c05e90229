//! Who still reaches whom, and what may be demanded of such a cluster. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use super::action::{Action, policies};
use crate::proxy::{Link, LinkPolicy, Links};
use crate::system::NodeId;

/// The latest that frames may be on links that count as clean, in microseconds: there and back takes
/// less than the 600 ms for which our nodes, like most, wait at most before they first stand for leader.
const TIMELY_US: u64 = 290_000;
/// In larger clusters no late link counts as clean. When the leader is lost, two others soon back off far
/// enough from each other; the duel of four can take half a minute.
const TIMELY_NODES_MAX: usize = 3;

/// A cluster hurt like this.
pub struct Damage {
    nodes: Vec<NodeId>,
    /// Killed or stopped.
    silent: BTreeSet<NodeId>,
    links: Links,
    /// What was durable is gone: for good, since nobody lets them in again.
    emptied: BTreeSet<NodeId>,
}

impl Damage {
    /// What these actions together do to a cluster of these nodes, of which some are silent anyway.
    pub fn of<'a>(
        nodes: &[NodeId],
        silent: impl IntoIterator<Item = NodeId>,
        actions: impl IntoIterator<Item = &'a Action> + Clone,
    ) -> Damage {
        let struck = actions.clone().into_iter().flat_map(|action| action.nodes().iter().copied());
        Damage {
            nodes: nodes.to_vec(),
            silent: silent.into_iter().chain(struck).collect(),
            links: policies(actions.clone()),
            emptied: emptied(actions),
        }
    }

    /// Whether some majority runs and hears each other, however late or with whatever loss.
    #[must_use]
    pub fn leaves_quorum(&self) -> bool {
        self.majorities().any(|group| self.all_links(group, |link| !self.is_cut(link)))
    }

    /// Whether such a cluster must make progress while it is so: some majority runs and hears each
    /// other without any trouble (but for a bounded delay, in small clusters), and nobody else can
    /// disturb it. A node that can only speak, or one behind links that lose frames, may stand for
    /// leader again and again and depose the others'.
    #[must_use]
    pub fn allows_progress(&self) -> bool {
        let small = self.nodes.len() <= TIMELY_NODES_MAX;
        let clean = |link: &Link| self.links.get(link).is_none_or(|policy| small && is_timely(policy));
        self.majorities().any(|group| {
            let members = members(&self.nodes, group);
            let outsiders = self.nodes.iter().copied().filter(|node| !members.contains(node));
            let harmless = |outsider: NodeId| {
                let towards = |is: &dyn Fn(&Link) -> bool| {
                    members.iter().all(|&member| {
                        is(&Link::between(outsider, member)) && is(&Link::between(member, outsider))
                    })
                };
                // One that reaches some of them, but not their leader, stands for election.
                self.silent.contains(&outsider) || towards(&clean) || towards(&|link| self.is_cut(link))
            };
            // Clients must reach it as well: those in front of a cut wait.
            let asked = members.iter().all(|&member| clean(&Link::clients(member)));
            asked && self.all_links(group, clean) && outsiders.into_iter().all(harmless)
        })
    }

    /// How late a frame may be at worst, on any link.
    #[must_use]
    pub fn latest(&self) -> Duration {
        Duration::from_micros(self.links.values().map(lateness_us).max().unwrap_or(0))
    }

    /// Whether everything acknowledged must still be there.
    #[must_use]
    pub fn keeps_durable_state(&self) -> bool {
        self.emptied.len() < self.nodes.len()
    }

    /// Whether a majority can be had once everything is undone that can be.
    #[must_use]
    pub fn can_recover(&self) -> bool {
        2 * (self.nodes.len() - self.emptied.len()) > self.nodes.len()
    }

    /// Groups of running nodes that make a majority, as bits over `nodes`.
    fn majorities(&self) -> impl Iterator<Item = u32> + '_ {
        let count = self.nodes.len();
        let majority = count / 2 + 1;
        (1..1_u32 << count).filter(move |group| {
            group.count_ones() as usize >= majority
                && members(&self.nodes, *group).iter().all(|node| !self.silent.contains(node))
        })
    }

    fn all_links(&self, group: u32, holds: impl Fn(&Link) -> bool) -> bool {
        let members = members(&self.nodes, group);
        members.iter().all(|&a| members.iter().all(|&b| a == b || holds(&Link::between(a, b))))
    }

    fn is_cut(&self, link: &Link) -> bool {
        self.links.get(link).is_some_and(|policy| policy.cut)
    }
}

/// The nodes whose disks these actions empty.
fn emptied<'a>(actions: impl IntoIterator<Item = &'a Action>) -> BTreeSet<NodeId> {
    let emptied = actions.into_iter().filter(|action| matches!(action, Action::Wipe(_)));
    emptied.flat_map(|action| action.nodes().iter().copied()).collect()
}

/// Whether all that is done to a link is that frames come a little later.
fn is_timely(policy: &LinkPolicy) -> bool {
    let LinkPolicy { delay_us, jitter_us, ref kinds, ref also, .. } = *policy;
    let late =
        LinkPolicy { delay_us, jitter_us, kinds: kinds.clone(), also: also.clone(), ..LinkPolicy::default() };
    *policy == late && lateness_us(policy) <= TIMELY_US && also.iter().all(is_timely)
}

/// How late a frame may be: a bound, since of several layers the worst parts come together.
fn lateness_us(policy: &LinkPolicy) -> u64 {
    policy.delay_us + policy.jitter_us + policy.also.iter().map(lateness_us).sum::<u64>()
}

fn members(nodes: &[NodeId], group: u32) -> Vec<NodeId> {
    nodes.iter().enumerate().filter(|(place, _)| group >> place & 1 == 1).map(|(_, &node)| node).collect()
}

#[cfg(test)]
mod tests {
    use super::super::action::{both_ways, one_way};
    use super::*;

    fn n(ids: &[u16]) -> Vec<NodeId> {
        ids.iter().map(|&id| NodeId(id)).collect()
    }

    fn judge(nodes: u16, action: Action) -> (bool, bool) {
        let nodes: Vec<NodeId> = (1..=nodes).map(NodeId).collect();
        let damage = Damage::of(&nodes, [], [&action]);
        (damage.leaves_quorum(), damage.allows_progress())
    }

    #[test]
    fn a_quorum_is_more_than_half_that_run_and_hear_each_other() {
        assert_eq!(judge(5, Action::Kill(n(&[1, 2]))), (true, true));
        assert_eq!(judge(5, Action::Pause(n(&[1, 2, 3]))), (false, false));
        assert_eq!(judge(4, Action::cut(both_ways(&n(&[1, 2]), &n(&[3, 4])))), (false, false));
        assert_eq!(judge(5, Action::cut(both_ways(&n(&[1, 2]), &n(&[3, 4, 5])))), (true, true));
        assert_eq!(judge(1, Action::Kill(n(&[1]))), (false, false));
    }

    #[test]
    fn who_can_only_speak_may_disturb() {
        let mute = one_way(&n(&[1]), &n(&[2, 3, 4, 5]));
        let deaf = one_way(&n(&[2, 3, 4, 5]), &n(&[1]));
        let bridge = both_ways(&n(&[1, 2]), &n(&[4, 5]));
        assert_eq!(judge(5, Action::cut(bridge)), (true, false));
        assert_eq!(judge(5, Action::cut(mute)), (true, false));
        assert_eq!(judge(5, Action::cut(deaf)), (true, false));
        let lossy = LinkPolicy { drop_ppm: 1, ..LinkPolicy::default() };
        assert_eq!(judge(3, Action::Links(both_ways(&n(&[1]), &n(&[2, 3])), lossy)), (true, false));
    }

    #[test]
    fn frames_that_come_a_little_later_come() {
        let late = |nodes, delay_us, jitter_us| {
            let policy = LinkPolicy { delay_us, jitter_us, ..LinkPolicy::default() };
            let all: Vec<NodeId> = (1..=nodes).map(NodeId).collect();
            judge(nodes, Action::Links(both_ways(&all[..1], &all[1..]), policy))
        };
        assert_eq!(late(3, TIMELY_US - 1_000, 1_000), (true, true));
        assert_eq!(late(3, TIMELY_US, 1), (true, false));
        assert_eq!(late(5, 1_000, 0), (true, false));
    }

    #[test]
    fn a_disk_that_is_lost_is_a_node_that_is_lost() {
        let nodes = n(&[1, 2, 3]);
        let damage = |action| {
            let damage = Damage::of(&nodes, [], [&action]);
            (damage.allows_progress(), damage.can_recover(), damage.keeps_durable_state())
        };
        assert_eq!(damage(Action::Kill(nodes.clone())), (false, true, true));
        assert_eq!(damage(Action::Wipe(n(&[1]))), (true, true, true));
        assert_eq!(damage(Action::Wipe(n(&[1, 2]))), (false, false, true));
        assert_eq!(damage(Action::Wipe(nodes.clone())), (false, false, false));
    }
}
