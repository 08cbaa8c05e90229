//! Stories of elections: when to stop waiting for a leader, and for how long to try oneself.

use super::stage::{Found, Stage};
use paxos_node::paxos::Message;
use std::collections::VecDeque;

/// How long a message takes in the slow network, in ticks: an answer is back just within the
/// longest first timeout.
const FAR_TICKS: u64 = 29;

/// n1 is dead, and n2 and n3 are so far from each other that a promise mostly comes back after
/// the candidate has stood again. Back-off, and timeouts drawn anew, must get one of them through.
pub(super) fn candidates_grow_more_patient() -> Found {
    let mut stage = Stage::new(3);
    stage.kill(1);
    let mut under_way: VecDeque<(u64, u16, u16, Vec<Message>)> = VecDeque::new();
    let mut elected = false;
    for now in 0..6_000 {
        for (node, other) in [(2, 3), (3, 2)] {
            stage.tick(node, 1);
            stage.sync(node);
            under_way.push_back((now + FAR_TICKS, node, other, stage.take(node, other, "")));
        }
        while under_way.front().is_some_and(|(at, ..)| *at <= now) {
            let Some((_, from, to, messages)) = under_way.pop_front() else { break };
            stage.hand(from, to, messages);
        }
        elected |= stage.leads(2) || stage.leads(3);
    }
    stage.demand(elected, "in a minute of attempts, nobody came to lead");
    stage.finish()
}

/// n1 dies under load: clients ask n2 and n3, again and again. That is no sign of life of n1.
pub(super) fn only_a_leader_puts_an_election_off() -> Found {
    let mut stage = Stage::led_by(1, 3);
    stage.kill(1);
    for round in 0..60 {
        for node in [2, 3] {
            stage.append(node, &format!("a{round} at n{node}"));
            stage.tick(node, 5);
        }
        stage.run(&[2, 3]);
    }
    stage.demand(stage.leads(2) || stage.leads(3), "the clients keep the followers from electing a leader");
    stage.finish()
}
