//! Whoever runs the cluster: adds nodes, promotes, replaces and removes them, and now and then loses a
//! machine for good, or empties a disk and starts its node again as if nothing were amiss. That node is
//! turned away, and replaced like any other that is lost.
//!
//! He aims at a number of voters, and at another when he has come there: three, five, seven, three. He
//! sees the configuration that is in force, and asks the leader for a change of it; what comes of that
//! he does not wait for. He does nothing that a sober operator would not do: while a machine is lost he
//! does nothing but replace it; and none is lost before all nodes have it in their logs that the last
//! change is in force, so that a quorum of whatever configuration they may still ask is left.

use super::dice::Dice;
use super::fault::Fault;
use super::world::World;
use crate::paxos::{Change, Configuration, NodeId, Standing};
use crate::service::Service;
use std::collections::BTreeMap;

/// Sizes to aim at, with weights.
const SIZES: [(usize, u32); 4] = [(1, 1), (3, 6), (5, 6), (7, 3)];

/// One who runs a cluster.
pub(crate) struct Operator {
    dice: Dice,
    /// Which of those that are lost lose the disk alone.
    losses: Dice,
    /// Time from one deed to the next, in microseconds: at least, at most.
    gap_us: Option<(u64, u64)>,
    /// How many voters he wants.
    aim: usize,
    /// What he did, and how often.
    pub(crate) did: BTreeMap<&'static str, u64>,
}

impl Operator {
    pub(crate) fn new(gap_us: Option<(u64, u64)>, mut dice: Dice, losses: Dice) -> Operator {
        let aim = dice.weighted(&SIZES);
        Operator { dice, losses, gap_us, aim, did: BTreeMap::new() }
    }

    /// Microseconds to the next deed; `None` if there will be none.
    pub(crate) fn next_gap_us(&mut self) -> Option<u64> {
        let (min, max) = self.gap_us?;
        Some(self.dice.within(min..=max))
    }

    /// Does the next thing, if there is anything to do.
    pub(crate) fn act(&mut self, world: &mut World) {
        // Sometimes he does not look whether the last change is through: then it must be refused.
        if world.observer().is_change_under_way() && self.dice.chance(800_000) {
            return;
        }
        let Some(last) = world.observer().current().last() else { return };
        let configuration = std::sync::Arc::clone(&last.configuration);
        match self.next(&configuration, world) {
            Some(Fault::Destroy(node)) if self.losses.coin() => self.inject(world, "wipe", Fault::Wipe(node)),
            Some(Fault::Destroy(node)) => self.inject(world, "destroy", Fault::Destroy(node)),
            Some(fault) => self.inject(world, "change", fault),
            None => self.aim = self.dice.weighted(&SIZES),
        }
    }

    fn next(&mut self, configuration: &Configuration, world: &World) -> Option<Fault> {
        let members = configuration.members();
        let of = |standing| members.iter().filter(move |member| member.standing == standing);
        let lost = members.iter().map(|member| member.node).find(|node| world.is_destroyed(*node));
        let learner = of(Standing::Learner).map(|member| member.node).find(|node| Some(*node) != lost);
        let voters: Vec<NodeId> = of(Standing::Voter).map(|member| member.node).collect();
        let add = world.next_spare().map(|node| Change::Add {
            node,
            incarnation: world.incarnation(node),
            address: format!("{node}"),
        });
        let change = match (lost, learner) {
            (Some(lost), Some(learner)) => Change::Replace { node: lost, by: learner },
            (Some(lost), None) => match add {
                Some(add) if self.dice.chance(700_000) => add,
                _ if voters.len() > 1 => Change::Remove { node: lost },
                _ => return None,
            },
            (None, Some(learner)) if voters.len() < self.aim => Change::Promote { node: learner },
            (None, Some(learner)) => match self.dice.coin() {
                true => Change::Replace { node: *self.dice.pick(&voters), by: learner },
                false => Change::Remove { node: learner },
            },
            (None, None) if voters.len() > self.aim => Change::Remove { node: *self.dice.pick(&voters) },
            (None, None) if voters.len() < self.aim => add?,
            (None, None) => {
                // Of this configuration, not of an older one because they have not heard of it yet.
                let settled = |node| {
                    let replica = world.service(node).map(Service::replica);
                    replica.is_some_and(|replica| {
                        replica.is_settled() && replica.configuration().number() == configuration.number()
                    })
                };
                let may_lose = voters.len() >= 3
                    && !world.observer().is_change_under_way()
                    && world.members().into_iter().all(settled);
                if may_lose && self.dice.coin() {
                    return Some(Fault::Destroy(*self.dice.pick(&voters)));
                }
                return None;
            }
        };
        Some(Fault::Change(change))
    }

    fn inject(&mut self, world: &mut World, what: &'static str, fault: Fault) {
        *self.did.entry(what).or_default() += 1;
        world.inject(0, fault);
    }
}
