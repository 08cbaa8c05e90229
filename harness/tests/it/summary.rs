//! The summary, word for word.

use harness::nemesis::FaultTally;
use harness::results::latency::Quantiles;
use harness::results::summary::Summary;
use harness::run::score::Counts;
use harness::run::verdict::{Answer, Part, RunVerdict, Subject};
use harness::schedule::{Kind, Territory};

fn tally(kind: Kind) -> FaultTally {
    FaultTally { fault: kind.name().to_owned(), required: true, drawn: 2, bit: 1 }
}

fn summary(parts: Vec<Part>) -> Summary {
    Summary {
        title: "set on 5 nodes, nemesis kill, seed 42".to_owned(),
        verdict: RunVerdict::fold(parts),
        ops: Counts { asked: 1_000, ok: 900, failed: 60, unknown: 38 },
        not_issued: 7,
        seconds: 30.0,
        faults: Kind::ALL.into_iter().take(5).map(tally).collect(),
        leader_changes: 3,
        reached: Territory::default(),
        frozen: Some("n1 n2, 90 ms after op 77 was recorded".to_owned()),
        latencies: vec![Quantiles {
            f: "add".to_owned(),
            count: 900,
            us_p50: 2_140,
            us_p90: 9_900,
            us_p99: 120_000,
            us_max: 1_900_000,
        }],
        open_loop: true,
        folder: "results/latest".to_owned(),
        repeat: "antipaxos test -w set".to_owned(),
    }
}

#[test]
fn a_failed_run_shows_its_evidence_and_ends_with_the_verdict() {
    let part = |subject, answer, reason: &str| Part::new(subject, answer, reason);
    let text = summary(vec![
        part(Subject::History, Answer::Invalid, "set: 1000 operations cannot be put in order")
            .with_details(vec!["add 7 was acknowledged\nand is lost".to_owned()]),
        part(Subject::Coverage, Answer::Valid, "5 faults of 5 kinds bit")
            .with_details(vec!["hidden".to_owned()]),
    ])
    .render();
    let expected = "\
set on 5 nodes, nemesis kill, seed 42

  history   invalid  set: 1000 operations cannot be put in order
    | add 7 was acknowledged
    | and is lost
  coverage  valid    5 faults of 5 kinds bit

  ops       1000 asked: 900 ok, 60 failed, 40 unknown (30 ok/s); 7 more were due but found no free process
  leaders   3 changes
  frozen    n1 n2, 90 ms after op 77 was recorded
  faults    kill:one 1/2  kill:minority 1/2  kill:leader 1/2  kill:all 1/2
            pause:one 1/2
            (bit/drawn)
  latency   ms, from the intended start
            op           count       p50       p90       p99       max
            add            900       2.1       9.9     120.0    1900.0

  folder    results/latest
  repeat    antipaxos test -w set
verdict: invalid (exit 1)
";
    assert_eq!(text, expected);
}

#[test]
fn a_calm_run_says_that_no_faults_were_asked_for() {
    let mut calm = summary(vec![Part::new(Subject::History, Answer::Valid, "in order")]);
    calm.faults.clear();
    calm.latencies.clear();
    let text = calm.render();
    assert!(text.contains("  faults    none were asked for\n"), "{text}");
    assert!(text.ends_with("verdict: valid (exit 0)\n"), "{text}");
}
