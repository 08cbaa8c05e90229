//! The planted bugs themselves: each has one place, a normal build holds none of them, a build
//! with them says which there are; and what the random simulation finds of them. That each is a
//! bug is shown in [`stories`](crate::stories).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The mutants in the table's source, as identifier and name: also a build without them can read
/// that.
fn table() -> Vec<(String, String)> {
    let source = std::fs::read_to_string(sources().join("mutants/table.rs")).expect("the table's source");
    let (_, rows) = source.split_once("\nmutants! {\n").expect("the table");
    let mut idents = rows.lines().filter_map(|line| line.strip_prefix("    ")?.strip_suffix(" {"));
    let mut names = rows.lines().filter_map(|line| line.trim().strip_prefix("name: \"")?.strip_suffix("\","));
    let table: Vec<_> = idents
        .by_ref()
        .zip(names.by_ref())
        .map(|(ident, name)| (ident.to_owned(), name.to_owned()))
        .collect();
    assert!(table.len() >= 40 && idents.next().is_none() && names.next().is_none(), "an unreadable table");
    table
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

#[test]
fn each_mutant_has_one_place() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut folders = vec![sources()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of sources") {
            let path = entry.expect("a source").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a readable source");
            let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
            for (line, code) in (1..).zip(code) {
                for asked in code.split("mutant!(").skip(1) {
                    let ident = asked.split(')').next().expect("something between parentheses");
                    let place = format!("{}:{line}", path.display());
                    places.entry(ident.to_owned()).or_default().push(place);
                }
            }
        }
    }
    for (ident, name) in table() {
        let found = places.remove(&ident).unwrap_or_default();
        assert_eq!(found.len(), 1, "{name} is to have one place, and has {found:?}");
    }
    assert!(places.is_empty(), "mutants that the table does not know: {places:?}");
}

/// Also the other way round: a build with mutants does hold their names, so this can fail.
#[test]
fn a_normal_binary_holds_no_mutant() {
    let binary = std::fs::read(env!("CARGO_BIN_EXE_paxos-node")).expect("the node's binary");
    let table = table();
    let mut by_start: BTreeMap<[u8; 2], Vec<&str>> = BTreeMap::new();
    for text in table.iter().flat_map(|(ident, name)| [ident, name]) {
        let [first, second, ..] = text.as_bytes() else { panic!("a name has more than two letters") };
        by_start.entry([*first, *second]).or_default().push(text);
    }
    let mut found: Vec<&str> = Vec::new();
    for (at, start) in binary.windows(2).enumerate() {
        for text in by_start.get(start).into_iter().flatten() {
            if binary[at..].starts_with(text.as_bytes()) {
                found.push(text);
            }
        }
    }
    if cfg!(feature = "mutants") {
        let missed: Vec<_> = table.iter().filter(|(_, name)| !found.contains(&name.as_str())).collect();
        assert!(missed.is_empty(), "a build with mutants does not name {missed:?}");
    } else {
        assert!(found.is_empty(), "a normal build names {found:?}");
    }
}

#[test]
fn a_build_with_mutants_lists_them_and_a_normal_one_knows_no_such_flag() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_paxos-node"));
    let Output { status, stdout, stderr } = command.arg("--list-mutants").output().expect("a node that runs");
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    if !cfg!(feature = "mutants") {
        assert_eq!(status.code(), Some(64), "{stdout}{stderr}");
        assert!(stderr.contains("unexpected argument '--list-mutants'"), "{stderr}");
        return;
    }
    assert!(status.success(), "{stderr}");
    let rows: Vec<Vec<&str>> = stdout.lines().map(|line| line.split('\t').collect()).collect();
    let names: Vec<&str> = rows.iter().map(|fields| fields[0]).collect();
    let numbers: Vec<u32> = rows.iter().map(|fields| fields[1].parse().expect("a number")).collect();
    assert!(names.iter().eq(table().iter().map(|(_, name)| name)), "{names:?}");
    assert!(numbers.is_sorted_by(|before, after| before < after), "{numbers:?}");
    let is_full = |fields: &Vec<&str>| fields.len() == 6 && fields.iter().all(|field| !field.is_empty());
    assert!(rows.iter().all(is_full), "{stdout}");
}

#[cfg(feature = "mutants")]
mod by_chance {
    use paxos_node::mutants::{Mutant, activate};
    use paxos_node::sim::{simulate, walk};

    /// Seeds tried from the first on: a change of the protocol or of the simulation makes other
    /// stories of the same seeds, but a mutant that so many don't find is one that chance is weak
    /// at.
    const SEEDS_MAX: u64 = 200;

    /// What chance finds, from which seed of the simulation on, and what it says then.
    const BY_SIMULATION: &[(Mutant, u64, &str)] = &[
        (Mutant::AckBeforeFsync, 0, "disk before ACK"),
        (Mutant::PromiseBeforeFsync, 0, "disk before ACK"),
        (Mutant::ForgetPromiseOnRestart, 0, "I4"),
        (Mutant::ForgetAcceptedOnRestart, 0, "I4"),
        (Mutant::AcceptDoesNotRaisePromise, 0, "I4"),
        (Mutant::BallotRoundOnly, 34, "I2"),
        (Mutant::OneBallotVariable, 90, "I9"),
        (Mutant::PromiseOmitsChosen, 0, "I9"),
        (Mutant::DuplicateVoteCounted, 0, "I3"),
        (Mutant::Phase1OwnValue, 0, "I9"),
        (Mutant::Phase1LowestBallot, 25, "I9"),
        (Mutant::NoopOverwritesAccepted, 0, "I9"),
        (Mutant::BallotReuseAfterRestart, 0, "I5"),
        (Mutant::MajorityOffByOne, 0, "I3"),
        (Mutant::SelfVoteBeforeDurable, 0, "I3"),
        (Mutant::CrcIgnored, 0, "unreadable"),
        (Mutant::AppendAfterGarbage, 0, "had been durable"),
        (Mutant::RecycledRecordsReplayed, 0, "had been durable"),
        (Mutant::NoDirFsync, 0, "durable"),
        (Mutant::ResumeLeadership, 0, "I6"),
        (Mutant::ReadBeforeBarrier, 6, "stale"),
        (Mutant::ReadWithoutQuorum, 170, "stale"),
        (Mutant::LeaseNoClockBound, 200, "stale"),
        (Mutant::StaleDiskCompletion, 313, "I10"),
        (Mutant::FollowerReadLocal, 0, "a read after appending"),
        (Mutant::ReplyOnAccept, 0, "a read after appending"),
        (Mutant::DefiniteErrorForInFlight, 12, "was told to have failed, and happened"),
        (Mutant::CasAtPropose, 1, "I1"),
        (Mutant::ApplyPastGap, 0, "I7"),
        (Mutant::WatermarkWithoutBallotCheck, 15, "I2"),
        (Mutant::NoGapFill, 90, "liveness"),
        (Mutant::OutOfWindowPropose, 0, "I10"),
        (Mutant::AmnesiaRejoin, 0, "I12"),
        (Mutant::ConfigAtLearn, 0, "I3"),
        (Mutant::TwoChangesAtOnce, 0, "I11"),
        (Mutant::RemovedNodeVotes, 0, "I3"),
        (Mutant::DuplicateApply, 0, "was right"),
        (Mutant::DedupInLeaderMemory, 0, "was right"),
        (Mutant::CachedReplyOfWrongSeq, 0, "a read after appending"),
        (Mutant::NondeterministicApply, 0, "I8"),
        (Mutant::ForwardedOpDroppedAcked, 0, "a read after appending"),
        (Mutant::TimerResetByAnything, 10, "liveness"),
        (Mutant::PromiseOmitsCompacted, 12, "I9"),
        (Mutant::SessionsNotInSnapshot, 0, "I8"),
        (Mutant::AppliedIndexNotAtomic, 0, "I8"),
        (Mutant::LogCutBeforeSnapshotDurable, 0, "the log was trimmed for a snapshot"),
        (Mutant::SnapshotOffByOne, 0, "I7"),
        (Mutant::InstallOlderSnapshot, 200, "I7"),
        (Mutant::InstallResetsPromise, 0, "I4"),
        (Mutant::PromiseAfterAcceptOrder, 0, "I4"),
    ];

    /// The same for the random walks.
    const BY_WALK: &[(Mutant, u64, &str)] =
        &[(Mutant::AcceptLowerBallot, 0, "I4"), (Mutant::StalePromiseCounted, 27, "I9")];

    /// What a thousand simulations and twenty thousand walks did not find (one of the walks did find
    /// learned-across-ballots). Their stories do.
    const BY_STORY_ALONE: &[Mutant] = &[
        Mutant::PromiseFirstChunkCounts,
        Mutant::StrictAccept,
        Mutant::LearnedAcrossBallots,
        Mutant::IgnoreNack,
        Mutant::ReadTokenReuse,
        Mutant::ReadAckAnyBallot,
        Mutant::SessionExpiryByLocalClock,
        Mutant::TimeoutDrawnOnce,
        Mutant::CorruptMiddleTruncates,
        Mutant::HeartbeatBehindFsync,
        Mutant::UnboundedPeerQueue,
    ];

    fn look_for(found_by: &[(Mutant, u64, &str)], run: impl Fn(u64) -> Result<(), String>) {
        for (mutant, first, words) in found_by {
            activate(Some(*mutant));
            let finds = |seed: &u64| run(*seed).is_err_and(|reason| reason.contains(words));
            let found = (*first..first + SEEDS_MAX).find(finds);
            activate(None);
            let name = mutant.name();
            let Some(seed) = found else { panic!("{SEEDS_MAX} seeds from {first} on did not find {name}") };
            run(seed).unwrap_or_else(|reason| panic!("seed {seed}, without {name}: {reason}"));
        }
    }

    #[test]
    fn simulations_find_most_mutants() {
        look_for(BY_SIMULATION, |seed| simulate(seed).map(|_| ()).map_err(|failure| failure.reason));
    }

    #[test]
    fn random_walks_find_others() {
        look_for(BY_WALK, |seed| walk(seed).map(|_| ()).map_err(|failure| failure.reason));
    }

    #[test]
    fn each_mutant_is_in_one_of_these_tables() {
        for mutant in Mutant::ALL {
            let found_by = BY_SIMULATION.iter().chain(BY_WALK).map(|(mutant, ..)| mutant);
            let rows = found_by.chain(BY_STORY_ALONE).filter(|other| *other == mutant).count();
            assert_eq!(rows, 1, "{}", mutant.name());
        }
    }
}
