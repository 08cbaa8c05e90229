//! Schedules for people: the sentences and the timelines of the file that says everything, and that
//! any other can be told and drawn, too.

use harness::schedule::Schedule;
use proptest::prelude::*;

use super::random::schedule;
use super::{folder, golden};

fn everything() -> Schedule {
    let text = include_str!("../../schedules/everything.toml");
    Schedule::read("everything.toml", text).unwrap_or_else(|refusals| panic!("{refusals}"))
}

#[test]
fn what_a_schedule_says_in_sentences() {
    golden(&folder("tests/schedules/everything.explained.txt"), &everything().explain());
}

#[test]
fn what_a_schedule_looks_like_in_a_terminal() {
    golden(&folder("tests/schedules/everything.drawn.txt"), &everything().draw_text(100));
}

#[test]
fn a_picture_needs_nothing_else_and_is_light_or_dark() {
    let svg = everything().draw_svg();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert!(svg.contains("prefers-color-scheme:dark"));
    assert_eq!(svg.matches("http").count(), 1, "the name space alone");
    for word in
        ["starve", "rolling", "chaos", "warm-up", "class=\"sure\"", "class=\"maybe\"", "class=\"arrow\""]
    {
        assert!(svg.contains(word), "{word}");
    }
}

#[test]
fn a_fault_that_waits_for_another_is_drawn_where_that_leads() {
    let text = "schema = 1\nname = \"x\"\nnodes = 5\ntime-limit = \"10s\"\n\
        [[fault]]\nid = \"b\"\nwhen = { after = \"a\", plus = \"2s\" }\ndo = \"kill\"\ntarget = \"one\"\nfor = \"1s\"\n\
        [[fault]]\nid = \"a\"\nat = \"3s\"\ndo = \"pause\"\ntarget = \"one\"\nfor = \"1s\"\n";
    let drawn = Schedule::read("x.toml", text).unwrap().draw_text(109);
    // Nine columns for ids, ten for each second.
    let row = |id: &str| drawn.lines().find(|line| line.starts_with(id)).unwrap().chars().collect::<Vec<_>>();
    let (a, b) = (row("a "), row("b "));
    assert_eq!(a.iter().position(|c| *c == '█'), Some(9 + 30), "{drawn}");
    assert_eq!(a.iter().filter(|c| **c == '█').count(), 10, "{drawn}");
    assert_eq!(b.iter().position(|c| *c == '▶'), Some(9 + 50), "{drawn}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_schedule_can_be_told_and_drawn(seed in any::<u64>(), width in 0..200_usize) {
        let schedule = schedule(seed);
        let told = schedule.explain();
        let drawn = schedule.draw_text(width);
        let svg = schedule.draw_svg();
        // The last label of the axis, and the legend, may stand out.
        for line in drawn.lines().skip(3).take_while(|line| !line.is_empty()) {
            prop_assert!(line.chars().count() <= width.max(40), "{}", drawn);
        }
        for phase in &schedule.phases {
            prop_assert!(told.contains(&phase.name));
            for fault in &phase.faults {
                prop_assert!(told.contains(&format!("`{}`", fault.id)), "{}", told);
                prop_assert!(svg.contains(&fault.id));
            }
        }
        prop_assert_eq!(svg.matches('<').count(), svg.matches('>').count());
    }
}
