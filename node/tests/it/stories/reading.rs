//! Stories of reads: whoever answers from its own state must know that it is still the one to ask.

use super::stage::{Found, Stage};
use paxos_node::paxos::{LeaseTerms, Message};

/// "a" is chosen by n1 and n2 and told to its client; n1 dies. n2 takes over with n3, and is asked
/// for the list before it knows what of all that it took over is chosen.
pub(super) fn a_new_leader_reads_after_its_barrier() -> Found {
    let mut stage = Stage::led_by(1, 3);
    stage.append(1, "a");
    stage.exchange(1, 2);
    stage.lose_everything();
    stage.kill(1);
    stage.campaign(2);
    stage.exchange(2, 3);
    stage.read(2);
    stage.deliver_only(2, 3, "Heartbeat");
    stage.deliver_only(3, 2, "HeartbeatAck");
    stage.run(&[2, 3]);
    stage.finish()
}

/// n3 leads, and "b" is chosen; n1, cut off, does not know. Asked for the list it must ask first.
pub(super) fn a_leader_asks_before_it_reads() -> Found {
    let mut stage = Stage::led_by(1, 3);
    n1_is_asked_when_n3_leads(&mut stage);
    stage.finish()
}

/// n1 asks n2 for the sake of one read, and the answer is long under way. Meanwhile n3 leads, and
/// "b" is chosen. A second read comes to n1: the answer that now arrives was given before it.
pub(super) fn an_answer_confirms_no_read_that_came_after_the_question() -> Found {
    let (mut stage, late) = an_answer_is_late();
    n1_is_asked_when_n3_leads(&mut stage);
    stage.hand(2, 1, late);
    stage.finish()
}

/// The same over several ballots: n1 asked in its first one, and counts its questions anew in the
/// next. The old answer bears the right number, and the wrong ballot.
pub(super) fn an_answer_in_an_older_ballot_confirms_nothing() -> Found {
    let (mut stage, late) = an_answer_is_late();
    stage.elect(2, &[2, 3]);
    stage.lose_everything();
    stage.tick(2, 5);
    stage.deliver(2, 1);
    stage.lose_everything();
    stage.elect(1, &[1, 2, 3]);
    n1_is_asked_when_n3_leads(&mut stage);
    stage.hand(2, 1, late);
    stage.finish()
}

/// n1 holds a lease of a second, and is frozen for nine tenths of that, by its own clock. Those of n2 and n3
/// run a little faster: to them the second is over, n3 leads, and "b" is chosen.
pub(super) fn a_lease_is_used_for_less_than_is_granted() -> Found {
    const SECOND_US: u64 = 1_000_000;
    let terms = LeaseTerms { term_us: SECOND_US, drift_ppm: 100_000 };
    let mut stage = Stage::with_leases(3, terms).lead(1);
    stage.pass(2, SECOND_US);
    stage.pass(3, SECOND_US);
    stage.pass(1, SECOND_US * 9 / 10);
    n1_is_asked_when_n3_leads(&mut stage);
    stage.finish()
}

/// n3 follows, and has not heard of "a" yet.
pub(super) fn a_follower_does_not_read() -> Found {
    let mut stage = Stage::led_by(1, 3);
    stage.append(1, "a");
    stage.exchange(1, 2);
    stage.read(3);
    stage.finish()
}

/// n1 has asked n2 for the sake of a read, and the answer is long under way.
fn an_answer_is_late() -> (Stage, Vec<Message>) {
    let mut stage = Stage::led_by(1, 3);
    stage.read(1);
    stage.deliver(1, 2);
    let late = stage.take(2, 1, "HeartbeatAck");
    stage.lose_everything();
    (stage, late)
}

/// n3 leads, and "b" is chosen; n1, cut off, is asked for the list.
fn n1_is_asked_when_n3_leads(stage: &mut Stage) {
    stage.elect(3, &[2, 3]);
    stage.append(3, "b");
    stage.run(&[2, 3]);
    stage.lose_everything();
    stage.read(1);
}
