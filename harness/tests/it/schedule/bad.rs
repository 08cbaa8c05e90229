//! Files that are wrong, one way each, and what is said about them: `tests/schedules/bad/NAME.toml` is
//! refused with exactly the words of `NAME.txt`.

use harness::schedule::Schedule;

use super::{files, folder, golden};

#[test]
fn every_bad_file_is_refused_at_its_place_with_its_reason() {
    let bad = files("tests/schedules/bad");
    assert!(bad.len() >= 20, "only {} bad files", bad.len());
    for (path, name, text) in bad {
        let refusals = match Schedule::read(&name, &text) {
            Ok(_) => panic!("{name} is read as if nothing were wrong"),
            Err(refusals) => refusals,
        };
        assert!(!refusals.remarks.is_empty(), "{name}");
        // A new workload is no new way to be wrong.
        let said = refusals.to_string().replace(&workloads::names().join(", "), "(all workloads)");
        golden(&path.with_extension("txt"), &said);
    }
}

#[test]
fn every_expectation_belongs_to_a_file() {
    for entry in std::fs::read_dir(folder("tests/schedules/bad")).unwrap() {
        let path = entry.unwrap().path();
        assert!(path.with_extension("toml").exists(), "{} expects something of nothing", path.display());
    }
}
