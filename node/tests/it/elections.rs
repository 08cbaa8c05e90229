//! Who comes to lead, and who stays: with the questions asked before standing, where the network works
//! in part, and with how slow it may be.

use paxos_node::paxos::{Ballot, ElectionMode, LeaseTerms, NodeId, RoleName, Timing};
use paxos_node::service::ReadMode;
use paxos_node::sim::{Conditions, Fault, Time, Trace, Weather, World};

/// A cluster with a leader that everybody follows.
struct Led {
    world: World,
    leader: Ballot,
}

impl Led {
    fn new(conditions: Conditions) -> Led {
        let mut led = Led { world: World::new(conditions, 5, Trace::off()), leader: Ballot::ZERO };
        led.leader = led.next_leader(10_000_000, |_| true);
        led
    }

    fn nodes(&self) -> Vec<NodeId> {
        self.world.conditions().ids().collect()
    }

    fn run_until(&mut self, end: Time, holds: impl Fn(&World) -> bool) -> bool {
        while !self.world.is_over_at(end) {
            self.world.step().expect("nothing is broken");
            if holds(&self.world) {
                return true;
            }
        }
        false
    }

    fn run(&mut self, us: u64) {
        let end = self.world.now().after(us);
        self.run_until(end, |_| false);
    }

    fn inject(&mut self, fault: Fault) {
        self.world.inject(0, fault);
    }

    /// Only these pairs reach each other.
    fn connect_only(&mut self, pairs: &[(NodeId, NodeId)]) {
        let nodes = self.nodes();
        let is_connected = |a: NodeId, b: NodeId| pairs.contains(&(a, b)) || pairs.contains(&(b, a));
        let all = nodes.iter().flat_map(|a| nodes.iter().map(move |b| (*a, *b)));
        let cut = all.filter(|(a, b)| a != b && !is_connected(*a, *b)).collect();
        self.inject(Fault::Cut(cut));
    }

    /// Runs until a node leads that `wanted` allows and a quorum follows; its ballot.
    fn next_leader(&mut self, us: u64, wanted: impl Fn(NodeId) -> bool) -> Ballot {
        let end = self.world.now().after(us);
        let leads = |world: &World| leader(world).filter(|ballot| wanted(ballot.node));
        assert!(self.run_until(end, |world| leads(world).is_some()), "in {us}us nobody came to lead");
        leads(&self.world).expect("just found")
    }

    fn leader_now(&self) -> Option<Ballot> {
        leader(&self.world)
    }

    fn ballots(&self) -> u64 {
        self.world.observer().ballots_used()
    }

    fn followers(&self) -> Vec<NodeId> {
        self.nodes().into_iter().filter(|node| *node != self.leader.node).collect()
    }
}

/// Who leads and is followed by a quorum, itself included.
fn leader(world: &World) -> Option<Ballot> {
    let ids: Vec<NodeId> = world.conditions().ids().collect();
    let replicas = || ids.iter().filter_map(|node| Some(world.service(*node)?.replica()));
    let leading = replicas().filter(|replica| replica.role() == RoleName::Leader);
    let followers = |ballot| replicas().filter(|replica| replica.leader() == Some(ballot)).count();
    leading.filter_map(|replica| replica.leader()).find(|ballot| 2 * followers(*ballot) > ids.len())
}

fn isolating(led: &Led, node: NodeId) -> Vec<(NodeId, NodeId)> {
    let others = led.nodes().into_iter().filter(|other| *other != node);
    others.flat_map(|other| [(node, other), (other, node)]).collect()
}

#[test]
fn a_node_that_was_cut_off_does_not_depose_the_leader_when_it_returns() {
    for (election, deposed) in [(ElectionMode::PreVote, false), (ElectionMode::Randomised, true)] {
        let mut led = Led::new(Conditions { election, ..Conditions::calm(3) });
        let cut = isolating(&led, led.followers()[0]);
        led.inject(Fault::Cut(cut));
        led.run(5_000_000);
        let before = led.ballots();
        led.inject(Fault::Cut(Vec::new()));
        led.run(5_000_000);
        let leader = led.leader_now();
        assert_eq!(leader != Some(led.leader), deposed, "{election:?}: {} led, now {leader:?}", led.leader);
        assert!(deposed || led.ballots() == before, "{election:?}: {} ballots more", led.ballots() - before);
    }
}

/// Three in a row, the leader at one end: it has its quorum, and whoever does not hear it is told so.
#[test]
fn a_chain_keeps_its_leader() {
    let mut led = Led::new(Conditions::calm(3));
    let ballots = led.ballots();
    let [middle, end] = led.followers()[..] else { panic!("three nodes") };
    led.connect_only(&[(led.leader.node, middle), (middle, end)]);
    led.run(20_000_000);
    assert_eq!((led.leader_now(), led.ballots()), (Some(led.leader), ballots));
}

/// One node reaches all others, which reach nobody else: the leader has lost its quorum and gives up,
/// and only that one can follow it. (Liveness that Raft loses: Ng and others, OmniPaxos, 2023.)
#[test]
fn the_only_node_that_reaches_a_quorum_comes_to_lead_and_stays() {
    let mut led = Led::new(Conditions::calm(5));
    let hub = led.followers()[0];
    let spokes: Vec<_> = led.nodes().into_iter().map(|node| (hub, node)).collect();
    led.connect_only(&spokes);
    let leader = led.next_leader(3_000_000, |node| node == hub);
    let ballots = led.ballots();
    led.run(20_000_000);
    assert_eq!((led.leader_now(), led.ballots()), (Some(leader), ballots));
}

/// Everybody hears the leader, and it hears nobody: it gives up, and those who hear each other go on.
#[test]
fn a_leader_that_only_speaks_is_replaced() {
    let mut led = Led::new(Conditions::calm(5));
    let (deaf, others) = (led.leader.node, led.followers());
    led.inject(Fault::Cut(others.iter().map(|other| (*other, deaf)).collect()));
    let leader = led.next_leader(3_000_000, |node| node != deaf);
    led.run(20_000_000);
    assert_eq!(led.leader_now(), Some(leader));
}

/// A follower that hears nobody, and is heard, asks for ever: nobody minds.
#[test]
fn a_deaf_follower_disturbs_nobody() {
    let mut led = Led::new(Conditions::calm(3));
    let (ballots, deaf) = (led.ballots(), led.followers()[0]);
    led.inject(Fault::Cut(led.nodes().into_iter().filter(|n| *n != deaf).map(|n| (n, deaf)).collect()));
    led.run(20_000_000);
    assert_eq!((led.leader_now(), led.ballots()), (Some(led.leader), ballots));
}

/// Not after an election timeout: it was seen to die.
#[test]
fn a_leader_that_dies_is_replaced_at_once() {
    for nodes in [3, 5, 7] {
        let mut led = Led::new(Conditions::calm(nodes));
        let dead = led.leader.node;
        led.inject(Fault::Kill(dead));
        let began = led.world.now();
        led.next_leader(10_000_000, |node| node != dead);
        let us = led.world.now().0 - began.0;
        let timeout_us = Timing::default().election_ticks_min * led.world.conditions().tick_ms * 1000;
        assert!(us < timeout_us / 2, "{nodes} nodes: {us}us");
    }
}

#[test]
fn a_reset_connection_deposes_nobody() {
    let mut led = Led::new(Conditions::calm(3));
    let ballots = led.ballots();
    for _ in 0..20 {
        for follower in led.followers() {
            led.inject(Fault::Reset(follower, led.leader.node));
            led.run(30_000);
        }
    }
    led.run(1_000_000);
    assert_eq!((led.leader_now(), led.ballots()), (Some(led.leader), ballots));
}

#[test]
fn a_slow_disk_deposes_nobody() {
    let mut led = Led::new(Conditions::calm(3));
    let ballots = led.ballots();
    for node in led.nodes() {
        led.inject(Fault::DiskSpeed(node, 200_000, 2_000_000));
    }
    led.run(20_000_000);
    assert_eq!((led.leader_now(), led.ballots()), (Some(led.leader), ballots));
}

/// A round trip takes longer than several election timeouts.
#[test]
fn a_network_slower_than_the_timeouts_elects_once() {
    for nodes in [3, 5] {
        let far = Weather { delay_us_min: 225_000, delay_us_max: 285_000, ..Weather::CALM };
        let mut led = Led::new(Conditions { weather: far, ..Conditions::calm(nodes) });
        let ballots = led.ballots();
        assert!(ballots <= 2 * u64::from(nodes), "{nodes} nodes took {ballots} ballots");
        led.run(30_000_000);
        assert_eq!((led.leader_now(), led.ballots()), (Some(led.leader), ballots), "{nodes} nodes");
    }
}

/// Losing the question, or the answer, costs a heartbeat's time and not the election.
#[test]
fn a_lossy_network_elects() {
    let bad = Weather { lose: 300_000, duplicate: 200_000, ..Weather::CALM };
    for nodes in [3, 5, 7] {
        let mut led = Led::new(Conditions { weather: bad, ..Conditions::calm(nodes) });
        let dead = led.leader.node;
        led.inject(Fault::Kill(dead));
        led.next_leader(5_000_000, |node| node != dead);
    }
}

/// A leader's process is gone, and all know it at once; but it may have held a lease.
#[test]
fn a_dead_leader_is_replaced_when_its_lease_is_over() {
    let lease = LeaseTerms { term_us: 100_000, drift_ppm: 0 };
    for (lease, at_least_us) in [(LeaseTerms::NONE, 0), (lease, 60_000)] {
        let mut led = Led::new(Conditions { lease, reads: ReadMode::Lease, ..Conditions::calm(3) });
        led.run(500_000);
        let died = led.world.now();
        led.inject(Fault::Kill(led.leader.node));
        let dead = led.leader.node;
        led.next_leader(150_000, |node| node != dead);
        let without_us = led.world.now().0 - died.0;
        assert!((at_least_us..at_least_us + 70_000).contains(&without_us), "{lease:?}: {without_us}us");
    }
}

/// Killed and started again at once, a follower does not know any more what it granted.
#[test]
fn a_node_that_starts_waits_for_what_it_may_have_granted() {
    let lease = LeaseTerms { term_us: 100_000, drift_ppm: 0 };
    let mut led = Led::new(Conditions { lease, reads: ReadMode::Lease, ..Conditions::calm(3) });
    led.run(500_000);
    let (before, cut) = (led.world.now(), isolating(&led, led.leader.node));
    led.inject(Fault::Cut(cut));
    for follower in led.followers() {
        led.inject(Fault::Kill(follower));
        led.world.inject(1_000, Fault::Start(follower));
    }
    let old = led.leader;
    let end = before.after(100_000);
    let deposed = led.run_until(end, |world| leader(world).is_some_and(|ballot| ballot > old));
    assert!(!deposed, "another leads at {} of a lease from {before} on", led.world.now());
    led.next_leader(1_000_000, |node| node != old.node);
}
