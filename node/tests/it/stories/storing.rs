//! Stories of logs: what a disk may do, and what must not come of it.

use super::stage::{Found, Stage};
use paxos_node::paxos::{Message, Slot};

/// Larger than a sector, so that it can be torn.
const LARGE: usize = 900;

fn large(letter: &str) -> String {
    letter.repeat(LARGE)
}

/// n2 has "a" on its disk, and n1, which proposed it, has not, when n1 loses power and n2 is not reached. Had
/// n1 counted itself, a client would have been told that "a" is safe.
pub(super) fn a_leaders_own_vote_counts_when_it_is_on_disk() -> Found {
    let mut stage = Stage::led_by(1, 3);
    stage.append(1, "a");
    stage.deliver(1, 2);
    stage.sync(2);
    stage.deliver(2, 1);
    stage.lose_everything();
    stage.lose_power(1);
    stage.kill(2);
    stage.start(1);
    stage.elect(3, &[1, 3]);
    stage.append(3, "b");
    stage.run(&[1, 3]);
    stage.finish()
}

/// n2 has "a" on its disk from n1's first ballot. n1 forgot it with its power, and put a no-op in its place
/// in its second, on its own disk alone. n2 takes over with n3 and n4, and proposes "a" again in its own
/// ballot: those two have that on their disks when its power goes, and n2 has not. (n5 missed it, and
/// has what came after.)
pub(super) fn a_vote_rests_on_the_record_of_its_ballot() -> Found {
    let mut stage = Stage::led_by(1, 5);
    stage.append(1, "a");
    stage.deliver(1, 2);
    stage.sync(2);
    stage.lose_everything();
    stage.lose_power(1);
    stage.start(1);
    promised_by_n3_and_n4(&mut stage, 1);
    stage.sync(1);
    stage.lose_everything();
    stage.kill(1);
    promised_by_n3_and_n4(&mut stage, 2);
    let mut to_n5 = stage.take(2, 5, "Accept");
    to_n5.retain(|message| !matches!(message, Message::Accept { slot: Slot(2), .. }));
    stage.hand(2, 5, to_n5);
    for _ in 0..2 {
        for node in [3, 4, 5] {
            stage.deliver(2, node);
            stage.sync(node);
            stage.deliver(node, 2);
        }
        stage.read(2);
    }
    stage.lose_power(2);
    stage.kill(3);
    stage.kill(4);
    stage.lose_everything();
    stage.start(1);
    stage.start(2);
    stage.elect(1, &[1, 2, 5]);
    stage.finish()
}

/// The node stands, and leads by those promises; nothing that it says as a leader has arrived.
fn promised_by_n3_and_n4(stage: &mut Stage, node: u16) {
    stage.campaign(node);
    stage.sync(node);
    for other in [3, 4] {
        stage.deliver_only(node, other, "Prepare");
        stage.sync(other);
        stage.deliver_only(other, node, "Promise");
    }
    stage.demand(stage.leads(node), "five nodes need three promises");
}

/// Of what n2 was writing when it lost power, the first sector arrived. The rest of its place is zeros.
pub(super) fn half_a_batch_is_none() -> Found {
    let mut stage = Stage::led_by(1, 3);
    stage.append(1, &large("a"));
    stage.deliver(1, 2);
    stage.lose_power_halfway(2);
    stage.start(2);
    stage.run(&[1, 2, 3]);
    stage.finish()
}

/// n1 and n2 have "a" and "b"; n3 has not been reached. Then n2's log rots where "a" is. It must not come
/// back as if it had never heard of "a": n3 would believe it. It refuses, somebody brings the file back,
/// and all is well.
pub(super) fn rot_is_not_taken_for_the_end_of_the_log() -> Found {
    let mut stage = Stage::with_segments(3, u64::MAX, 2048).lead(1);
    for value in ["the letter a", "b"] {
        stage.append(1, value);
        stage.exchange(1, 2);
    }
    stage.lose_everything();
    stage.kill(2);
    stage.kill(1);
    let rotten = stage.rot(2, "the letter a");
    let refused = stage.try_start(2).is_err();
    if refused {
        stage.mend(2, rotten);
        stage.start(2);
    }
    stage.elect(3, &[2, 3]);
    stage.finish()
}

/// The same as above, and n2 goes on: what it writes next is read by its next life.
pub(super) fn a_torn_tail_is_cut_before_anything_is_appended() -> Found {
    let mut stage = Stage::led_by(1, 3);
    stage.append(1, &large("a"));
    stage.deliver(1, 2);
    stage.lose_power_halfway(2);
    stage.start(2);
    for value in ["b", "c"] {
        stage.append(1, value);
        stage.run(&[1, 2, 3]);
    }
    stage.kill(2);
    stage.start(2);
    stage.finish()
}

/// n2's log has been trimmed, and has grown again over what it had written before.
pub(super) fn what_a_segment_held_before_is_not_in_the_log() -> Found {
    let mut stage = Stage::with_segments(3, 2000, 2048).lead(1);
    for number in 0..60 {
        stage.append(1, &format!("{number} {}", "x".repeat(100)));
        stage.run(&[1, 2, 3]);
        if number % 7 == 6 {
            stage.kill(2);
            stage.start(2);
        }
    }
    let trimmed = stage.snapshot(1) > 0;
    stage.demand(trimmed, "a log that grows leads to a snapshot");
    stage.finish()
}

/// n1 and n2 have "a" on their disks, and lose power.
pub(super) fn a_segment_has_its_name_before_it_holds_anything() -> Found {
    let mut stage = Stage::led_by(1, 3);
    stage.append(1, "a");
    stage.run(&[1, 2]);
    stage.lose_everything();
    for node in [1, 2] {
        stage.lose_power(node);
        stage.start(node);
    }
    stage.elect(3, &[2, 3]);
    stage.finish()
}

/// n1's disk hangs. Everything is chosen without it; nothing is wrong with n1 but that.
pub(super) fn a_slow_disk_does_not_silence_a_leader() -> Found {
    let mut stage = Stage::led_by(1, 3);
    stage.append(1, "a");
    stage.deliver(1, 2);
    stage.deliver(1, 3);
    stage.exchange(2, 3);
    stage.deliver(2, 1);
    stage.deliver(3, 1);
    for _ in 0..200 {
        for node in [1, 2, 3] {
            stage.tick(node, 1);
        }
        stage.deliver(1, 2);
        stage.deliver(1, 3);
        stage.deliver(2, 1);
        stage.deliver(3, 1);
    }
    let leads = stage.leads(1) && !stage.stood(2) && !stage.stood(3);
    stage.demand(leads, "a slow disk deposed a leader");
    stage.finish()
}
