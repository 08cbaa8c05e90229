//! `antipaxos schedule` as a user calls it.

use std::path::Path;
use std::process::{Command, Output};

use super::folder;

fn antipaxos(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_antipaxos"));
    command.arg("schedule").args(arguments).env_remove("COLUMNS").output().expect("the program starts")
}

fn good() -> String {
    folder("tests/schedules/everything.toml").display().to_string()
}

fn bad() -> String {
    folder("tests/schedules/bad/targets.toml").display().to_string()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn lint_looks_at_every_file_also_behind_one_that_is_refused() {
    let all_good = antipaxos(&["lint", &good()]);
    assert_eq!(all_good.status.code(), Some(0), "{}", text(&all_good.stderr));
    assert!(text(&all_good.stdout).contains("everything, 63 s, 8 single and 9 random faults"));
    let one_bad = antipaxos(&["lint", &bad(), &good(), "no-such-file.toml"]);
    assert_eq!(one_bad.status.code(), Some(254));
    assert!(text(&one_bad.stdout).contains("everything, 63 s"));
    let said = text(&one_bad.stderr);
    assert!(said.contains("targets.toml:8:11: nobody is called `ledaer`"), "{said}");
    assert!(said.contains("cannot read no-such-file.toml: No such file"), "{said}");
}

#[test]
fn what_is_allowed_but_hardly_meant_is_said_and_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("short.toml");
    let fault = "[[fault]]\nat = \"9s\"\ndo = \"kill\"\ntarget = \"one\"\nfor = \"3s\"\n";
    std::fs::write(&path, format!("schema = 1\nname = \"x\"\nnodes = 3\ntime-limit = \"10s\"\n{fault}"))
        .unwrap();
    let output = antipaxos(&["lint", &path.display().to_string()]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains("warning: ") && text(&output.stderr).contains("it is cut short"));
    assert!(text(&output.stdout).ends_with("1 warnings\n"), "{}", text(&output.stdout));
}

#[test]
fn explain_and_draw_answer_on_stdout() {
    let told = antipaxos(&["explain", &good()]);
    assert_eq!((told.status.code(), told.stderr.len()), (Some(0), 0));
    assert!(text(&told.stdout).contains("The run counts only if"));
    let drawn = antipaxos(&["draw", "--width", "80", &good()]);
    assert_eq!(drawn.status.code(), Some(0));
    assert!(text(&drawn.stdout).contains("█ at its earliest"));
    assert_eq!(antipaxos(&["draw", &bad()]).status.code(), Some(254));
}

#[test]
fn a_picture_is_written_where_it_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let svg = folder.path().join("picture.svg");
    let written = antipaxos(&["draw", &good(), "--svg", &svg.display().to_string()]);
    assert_eq!(written.status.code(), Some(0), "{}", text(&written.stderr));
    assert!(std::fs::read_to_string(&svg).unwrap().starts_with("<svg "));
    let several = antipaxos(&["draw", &good(), &good(), "--svg", &svg.display().to_string()]);
    assert_eq!(several.status.code(), Some(254));
    let nowhere = Path::new("/no-such-folder/picture.svg").display().to_string();
    assert_eq!(antipaxos(&["draw", &good(), "--svg", &nowhere]).status.code(), Some(255));
}
