//! Stories of proposers: what a candidate must ask, what it must take from the answers, and whose
//! votes a leader may count.

use super::stage::{Found, Stage};

/// Three leaders in turn. n1's "x1" and "x2" reach n2 alone. n3, with n4 and n5, finds neither;
/// its no-op and "y" are chosen by n3, n4 and n1. n5 hears n2 first, then n4: both report, for the
/// same slots; the higher ballot in which something was *accepted* is right.
pub(super) fn the_highest_ballot_reported_wins() -> Found {
    let mut stage = Stage::led_by(1, 5);
    stage.append(1, "x1");
    stage.append(1, "x2");
    stage.sync(1);
    stage.deliver(1, 2);
    stage.sync(2);
    stage.lose_everything();
    stage.campaign(3);
    stage.sync(3);
    stage.lose(3, 1);
    stage.lose(3, 2);
    for node in [4, 5] {
        stage.deliver(3, node);
        stage.sync(node);
        stage.deliver(node, 3);
    }
    stage.append(3, "y");
    stage.lose(3, 2);
    stage.lose(3, 5);
    stage.run(&[1, 3, 4]);
    stage.lose_everything();
    stage.kill(1);
    stage.kill(3);
    stage.campaign(5);
    stage.sync(5);
    for node in [2, 4] {
        stage.deliver(5, node);
        stage.sync(node);
        stage.deliver(node, 5);
    }
    stage.run(&[2, 4, 5]);
    stage.finish()
}

/// "a" is chosen by n1 and n2; n1 knows, n2 does not. n3, who has missed it all, stands, and only
/// n1 answers. What n1 knows to be chosen it must report like anything else: else n3 proposes
/// something else, and n2 accepts that.
pub(super) fn a_promise_reports_what_is_chosen() -> Found {
    let mut stage = Stage::led_by(1, 3);
    stage.append(1, "a");
    stage.exchange(1, 2);
    stage.lose_everything();
    stage.campaign(3);
    stage.sync(3);
    stage.lose(3, 2);
    stage.deliver(3, 1);
    stage.sync(1);
    stage.deliver(1, 3);
    stage.lose(3, 1);
    stage.run(&[2, 3]);
    stage.finish()
}

/// Three large values and "a" are chosen by n1 and n2, and n1 dies. n2's answer to n3 takes more
/// than one message, and "a" is in the second: n2 has not answered before that.
pub(super) fn an_answer_counts_with_its_last_chunk() -> Found {
    let mut stage = Stage::led_by(1, 3);
    for key in ["x", "y", "z"] {
        stage.put(1, key, 400_000);
    }
    stage.append(1, "a");
    stage.exchange(1, 2);
    stage.lose_everything();
    stage.kill(1);
    stage.elect(3, &[2, 3]);
    stage.finish()
}

/// n2 promises n3, and the promise is long under way. Meanwhile n1 leads in a higher ballot and
/// "a" is chosen by n1 and n2. n3 stands again, above that; nobody hears it, but the old promise
/// arrives: it says nothing about this ballot, and nothing of "a".
pub(super) fn an_old_promise_is_no_promise() -> Found {
    let mut stage = Stage::led_by(1, 3);
    stage.campaign(3);
    stage.sync(3);
    stage.deliver(3, 2);
    stage.sync(2);
    let late = stage.take(2, 3, "Promise");
    stage.lose_everything();
    stage.tick(1, 5);
    stage.deliver(1, 2);
    stage.deliver(2, 1);
    stage.lose_everything();
    stage.elect(1, &[1, 2]);
    stage.append(1, "a");
    stage.run(&[1, 2]);
    stage.lose_everything();
    stage.campaign(3);
    stage.sync(3);
    stage.lose_everything();
    stage.hand(2, 3, late);
    stage.append(3, "b");
    stage.read(3);
    stage.run(&[2, 3]);
    stage.finish()
}

/// "a" has n1's own vote and n2's, which arrives twice: two of five. Then these two are gone.
pub(super) fn a_vote_that_comes_twice_counts_once() -> Found {
    let mut stage = Stage::led_by(1, 5);
    stage.append(1, "a");
    stage.sync(1);
    stage.deliver(1, 2);
    stage.sync(2);
    let vote = stage.take(2, 1, "Accepted");
    stage.hand(2, 1, vote.clone());
    stage.hand(2, 1, vote);
    stage.lose_everything();
    stage.kill(1);
    stage.kill(2);
    stage.elect(3, &[3, 4, 5]);
    stage.finish()
}

/// "a" is chosen by n1 and n2, and n1 dies right after it told the client. n3 finds "a" in n2's
/// promise, in nobody else's: that is enough, it must propose it again.
pub(super) fn a_value_that_one_acceptor_reports_may_be_chosen() -> Found {
    let mut stage = Stage::led_by(1, 3);
    stage.append(1, "a");
    stage.exchange(1, 2);
    stage.lose_everything();
    stage.kill(1);
    stage.elect(3, &[2, 3]);
    stage.finish()
}

/// n1 proposes "x1" and "x2", which are long under way to n2, and loses power before its own disk
/// has them. Back again it leads, in a ballot above, and "b" is chosen by n1 and n3. In the old
/// ballot again, it would have proposed two things in one ballot and slot; and when it says what
/// is chosen, n2 would take "x2" for that.
pub(super) fn a_ballot_is_used_in_one_life_only() -> Found {
    let mut stage = Stage::led_by(1, 3);
    stage.append(1, "x1");
    stage.append(1, "x2");
    let late = stage.take(1, 2, "Accept");
    stage.lose_everything();
    stage.lose_power(1);
    stage.start(1);
    stage.campaign(1);
    stage.exchange(1, 3);
    stage.append(1, "b");
    stage.run(&[1, 3]);
    stage.lose_everything();
    stage.hand(1, 2, late);
    stage.sync(2);
    stage.lose_everything();
    n1_says_what_is_chosen_and_n2_goes_on(stage)
}

/// Four nodes in two halves. Neither half may choose anything.
pub(super) fn half_of_the_nodes_are_no_quorum() -> Found {
    let mut stage = Stage::led_by(1, 4);
    stage.append(1, "a");
    stage.run(&[1, 2]);
    stage.lose_everything();
    stage.campaign(3);
    stage.run(&[3, 4]);
    stage.append(3, "b");
    stage.read(3);
    stage.run(&[3, 4]);
    stage.finish()
}

/// n2's votes for "x1" and "x2" are long under way. n1 loses power, forgets both, and leads again
/// with n3, in a higher ballot, in which it proposes a no-op and "y" in those slots. Now the old
/// votes arrive: they are for the old ballot, and n2 does not have "y".
pub(super) fn votes_for_an_older_ballot_do_not_count() -> Found {
    let mut stage = Stage::led_by(1, 3);
    stage.append(1, "x1");
    stage.append(1, "x2");
    stage.deliver(1, 2);
    stage.sync(2);
    let late = stage.take(2, 1, "Accepted");
    stage.lose_everything();
    stage.lose_power(1);
    stage.start(1);
    stage.campaign(1);
    stage.sync(1);
    stage.lose(1, 2);
    stage.deliver(1, 3);
    stage.sync(3);
    stage.deliver(3, 1);
    stage.append(1, "y");
    stage.sync(1);
    stage.hand(2, 1, late);
    stage.lose_everything();
    stage.kill(1);
    stage.elect(2, &[2, 3]);
    stage.finish()
}

/// n1 leads, its "a" has reached n2, and it loses power before its own disk has "a". Back again,
/// it leads nobody before it has asked: it would put "b" where n2 has "a", in the same ballot.
pub(super) fn a_leader_that_restarts_leads_no_more() -> Found {
    let mut stage = Stage::led_by(1, 3);
    stage.append(1, "a");
    stage.deliver(1, 2);
    stage.sync(2);
    stage.lose_everything();
    stage.lose_power(1);
    stage.start(1);
    stage.append(1, "b");
    stage.run(&[1, 3]);
    stage.lose(1, 2);
    n1_says_what_is_chosen_and_n2_goes_on(stage)
}

/// n3 leads with n2 while n1, still a leader in its own eyes, proposes. n2 refuses and says why:
/// n1 must stand down at once and tell its client, not when its patience with n2 ends.
pub(super) fn a_refused_leader_stands_down_at_once() -> Found {
    let mut stage = Stage::led_by(1, 3);
    stage.elect(3, &[2, 3]);
    stage.lose_everything();
    let a = stage.append(1, "a");
    stage.deliver(1, 2);
    stage.sync(2);
    stage.deliver(2, 1);
    stage.demand(stage.told(a).is_some(), "a deposed leader, told so, keeps its client waiting");
    stage.finish()
}

/// The leader dies when "b" is chosen behind a slot that nobody alive knows anything about. The
/// next leader must put a no-op there: else nothing behind it is ever executed.
pub(super) fn a_gap_is_filled() -> Found {
    let mut stage = Stage::led_by(1, 3);
    stage.append(1, "a");
    stage.append(1, "b");
    stage.sync(1);
    let second = stage.take(1, 2, "Accept").split_off(1);
    stage.hand(1, 2, second);
    stage.sync(2);
    stage.deliver(2, 1);
    stage.lose_everything();
    stage.kill(1);
    stage.elect(3, &[2, 3]);
    let c = stage.append(3, "c");
    stage.run(&[2, 3]);
    stage.demand(stage.is_done(c), "the new leader executes nothing");
    stage.finish()
}

/// n2 hears from n1 how far everything is chosen; then n1 dies, and n2 leads and is asked for the list.
fn n1_says_what_is_chosen_and_n2_goes_on(mut stage: Stage) -> Found {
    stage.tick(1, 5);
    stage.deliver(1, 2);
    stage.sync(2);
    stage.lose_everything();
    stage.kill(1);
    stage.elect(2, &[2, 3]);
    stage.read(2);
    stage.run(&[2, 3]);
    stage.finish()
}
