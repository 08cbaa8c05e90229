//! Stories of clients and of what is executed for them: when they may be told what, and that
//! everything happens once, in one order, everywhere.

use super::stage::{Found, Stage};

/// "a" is on the leader's disk and nowhere else when the leader dies.
pub(super) fn a_client_is_answered_when_a_quorum_has_it() -> Found {
    let mut stage = Stage::led_by(1, 3);
    stage.append(1, "a");
    stage.sync(1);
    stage.lose_everything();
    stage.kill(1);
    stage.elect(2, &[2, 3]);
    stage.finish()
}

/// n1 is deposed while "a" is under way; its successor finds "a" and finishes it. So n1 may not
/// tell the client that "a" failed: it does not know.
pub(super) fn a_deposed_leader_does_not_know() -> Found {
    let mut stage = Stage::led_by(1, 3);
    stage.append(1, "a");
    stage.sync(1);
    stage.deliver(1, 2);
    stage.sync(2);
    stage.lose_everything();
    stage.campaign(3);
    stage.exchange(3, 2);
    stage.run(&[2, 3]);
    stage.deliver(3, 1);
    stage.finish()
}

/// Two clients want to be the first to set a register. Who is, the log decides.
pub(super) fn of_two_that_must_be_first_one_is() -> Found {
    let mut stage = Stage::led_by(1, 3);
    let first = stage.put_if_absent(1, "a");
    let second = stage.put_if_absent(1, "b");
    stage.run(&[1, 2, 3]);
    stage.demand(stage.told(first).is_some() && stage.told(second).is_some(), "both get an answer");
    let both = stage.is_done(first) && stage.is_done(second);
    stage.forbid(both, "two compare-and-swaps from nothing have both succeeded");
    stage.finish()
}

/// "b" is chosen before "a", whose message is late. It can be executed, and read, only after it.
pub(super) fn nothing_is_executed_behind_a_gap() -> Found {
    let mut stage = Stage::led_by(1, 3);
    stage.append(1, "a");
    stage.append(1, "b");
    stage.sync(1);
    let mut first = stage.take(1, 2, "Accept");
    let second = first.split_off(1);
    stage.hand(1, 2, second);
    stage.sync(2);
    stage.deliver(2, 1);
    stage.hand(1, 2, first);
    stage.sync(2);
    stage.deliver(2, 1);
    stage.read(1);
    stage.deliver(1, 2);
    stage.deliver(2, 1);
    stage.lose_everything();
    stage.kill(1);
    stage.elect(2, &[2, 3]);
    stage.finish()
}

/// n1, cut off, has "x1" and "x2" on its own disk. n3 leads with n2, and a no-op and "y" are
/// chosen in those slots. When n1 hears from n3 how far everything is chosen, that says nothing of
/// what n1 accepted in another ballot.
pub(super) fn a_mark_speaks_of_its_own_ballot() -> Found {
    let mut stage = Stage::led_by(1, 3);
    stage.append(1, "x1");
    stage.append(1, "x2");
    stage.sync(1);
    stage.lose_everything();
    stage.campaign(3);
    stage.exchange(3, 2);
    stage.append(3, "y");
    stage.run(&[2, 3]);
    stage.lose_everything();
    stage.tick(3, 5);
    stage.deliver(3, 1);
    stage.lose_everything();
    stage.campaign(1);
    stage.exchange(1, 2);
    stage.take(1, 2, "Heartbeat");
    stage.read(1);
    stage.sync(1);
    for kind in ["Heartbeat", "Accept"] {
        stage.deliver_only(1, 2, kind);
        stage.sync(2);
        stage.deliver(2, 1);
    }
    stage.finish()
}

/// A client does not hear the answer and asks again: it happened, and must not happen again.
pub(super) fn a_request_repeated_happens_once() -> Found {
    let mut stage = Stage::led_by(1, 3);
    let session = stage.open_session(1);
    let a = stage.append_as(1, session, 1, "a");
    stage.hang_up(a);
    stage.run(&[1, 2, 3]);
    stage.retry(1, a);
    stage.run(&[1, 2, 3]);
    stage.demand(stage.is_done(a), "the repeated request is answered");
    stage.finish()
}

/// The same, and in between the leader dies: its successor must know what has happened.
pub(super) fn a_request_repeated_to_the_next_leader_happens_once() -> Found {
    let mut stage = Stage::led_by(1, 3);
    let session = stage.open_session(1);
    let a = stage.append_as(1, session, 1, "a");
    stage.hang_up(a);
    stage.run(&[1, 2, 3]);
    stage.kill(1);
    stage.elect(2, &[2, 3]);
    stage.retry(2, a);
    stage.run(&[2, 3]);
    stage.demand(stage.is_done(a), "the repeated request is answered");
    stage.finish()
}

/// A session's second request is not its first.
pub(super) fn a_new_request_is_executed() -> Found {
    let mut stage = Stage::led_by(1, 3);
    let session = stage.open_session(1);
    for (sequence, item) in [(1, "a"), (2, "b")] {
        stage.append_as(1, session, sequence, item);
        stage.run(&[1, 2, 3]);
    }
    stage.finish()
}

/// A client's session is used, and again after a while in which n3, cut off, saw eleven minutes pass.
pub(super) fn sessions_expire_by_the_log_alone() -> Found {
    const ELEVEN_MINUTES: u64 = 11 * 60 * 100;
    let mut stage = Stage::led_by(1, 3);
    let session = stage.open_session(1);
    stage.append_as(1, session, 1, "a");
    stage.run(&[1, 2, 3]);
    stage.tick(3, ELEVEN_MINUTES);
    stage.lose_everything();
    stage.append_as(1, session, 2, "b");
    stage.run(&[1, 2]);
    stage.finish()
}

/// n2's clock is ahead of n3's, and n1's of both. The same log still makes the same state.
pub(super) fn no_clock_matters_to_the_state() -> Found {
    let mut stage = Stage::led_by(1, 3);
    stage.tick(2, 3);
    stage.append(1, "a");
    stage.run(&[1, 2, 3]);
    stage.tick(1, 5);
    stage.run(&[1, 2, 3]);
    stage.tick(1, 5);
    stage.run(&[1, 2, 3]);
    stage.finish()
}

/// n2 hands a request on to the leader, and the message is lost.
pub(super) fn what_was_handed_on_has_not_happened() -> Found {
    let mut stage = Stage::led_by(1, 3);
    stage.append(2, "a");
    stage.lose_everything();
    stage.finish()
}
