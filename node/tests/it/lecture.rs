//! The lectures as tests: each concept of the slides by name, and a table that leads from the one
//! to the other.

mod machines;
mod many_instances;
mod one_instance;
mod progress;
mod stable_storage;

use std::path::Path;

/// Each concept of the lectures, and the tests that show it.
const LECTURE: &[(&str, &[&str])] = &[
    (
        "Replicas are deterministic: same initial state, same order, same state",
        &["replicas_that_execute_the_same_log_reach_the_same_state"],
    ),
    ("2t + 1 machines tolerate t faults", &["five_machines_tolerate_two_faults_and_no_more"]),
    ("Simplest, but fault-intolerant solution: a single acceptor", &["a_single_acceptor_is_a_cluster"]),
    (
        "FLP: two proposers may duel ad infinitum; a distinguished proposer ends it",
        &["proposers_duel_ad_infinitum", "a_distinguished_proposer_ends_the_duel"],
    ),
    (
        "Asynchronous network: messages are delayed, duplicated, lost, reordered",
        &["the_network_may_do_anything_but_corrupt", "a_duplicated_vote_counts_once"],
    ),
    ("But not corrupted", &["one_flipped_bit_anywhere_in_a_frame_is_noticed"]),
    (
        "Non-Byzantine fail-stop machines with stable memory",
        &["an_acceptor_remembers_across_a_restart", "a_cluster_that_lost_power_goes_on_where_it_was"],
    ),
    ("The three roles may be mapped to the same process", &["a_server_plays_all_roles"]),
    (
        "Only a value that has been proposed may be chosen; only one; nobody learns what isn't chosen",
        &["a_few_hundred_seeds_are_clean"],
    ),
    (
        "A value is chosen when a majority has accepted it",
        &["a_value_is_chosen_when_a_majority_has_it_on_disk", "a_majority_is_more_than_half"],
    ),
    ("An acceptor must accept the first value proposed to it", &["an_acceptor_accepts_the_first_proposal"]),
    (
        "Fragmented electorate: several proposals must be possible",
        &["a_fragmented_electorate_is_resolved_by_a_higher_ballot"],
    ),
    ("Proposals have unique, totally ordered numbers", &["ballots_are_unique_and_totally_ordered"]),
    ("Once v is chosen, every higher-numbered proposal has v", &["a_chosen_value_survives_a_new_leader"]),
    ("Control the future by extracting a promise", &["a_promise_blocks_lower_ballots"]),
    (
        "A promise reports the highest-numbered proposal accepted",
        &[
            "a_promise_reports_the_highest_accepted_proposal",
            "a_promise_reports_executed_slots_too",
            "the_proposer_takes_the_value_of_the_highest_ballot",
        ],
    ),
    (
        "An acceptor can ignore lower and duplicate prepare requests",
        &["a_lower_prepare_is_refused", "a_duplicate_prepare_is_answered_again"],
    ),
    ("Accept unless a higher prepare was answered", &["accepting_raises_the_promise"]),
    ("Learners learn from one distinguished learner", &["followers_learn_from_the_leader"]),
    (
        "Stable storage: save the promise, the accepted value, the numbers used, before speaking",
        &["nothing_leaves_before_it_is_durable", "a_proposer_never_reuses_a_ballot_across_a_restart"],
    ),
    (
        "Many instances: a new leader may know only some outcomes (1-134, 138, ..)",
        &["a_new_leader_knows_slots_1_to_134_and_138"],
    ),
    (
        "It fills those slots with what was proposed there, or a no-op",
        &["gaps_are_filled_with_old_values", "gaps_nobody_knows_are_filled_with_no_ops"],
    ),
    ("As soon as the gap fills, commands are executed", &["commands_execute_as_soon_as_the_gap_fills"]),
    ("Phase 1 for infinitely many instances", &["one_promise_covers_every_slot"]),
    ("Acceptors can respond with reasonably short messages", &["a_long_promise_comes_in_short_messages"]),
    ("Cost of Paxos effectively the cost of phase 2", &["the_steady_state_costs_one_round_trip"]),
    (
        "Block acceptance of proposals below N and learn accepted values: one message",
        &["one_promise_blocks_and_reports"],
    ),
    ("Replicas write to disk prior to sending ACK", &["nothing_leaves_before_it_is_durable"]),
];

#[test]
fn every_concept_of_the_lectures_has_a_test() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let mut sources = String::new();
    for folder in [folder.clone(), folder.join("lecture")] {
        for entry in std::fs::read_dir(folder).expect("the tests' folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push_str(&std::fs::read_to_string(path).expect("a source"));
            }
        }
    }
    for (concept, tests) in LECTURE {
        assert!(!tests.is_empty(), "{concept}: no test");
        for test in *tests {
            assert!(sources.contains(&format!("#[test]\nfn {test}()")), "{concept}: there is no test {test}");
        }
    }
}
