//! Stories: for each rule of the protocol the shortest run of events in which it matters. They end
//! well. In a build with mutants each also runs with its rule removed, and must not.
//!
//! Each story says in what way it goes wrong then: the observer sees an invariant broken, a node
//! stops itself, the clients are told what can't be, something that must happen does not. Only
//! the first needs eyes inside: a story that goes wrong in another way is one that a test of real
//! processes can see as well.

mod leading;
mod members;
mod reading;
mod serving;
mod snapshots;
mod stage;
mod storing;
mod voting;
mod waiting;

use Way::{Clients, Node, Observer, Progress};
use stage::Found;

/// A way to go wrong.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
enum Way {
    Observer,
    Node,
    Clients,
    Progress,
}

impl Way {
    const ALL: [Way; 4] = [Observer, Node, Clients, Progress];

    fn of(self, found: &Found) -> Option<&str> {
        match self {
            Observer => found.observer.as_deref(),
            Node => found.node.as_deref(),
            Clients => found.clients.as_deref(),
            Progress => found.progress.as_deref(),
        }
    }
}

/// A mutant, the story that it spoils, and how: all the ways, with words from what is found.
struct Story {
    mutant: &'static str,
    tell: fn() -> Found,
    #[cfg_attr(not(feature = "mutants"), expect(dead_code, reason = "nothing is spoilt in a normal build"))]
    spoilt: &'static [(Way, &'static str)],
}

const fn story(mutant: &'static str, tell: fn() -> Found, spoilt: &'static [(Way, &'static str)]) -> Story {
    Story { mutant, tell, spoilt }
}

/// Every rule's story.
const STORIES: &[Story] = &[
    story(
        "ack-before-fsync",
        voting::an_acceptance_is_told_when_it_is_on_disk,
        &[(Observer, "disk before ACK: n2 says Accepted"), (Clients, "lost")],
    ),
    story(
        "promise-before-fsync",
        voting::a_promise_is_told_when_it_is_on_disk,
        &[
            (Observer, "disk before ACK: n2 says Promise"),
            (Node, "I8"),
            (Clients, "lost"),
            (Progress, "no leader"),
        ],
    ),
    story(
        "forget-promise-on-restart",
        voting::a_promise_is_remembered_across_a_restart,
        &[(Observer, "I4"), (Node, "I8"), (Clients, "lost"), (Progress, "no leader")],
    ),
    story(
        "forget-accepted-on-restart",
        voting::what_was_accepted_is_remembered_beyond_the_chosen_mark,
        &[(Observer, "I9"), (Clients, "lost")],
    ),
    story(
        "accept-lower-ballot",
        voting::a_promise_holds_in_slots_never_seen,
        &[(Observer, "I4"), (Node, "I8"), (Clients, "lost"), (Progress, "no leader")],
    ),
    story("accept-does-not-raise-promise", voting::accepting_is_promising, &[(Observer, "I4"), (Node, "I4")]),
    story(
        "ballot-round-only",
        voting::two_ballots_of_one_round_are_two_ballots,
        &[(Observer, "I2"), (Node, "I8"), (Clients, "lost"), (Progress, "no leader")],
    ),
    story(
        "one-ballot-variable",
        leading::the_highest_ballot_reported_wins,
        &[(Observer, "I9"), (Clients, "lost")],
    ),
    story(
        "promise-omits-chosen",
        leading::a_promise_reports_what_is_chosen,
        &[(Observer, "I9"), (Node, "I8"), (Clients, "lost")],
    ),
    story(
        "promise-omits-compacted",
        snapshots::a_promise_says_what_was_trimmed,
        &[(Observer, "I9"), (Node, "I8")],
    ),
    story(
        "promise-first-chunk-counts",
        leading::an_answer_counts_with_its_last_chunk,
        &[(Observer, "I9"), (Clients, "lost")],
    ),
    story(
        "stale-promise-counted",
        leading::an_old_promise_is_no_promise,
        &[(Observer, "I9"), (Node, "I8"), (Clients, "lost"), (Progress, "no leader")],
    ),
    story(
        "duplicate-vote-counted",
        leading::a_vote_that_comes_twice_counts_once,
        &[(Observer, "I3"), (Clients, "lost")],
    ),
    story(
        "strict-accept",
        voting::a_proposal_above_the_promise_is_accepted,
        &[(Progress, "get nothing done")],
    ),
    story(
        "phase1-own-value",
        leading::a_value_that_one_acceptor_reports_may_be_chosen,
        &[(Observer, "I9"), (Clients, "lost")],
    ),
    story(
        "phase1-lowest-ballot",
        leading::the_highest_ballot_reported_wins,
        &[(Observer, "I9"), (Clients, "lost")],
    ),
    story(
        "noop-overwrites-accepted",
        leading::a_value_that_one_acceptor_reports_may_be_chosen,
        &[(Observer, "I9"), (Clients, "lost")],
    ),
    story(
        "ballot-reuse-after-restart",
        leading::a_ballot_is_used_in_one_life_only,
        &[(Observer, "I5"), (Clients, "lost")],
    ),
    story(
        "majority-off-by-one",
        leading::half_of_the_nodes_are_no_quorum,
        &[(Observer, "I3"), (Node, "I8"), (Clients, "lost"), (Progress, "no leader")],
    ),
    story(
        "learned-across-ballots",
        leading::votes_for_an_older_ballot_do_not_count,
        &[(Observer, "I3"), (Clients, "lost")],
    ),
    story(
        "self-vote-before-durable",
        storing::a_leaders_own_vote_counts_when_it_is_on_disk,
        &[(Observer, "I3"), (Clients, "lost")],
    ),
    story(
        "stale-disk-completion",
        storing::a_vote_rests_on_the_record_of_its_ballot,
        &[(Observer, "I3"), (Clients, "saw no prefix")],
    ),
    story("lease-no-clock-bound", reading::a_lease_is_used_for_less_than_is_granted, &[(Clients, "stale")]),
    story(
        "session-expiry-by-local-clock",
        serving::sessions_expire_by_the_log_alone,
        &[(Observer, "I8"), (Node, "I8")],
    ),
    story("crc-ignored", storing::half_a_batch_is_none, &[(Node, "unreadable")]),
    story(
        "corrupt-middle-truncates",
        storing::rot_is_not_taken_for_the_end_of_the_log,
        &[(Observer, "I9"), (Node, "I8"), (Clients, "lost")],
    ),
    story(
        "append-after-garbage",
        storing::a_torn_tail_is_cut_before_anything_is_appended,
        &[(Node, "durable")],
    ),
    story(
        "recycled-records-replayed",
        storing::what_a_segment_held_before_is_not_in_the_log,
        &[(Node, "had been durable")],
    ),
    story(
        "no-dir-fsync",
        storing::a_segment_has_its_name_before_it_holds_anything,
        &[(Node, "had been durable"), (Progress, "to lead")],
    ),
    story(
        "heartbeat-behind-fsync",
        storing::a_slow_disk_does_not_silence_a_leader,
        &[(Progress, "a slow disk")],
    ),
    story(
        "resume-leadership",
        leading::a_leader_that_restarts_leads_no_more,
        &[(Observer, "I6"), (Clients, "lost")],
    ),
    story(
        "ignore-nack",
        leading::a_refused_leader_stands_down_at_once,
        &[(Observer, "a deposed leader"), (Progress, "keeps its client waiting")],
    ),
    story("read-before-barrier", reading::a_new_leader_reads_after_its_barrier, &[(Clients, "stale")]),
    story("read-without-quorum", reading::a_leader_asks_before_it_reads, &[(Clients, "stale")]),
    story(
        "read-token-reuse",
        reading::an_answer_confirms_no_read_that_came_after_the_question,
        &[(Clients, "stale")],
    ),
    story(
        "read-ack-any-ballot",
        reading::an_answer_in_an_older_ballot_confirms_nothing,
        &[(Clients, "stale")],
    ),
    story("follower-read-local", reading::a_follower_does_not_read, &[(Clients, "stale")]),
    story("reply-on-accept", serving::a_client_is_answered_when_a_quorum_has_it, &[(Clients, "lost")]),
    story(
        "definite-error-for-in-flight",
        serving::a_deposed_leader_does_not_know,
        &[(Clients, "told to have failed, and is there")],
    ),
    story("cas-at-propose", serving::of_two_that_must_be_first_one_is, &[(Clients, "have both succeeded")]),
    story(
        "apply-past-gap",
        serving::nothing_is_executed_behind_a_gap,
        &[(Observer, "I7"), (Clients, "saw no prefix")],
    ),
    story(
        "watermark-without-ballot-check",
        serving::a_mark_speaks_of_its_own_ballot,
        &[(Observer, "I2"), (Node, "I8"), (Clients, "saw no prefix")],
    ),
    story("no-gap-fill", leading::a_gap_is_filled, &[(Progress, "executes nothing")]),
    story("duplicate-apply", serving::a_request_repeated_happens_once, &[(Clients, "holds a twice")]),
    story(
        "dedup-in-leader-memory",
        serving::a_request_repeated_to_the_next_leader_happens_once,
        &[(Clients, "holds a twice")],
    ),
    story(
        "sessions-not-in-snapshot",
        snapshots::a_snapshot_knows_the_sessions,
        &[(Observer, "I8"), (Node, "I8")],
    ),
    story("cached-reply-of-wrong-seq", serving::a_new_request_is_executed, &[(Clients, "lost")]),
    story(
        "nondeterministic-apply",
        serving::no_clock_matters_to_the_state,
        &[(Observer, "I8"), (Node, "I8"), (Progress, "no leader")],
    ),
    story("forwarded-op-dropped-acked", serving::what_was_handed_on_has_not_happened, &[(Clients, "lost")]),
    story("applied-index-not-atomic", snapshots::a_snapshot_is_of_one_moment, &[(Clients, "twice")]),
    story(
        "log-cut-before-snapshot-durable",
        snapshots::the_log_is_there_until_the_snapshot_is,
        &[(Node, "the log was trimmed for a snapshot")],
    ),
    story(
        "snapshot-off-by-one",
        snapshots::a_snapshot_covers_what_it_says,
        &[(Observer, "I8"), (Node, "I7"), (Progress, "no leader")],
    ),
    story(
        "install-older-snapshot",
        snapshots::a_state_never_goes_back,
        &[(Node, "everything handed on has been applied")],
    ),
    story(
        "install-resets-promise",
        snapshots::who_installs_a_snapshot_keeps_its_promise,
        &[(Observer, "I4"), (Node, "I8"), (Progress, "no leader")],
    ),
    story(
        "promise-after-accept-order",
        snapshots::a_trimmed_log_remembers_the_promise,
        &[(Observer, "I4"), (Node, "I8"), (Progress, "no leader")],
    ),
    story("timeout-drawn-once", waiting::candidates_grow_more_patient, &[(Progress, "nobody came to lead")]),
    story(
        "timer-reset-by-anything",
        waiting::only_a_leader_puts_an_election_off,
        &[(Progress, "electing a leader")],
    ),
    story(
        "out-of-window-propose",
        members::nobody_proposes_where_he_cannot_know_who_governs,
        &[(Observer, "I10"), (Node, "I8"), (Clients, "lost")],
    ),
    story(
        "amnesia-rejoin",
        members::a_disk_that_forgot_has_no_vote,
        &[(Observer, "I9"), (Clients, "lost"), (Progress, "turned away")],
    ),
    story(
        "config-at-learn",
        members::a_configuration_governs_from_its_slot_on,
        &[(Observer, "I3"), (Clients, "stale")],
    ),
    story(
        "two-changes-at-once",
        members::a_change_waits_for_the_one_before_it,
        &[(Observer, "I11"), (Clients, "was added, and is no member")],
    ),
    story("removed-node-votes", members::who_is_gone_has_no_vote, &[(Observer, "I3"), (Clients, "lost")]),
];

#[test]
fn every_story_ends_well() {
    for Story { mutant, tell, .. } in STORIES {
        let found = tell();
        for way in Way::ALL {
            assert_eq!(way.of(&found), None, "the story for {mutant}, with the rule in place: {way:?}");
        }
    }
}

/// Also that it goes wrong in no other way: then the story, or the mutant, is not what it says.
#[cfg(feature = "mutants")]
#[test]
fn every_mutant_spoils_its_story() {
    use paxos_node::mutants::{Mutant, activate};
    // It lives in the queues between the shell's tasks, which no stage and no simulation has; it has
    // a test of its own beside them.
    let elsewhere = [Mutant::UnboundedPeerQueue];
    let mut otherwise = Vec::new();
    for mutant in Mutant::ALL.iter().filter(|mutant| !elsewhere.contains(mutant)) {
        let name = mutant.name();
        let Some(story) = STORIES.iter().find(|story| story.mutant == name) else {
            panic!("no story for {name}: {}", mutant.rule())
        };
        activate(Some(*mutant));
        let found = (story.tell)();
        activate(None);
        assert!(!story.spoilt.is_empty(), "{name} is told to spoil nothing");
        let is_open = story.spoilt.iter().any(|(way, _)| *way != Observer);
        assert!(is_open, "{name} is to be told so far that it shows from outside");
        let is_traced = story.spoilt.iter().any(|(way, _)| *way == Observer);
        assert_eq!(is_traced, mutant.seen_by().ends_with("trace"), "{name}: the table says otherwise");
        for way in Way::ALL {
            let expected = story.spoilt.iter().find(|(expected, _)| *expected == way);
            match (way.of(&found), expected) {
                (None, None) => {}
                (Some(found), Some((_, words))) if found.contains(words) => {}
                (found, expected) => {
                    otherwise.push(format!("{name}: {way:?} found {found:?}, and {expected:?} was expected"));
                }
            }
        }
    }
    assert!(otherwise.is_empty(), "{}", otherwise.join("\n"));
    assert_eq!(STORIES.len() + elsewhere.len(), Mutant::ALL.len(), "a story for no mutant");
}
