//! Rules about the sources themselves: the invariants of absence that ARCHITECTURE.md lists, and
//! the house rules that a reader relies on.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_path_buf()
}

/// Every Rust file below a folder of the workspace, with its path relative to the workspace.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).expect("below the root").display().to_string();
                found.push((name, fs::read_to_string(&path).expect("readable")));
            }
        }
    }
    assert!(!found.is_empty(), "no sources in {folder}");
    found.sort();
    found
}

fn all_sources() -> Vec<(String, String)> {
    ["node", "checker", "workloads", "harness"].into_iter().flat_map(sources).collect()
}

/// The code of a file: without comments, and without the unit tests at its end. (Tests with a file of their
/// own are declared further up, and end nothing.)
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let strip = |line: &str| line.split("//").next().unwrap_or_default().to_string();
    text.lines().map(strip).collect::<Vec<_>>().join("\n")
}

fn assert_absent(folder: &str, words: &[&str], allowed: &[&str], why: &str) {
    for (name, text) in sources(folder) {
        // Unit tests that outgrew the file they test.
        let is_test = name.ends_with("tests.rs") || name.contains("/src/") && name.contains("/tests/");
        if is_test || allowed.iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        let code = code(&text);
        for word in words {
            assert!(!code.contains(word), "{name} uses `{word}`: {why}");
        }
    }
}

#[test]
fn the_protocol_does_no_io_reads_no_clock_and_rolls_no_dice_of_its_own() {
    let words = [
        "std::fs",
        "std::net",
        "std::io",
        "std::time",
        "std::thread",
        "std::env",
        "tokio",
        "HashMap",
        "HashSet",
        "rand::rng",
        "thread_rng",
        "SystemTime",
        "Instant",
        "println!",
        "eprintln!",
    ];
    let why = "the core is pure: input in, effects out, the same for the same seed";
    assert_absent("node/src/paxos", &words, &[], why);
    assert_absent("node/src/kv", &words, &[], why);
    assert_absent("node/src/service", &words, &[], why);
    let service = sources("node/src").into_iter().find(|(name, _)| name == "node/src/service.rs");
    let service = code(&service.expect("the service is where it is said to be").1);
    for word in words {
        assert!(!service.contains(word), "node/src/service.rs uses `{word}`: {why}");
    }
}

#[test]
fn checker_and_workloads_open_no_sockets_and_start_no_processes() {
    let words = ["std::net", "std::process", "tokio", "Command::new", "paxos_node", "harness::"];
    assert_absent("checker/src", &words, &[], "the checker judges histories and knows nothing else");
    assert_absent("workloads/src", &words, &[], "workloads are pure and seeded");
    let files = ["std::fs", "File::open", "std::env"];
    assert_absent("checker/src", &files, &[], "readers and writers are given, files are the caller's");
    assert_absent("workloads/src", &files, &[], "workloads touch no files");
    assert_absent("workloads/src", &["HashMap", "HashSet", "thread_rng"], &[], "a seed gives the same bytes");
}

#[test]
fn a_node_never_knows_that_it_is_tested() {
    let words = ["antipaxos", "nemesis", "jepsen", "CHAOS"];
    assert_absent("node/src", &words, &["node/src/sim", "node/src/bin"], "faults come from outside");
}

#[test]
fn dependencies_run_one_way() {
    let depends = |krate: &str, on: &str| {
        let manifest = fs::read_to_string(root().join(krate).join("Cargo.toml")).expect("a manifest");
        let dependencies = manifest.split("[dev-dependencies]").next().unwrap_or_default().to_string();
        dependencies.lines().any(|line| line.starts_with(on))
    };
    assert!(
        depends("harness", "workloads") && depends("workloads", "checker"),
        "harness → workloads → checker"
    );
    for (krate, on) in [
        ("checker", "workloads"),
        ("checker", "paxos-node"),
        ("checker", "harness"),
        ("workloads", "paxos-node"),
        ("workloads", "harness"),
        ("node", "checker"),
        ("node", "workloads"),
        ("node", "harness"),
    ] {
        assert!(!depends(krate, on), "{krate} must not depend on {on}");
    }
}

#[test]
fn only_one_folder_of_the_harness_knows_paxos() {
    let allowed = ["harness/src/system/paxos"];
    assert_absent("harness/src", &["paxos_node"], &allowed, "everything else goes through the `System` seam");
}

#[test]
fn nothing_reads_results_to_decide_a_verdict() {
    // Whoever reads a file at all, and why: none of them for a verdict, but what judges the file it is given,
    // and the campaign that goes on with its own matrix.
    let readers = [
        ("harness/src/bench/processor.rs", "what the kernel says of processes and the machine"),
        ("harness/src/cli/reading.rs", "the history that check and convert are given"),
        (
            "harness/src/cli/case.rs",
            "the run that replay and shrink are given, whose verdict they look for again",
        ),
        ("harness/src/cli/corpus.rs", "which schedules the corpus has"),
        ("harness/src/cli/check/worker.rs", "how much memory the process has"),
        ("harness/src/cli/schedule.rs", "the schedule that it is given"),
        ("harness/src/cli/shape.rs", "the schedule that a run is given"),
        ("harness/src/nemesis/pause.rs", "what the kernel says of a process"),
        ("harness/src/process/exit.rs", "a node's last words, to be shown"),
        ("harness/src/results/manifest.rs", "what machine this is"),
        (
            "harness/src/results/matrix/mod.rs",
            "the matrix that a campaign goes on with, and the binaries that it is bound to",
        ),
        ("harness/src/results/store.rs", "which old run folders may go"),
        ("harness/src/run/cluster/emptied.rs", "how many files a node's folder has"),
        ("harness/src/system/paxos/binary.rs", "the binary, to be hashed"),
        ("harness/src/system/paxos/mod.rs", "where a node announced that it listens"),
        ("harness/src/system/paxos/white_box/trace/mod.rs", "what the nodes of this run told of their steps"),
    ];
    let reads = [
        "File::open",
        "read_to_string(",
        "fs::read(",
        "fs::read_dir",
        "fs::read_link",
        ".read(true)",
        "mmap",
    ];
    for (name, text) in sources("harness/src").into_iter().chain(sources("workloads/src")) {
        let code = code(&text);
        for word in reads.iter().filter(|word| code.contains(**word)) {
            // Pipes of a child are no files.
            let is_pipe = name.ends_with("check/supervise.rs") && *word == "read_to_string(";
            assert!(
                is_pipe || readers.iter().any(|(reader, _)| name == *reader),
                "{name} uses `{word}`: a verdict comes from what was recorded in this run, never from a file"
            );
        }
    }
    // What the store reads of earlier runs stays with it.
    let (_, store) = sources("harness/src/results")
        .into_iter()
        .find(|(name, _)| name.ends_with("store.rs"))
        .expect("the store");
    assert!(store.contains("\nfn was_valid("), "the store tells others what earlier verdicts were");
}

#[test]
fn mutants_live_behind_their_feature() {
    for (name, text) in sources("node/src") {
        let plants = name == "node/src/mutants.rs";
        assert!(
            plants || !code(&text).contains("Mutant::") || text.contains("cfg(feature = \"mutants\")"),
            "{name} names a mutant outside `mutant!` without the feature"
        );
    }
}

#[test]
fn every_file_says_what_it_is() {
    for (name, text) in all_sources() {
        assert!(text.starts_with("//!"), "{name} does not open with a module doc");
    }
}

#[test]
fn nothing_is_left_for_tomorrow() {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("#[ig", "nore")];
    for (name, text) in all_sources() {
        for mark in marks {
            assert!(!text.contains(mark), "{name} contains {mark}");
        }
    }
}

#[test]
fn unsafe_code_is_denied_without_exception() {
    for (name, text) in all_sources() {
        assert!(!code(&text).contains(concat!("unsafe", " {")), "{name} contains unsafe code");
        assert!(!code(&text).contains(concat!("allow(", "unsafe_code)")), "{name} allows unsafe code");
    }
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("a manifest");
    assert!(manifest.contains("unsafe_code = \"deny\""));
}

#[test]
fn files_stay_readable() {
    /// Beyond this a file is more than one noun.
    const LINES_MAX: usize = 700;
    for (name, text) in all_sources() {
        assert!(text.lines().count() <= LINES_MAX, "{name} is longer than {LINES_MAX} lines: split it");
    }
}

#[test]
fn the_documents_name_what_exists() {
    let readme = fs::read_to_string(root().join("README.md")).expect("README.md");
    let makefile = fs::read_to_string(root().join("Makefile")).expect("Makefile");
    for target in ["test-chaos", "test", "sim", "mutants"] {
        assert!(readme.contains(&format!("make {target}")), "README.md does not show make {target}");
        assert!(makefile.contains(&format!("\n{target}:")), "the Makefile has no target {target}");
    }
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    for word in architecture.split(|c: char| c == '`' || c.is_whitespace()) {
        let is_path = ["node/", "checker/", "workloads/", "harness/"].iter().any(|top| word.starts_with(top))
            && !word.contains(['*', '{', '<']);
        if is_path {
            assert!(
                root().join(word.trim_end_matches(['.', ',', ')', ':'])).exists(),
                "ARCHITECTURE.md names {word}"
            );
        }
    }
}
