//! Stories of members that come and go: who votes where.

use super::stage::{Found, Stage};
use paxos_node::paxos::{Change, NodeId};

/// α in these stories.
const WINDOW: u64 = 4;

/// Everybody knows the change and is at rest: it is in force.
fn settle(stage: &mut Stage, leader: u16, among: &[u16]) {
    stage.run(among);
    for _ in 0..3 {
        stage.tick(leader, 10);
        stage.run(among);
    }
}

/// n4 is to vote in n3's place; n1 and n3 have chosen that, and n2 hears of nothing. What n1 proposes in
/// the next slots needs votes of those who still govern them: n2's or n3's will do, n4's won't. For n2
/// and n3 may go on there without n1.
pub(super) fn a_configuration_governs_from_its_slot_on() -> Found {
    let mut stage = Stage::with_window(3, WINDOW).lead(1);
    let n4 = stage.prepare_replacement(1, 3);
    stage.sync(1);
    stage.deliver(1, 3);
    stage.sync(3);
    stage.deliver(3, 1);
    stage.append(1, "a");
    stage.lose(1, 2);
    stage.lose(1, 3);
    stage.run(&[1, n4]);
    stage.kill(1);
    stage.kill(n4);
    stage.lose_everything();
    stage.campaign(2);
    stage.exchange(2, 3);
    stage.append(2, "b");
    stage.sync(2);
    stage.deliver(2, 3);
    stage.sync(3);
    // "b" is chosen before n2 hears that the change is, which stands before it.
    let mut votes = stage.take(3, 2, "Accepted");
    votes.reverse();
    stage.hand(3, 2, votes);
    stage.run(&[2, 3]);
    stage.finish()
}

/// A change is on its way, and appends come in behind it, more than the window has room for. n3 hears
/// of them all, the latest first. It is n4 who votes there, in n3's place.
pub(super) fn nobody_proposes_where_he_cannot_know_who_governs() -> Found {
    let mut stage = Stage::with_window(3, WINDOW).lead(1);
    let n4 = stage.prepare_replacement(1, 3);
    for number in 0..WINDOW + 2 {
        stage.append(1, &format!("behind {number}"));
    }
    stage.sync(1);
    let mut accepts = stage.take(1, 3, "Accept");
    accepts.reverse();
    for accept in accepts {
        stage.hand(1, 3, vec![accept]);
        stage.sync(3);
        stage.deliver(3, 1);
    }
    // n2 hears of the change and what it takes for that to be in force, and of nothing behind.
    let accepts = stage.take(1, 2, "Accept");
    stage.hand(1, 2, accepts.into_iter().take(WINDOW as usize).collect());
    stage.sync(2);
    stage.tick(1, 10);
    stage.deliver_only(1, 2, "Heartbeat");
    stage.kill(1);
    stage.kill(3);
    stage.lose_everything();
    stage.elect(2, &[2, n4]);
    stage.append(2, "later");
    settle(&mut stage, 2, &[2, n4]);
    stage.finish()
}

/// Two nodes are to be added at once. Each change names all members: the second would undo the first.
pub(super) fn a_change_waits_for_the_one_before_it() -> Found {
    let mut stage = Stage::with_window(3, WINDOW).lead(1);
    let (n4, n5) = (stage.join(), stage.join());
    let add = |node| Change::Add { node: NodeId(node), incarnation: u64::from(node), address: String::new() };
    let mut began = Vec::new();
    for node in [n4, n5] {
        if stage.change(1, &add(node)) {
            began.push(node);
        }
    }
    let everybody = [1, 2, 3, n4, n5];
    settle(&mut stage, 1, &everybody);
    for node in began {
        let undone = !stage.is_member(node, 1);
        stage.forbid(undone, &format!("n{node} was added, and is no member"));
    }
    stage.finish()
}

/// n4 has taken n3's place, and everybody but n3 knows. What n1 proposes then reaches n3 alone.
pub(super) fn who_is_gone_has_no_vote() -> Found {
    let mut stage = Stage::with_window(3, WINDOW).lead(1);
    let n4 = stage.prepare_replacement(1, 3);
    settle(&mut stage, 1, &[1, 2, n4]);
    stage.demand(!stage.is_member(3, 1), "n3 was to be gone");
    stage.lose_everything();
    stage.append(1, "a");
    stage.run(&[1, 3]);
    stage.kill(1);
    stage.lose_everything();
    stage.elect(2, &[2, n4]);
    stage.append(2, "b");
    stage.run(&[2, n4]);
    stage.finish()
}

/// n1 and n2 have chosen "a", and n3 has not heard of it. n2's disk is emptied, and n2 started again as it
/// was the first time; then n1 is lost. n2's vote would make n3 the leader of a majority that knows nothing.
pub(super) fn a_disk_that_forgot_has_no_vote() -> Found {
    let mut stage = Stage::led_by(1, 3);
    stage.append(1, "a");
    stage.lose(1, 3);
    stage.run(&[1, 2]);
    stage.wipe(2);
    stage.lose_everything();
    stage.start(2);
    // It meets those who are there, and is told whom they know, or not.
    for _ in 0..3 {
        [1, 2, 3].iter().for_each(|node| stage.tick(*node, 2));
        for (from, to) in [(2, 1), (2, 3), (1, 2), (3, 2), (2, 1), (2, 3)] {
            stage.sync(from);
            stage.deliver_only(from, to, "Meet");
            stage.deliver_only(from, to, "Unwelcome");
        }
    }
    let turned_away = !stage.runs(2);
    stage.kill(1);
    stage.lose_everything();
    if !turned_away {
        stage.elect(3, &[2, 3]);
        stage.append(3, "b");
        stage.run(&[2, 3]);
    }
    stage.demand(turned_away, "n2 was to be turned away");
    stage.finish()
}
