//! Recorded histories of other projects, where they lie beside the repository.

use std::path::{Path, PathBuf};

use checker::format::Format;
use checker::{Budget, History, Outcome, Recorded, Value, Verdict};

/// The folder of recorded histories, if it is there; `CHECKER_HISTORIES` names another.
pub(crate) fn folder() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/histories");
    let folder = std::env::var_os("CHECKER_HISTORIES").map_or(beside, PathBuf::from);
    folder.is_dir().then_some(folder)
}

/// Every history in it: path and bytes.
pub(crate) fn files() -> Vec<(String, Vec<u8>)> {
    let Some(folder) = folder() else { return Vec::new() };
    let (mut folders, mut files) = (vec![folder.clone()], Vec::new());
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if !["README.md", "LICENSE", "LICENSE.md", "manifest.tsv"].contains(&name.as_str()) {
                let bytes = std::fs::read(&path).unwrap();
                files.push((path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned(), bytes));
            }
        }
    }
    files.sort();
    files
}

/// Format and model that belong to a file, by where it is.
fn expected(path: &str) -> (Format, &'static str) {
    let (folder, name) = path.rsplit_once('/').unwrap();
    let model =
        ["bank", "counter", "set_full", "paper-example", "list-append", "queue", "stack", "priorityqueue"]
            .into_iter()
            .find(|model| name.starts_with(model));
    let model = match model {
        Some("set_full") => "set",
        Some("paper-example") => "list-append",
        Some("priorityqueue") => "priority-queue",
        Some(model) => model,
        None => "cas-register",
    };
    match (folder, name.rsplit_once('.').unwrap().1) {
        ("fastlin", _) => (Format::Fastlin, model),
        ("limo", _) => (Format::Limo, model),
        ("jepsen-json", _) => (Format::ElleJson, model),
        ("jepsen-store", "jepsen") => (Format::Store, "cas-register"),
        ("jepsen-store", "txt") => (Format::HistoryTxt, "cas-register"),
        ("jepsen-store", "edn") => (Format::Edn, "cas-register"),
        ("porcupine/jepsen", _) => (Format::ConsoleLog, model),
        ("porcupine/kv", _) => (Format::PorcupineKv, "kv"),
        _ => (Format::Edn, model),
    }
}

#[test]
fn every_recorded_history_is_read_with_its_format_its_model_and_all_its_operations() {
    let files = files();
    if files.is_empty() {
        return;
    }
    let manifest = std::fs::read_to_string(folder().unwrap().join("manifest.tsv")).unwrap();
    for (path, bytes) in files {
        let read = History::read(&bytes[..]);
        let Recorded { history, format, suggests } = read.unwrap_or_else(|error| panic!("{path}: {error}"));
        let calls = history.calls().unwrap_or_else(|error| panic!("{path}: {error}"));
        let (expected_format, model) = expected(&path);
        assert_eq!(format, expected_format, "{path}");
        assert_eq!(suggests.model, Some(model), "{path}");
        let fields: Vec<&str> = manifest
            .lines()
            .find(|line| line.starts_with(&format!("{path}\t")))
            .unwrap()
            .split('\t')
            .collect();
        if let Ok(operations) = fields[3].parse::<usize>() {
            // What failed, what never came back and what read nil, may be counted or not.
            let certain = calls
                .iter()
                .filter(|call| call.outcome() == Outcome::Ok && call.result() != Some(Value::Nil));
            let counted = certain.count()..=calls.len();
            assert!(counted.contains(&operations), "{path}: {operations} operations, not {counted:?}");
        }
    }
}

/// Format, model, rules, initial value: if any of them were wrong, verdicts would be.
#[test]
fn what_a_file_suggests_leads_to_the_verdict_that_its_owners_expect() {
    let Some(folder) = folder() else { return };
    let manifest = std::fs::read_to_string(folder.join("manifest.tsv")).unwrap();
    for line in manifest.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let valid = match fields[5] {
            "valid" => true,
            "invalid" => false,
            _ => continue,
        };
        let read = History::read(std::fs::File::open(folder.join(fields[0])).unwrap()).unwrap();
        let Some(entry) = read.suggests.model.and_then(checker::catalogue::by_name) else { continue };
        let check = entry.check(&read.suggests.rules());
        let report = check.check(&read.history, &Budget::default());
        let alone = check.decide(&read.history, &Budget::default());
        assert_eq!(alone, report.verdict.clone().into(), "{}", fields[0]);
        match report.verdict {
            Verdict::Valid => assert!(valid, "{}: {report}", fields[0]),
            Verdict::Invalid(_) => assert!(!valid, "{}: {report}", fields[0]),
            Verdict::Unknown(_) => panic!("{}: {report}", fields[0]),
        }
    }
}
