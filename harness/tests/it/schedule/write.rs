//! What is written is read back as the same schedule, and always written the same.

use std::time::Duration;

use harness::schedule::{Kind, Preset, Schedule};
use proptest::prelude::*;

use super::random::schedule;
use super::{folder, golden};

/// A file that says everything that a file can say.
const EVERYTHING: &str = include_str!("../../schedules/everything.toml");

proptest! {
    #[test]
    fn what_is_written_is_read_back(seed in any::<u64>()) {
        let drawn = schedule(seed);
        let text = drawn.to_toml();
        let read = match Schedule::read("drawn.toml", &text) {
            Ok(read) => read,
            Err(refusals) => return Err(TestCaseError::fail(format!("{refusals}\n{text}"))),
        };
        prop_assert_eq!(&read, &drawn, "{}", text);
        prop_assert_eq!(read.to_toml(), text);
    }

    /// Whatever happens to a file, it is read or refused with a reason.
    #[test]
    fn a_damaged_file_is_no_reason_to_panic(seed in any::<u64>(), at in any::<prop::sample::Index>(), put in "\\PC{0,3}|[\"'\\[\\]{}=#\n]", cut in 0..40_usize) {
        let text = schedule(seed % 50).to_toml();
        let mut chars: Vec<char> = text.chars().collect();
        let at = at.index(chars.len());
        let end = (at + cut).min(chars.len());
        chars.splice(at..end, put.chars());
        let text: String = chars.into_iter().collect();
        if let Err(refusals) = Schedule::read("damaged.toml", &text) {
            for remark in refusals.remarks {
                prop_assert!(remark.line >= 1 && remark.line <= text.lines().count() + 1);
                prop_assert!(remark.column >= 1);
            }
        }
    }
}

#[test]
fn what_the_command_line_asks_for_can_be_kept_as_a_file() {
    for interval in [1, 5] {
        let kinds = Kind::ALL.to_vec();
        let preset = Preset { owed: kinds.clone(), kinds, interval: Duration::from_secs(interval) };
        let schedule = preset.schedule(Duration::from_secs(60), Duration::from_secs(10));
        let text = schedule.to_toml();
        let read =
            Schedule::read("nemesis.toml", &text).unwrap_or_else(|refusals| panic!("{refusals}\n{text}"));
        assert_eq!(read, schedule, "{text}");
    }
}

#[test]
fn the_format_is_stable() {
    let schedule =
        Schedule::read("everything.toml", EVERYTHING).unwrap_or_else(|refusals| panic!("{refusals}"));
    golden(&folder("tests/schedules/everything.written.toml"), &schedule.to_toml());
}
