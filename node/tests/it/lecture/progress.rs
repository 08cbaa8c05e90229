//! Safety is guaranteed, liveness is not: the duel of proposers, and its end.

use paxos_node::paxos::{ElectionMode, Timing};
use paxos_node::sim::{Conditions, Trace, Weather, World};

/// Three nodes whose timeouts all are 300 ms, on a network that takes exactly 200 ms: whoever has
/// just finished phase 1 finds the next proposer's prepare everywhere before its accept.
fn duelling(election: ElectionMode) -> Conditions {
    let timing = Timing { election_ticks_min: 30, election_ticks_max: 60, ..Timing::default() };
    let far = Weather { delay_us_min: 200_000, delay_us_max: 200_000, ..Weather::CALM };
    Conditions { timing, election, weather: far, ..Conditions::calm(3) }
}

fn ballots_and_chosen_slots(conditions: Conditions, seconds: u64) -> (u64, u64) {
    let mut world = World::new(conditions, 21, Trace::off());
    let end = world.now().after(seconds * 1_000_000);
    while !world.is_over_at(end) {
        world.step().expect("safety is guaranteed, always");
    }
    (world.observer().ballots_used(), world.observer().chosen_slots())
}

#[test]
fn proposers_duel_ad_infinitum() {
    let (ballots, chosen) = ballots_and_chosen_slots(duelling(ElectionMode::Fixed), 120);
    assert_eq!(chosen, 0, "p prepares, q prepares higher, p prepares higher still");
    assert!(ballots > 200, "only {ballots} ballots in two minutes of duel");
}

#[test]
fn a_distinguished_proposer_ends_the_duel() {
    let (ballots, chosen) = ballots_and_chosen_slots(duelling(ElectionMode::Randomised), 120);
    assert!(chosen > 0, "{ballots} ballots and nothing chosen");
    assert!(ballots < 60, "{ballots} ballots: redrawn timeouts should have settled it earlier");
}
