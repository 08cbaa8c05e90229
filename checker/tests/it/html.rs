//! The timeline as a file: what is in it, and that nothing else is.

use std::collections::BTreeMap;

use checker::explain::html::{Page, SCRIPT, STYLE, write};
use checker::{Budget, Check, History, LinearizableRegister, Op, OpType, Outcome, Process, Report, Value};
use serde_json::Value as Json;

use crate::history::history;
use crate::simulate::{Object, Plan, correct};

fn judged(history: &History) -> Report {
    LinearizableRegister::default().check(history, &Budget::default())
}

fn page(history: &History) -> String {
    let mut bytes = Vec::new();
    write(history, &judged(history), &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn simulated() -> History {
    let plan = Plan {
        object: Object::Register,
        clients: 5,
        operations: 300,
        unique: false,
        unknown_percent: 10,
        failed_percent: 10,
    };
    correct(plan, 7)
}

const STALE: &str = "11500 nemesis info kill [\"n1\"]
    11700 1 invoke write 41 @5
    11710 1 ok write 41 @5
    11790 2 invoke write 1 @6
    11800 3 invoke write 42 @5
    11900 3 ok write 42 @5
    11950 nemesis info isolate \"leader\"
    12031 7 invoke read @5
    12035 2 ok write 1 @6
    12040 7 ok read 41 @5
    12100 nemesis info heal";

/// The data of a page, read back by other code than that which draws it.
struct Embedded<'p> {
    scripts: BTreeMap<&'p str, &'p str>,
}

impl<'p> Embedded<'p> {
    fn of(page: &'p str) -> Self {
        let pieces = page.split(" data-name=\"").skip(1);
        let scripts = pieces.map(|piece| {
            let (name, rest) = piece.split_once("\">").unwrap();
            (name, rest.split_once("</script>").unwrap().0)
        });
        Self { scripts: scripts.collect() }
    }

    fn json(&self, name: &str) -> Json {
        serde_json::from_str(self.scripts[name]).unwrap()
    }

    /// The numbers of a column; none where it is left out.
    fn column(&self, name: &str) -> Vec<u64> {
        let Some(base64) = self.scripts.get(name) else { return Vec::new() };
        let digit = |byte: u8| match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            other => panic!("{other} in base64"),
        };
        assert_eq!(base64.len() % 4, 0);
        let digits: Vec<u8> = base64.trim_end_matches('=').bytes().map(digit).collect();
        let bits = digits.iter().flat_map(|digit| (0..6).rev().map(move |bit| digit >> bit & 1));
        let bits: Vec<u8> = bits.collect();
        let bytes = bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |byte, bit| byte << 1 | bit));
        let (mut numbers, mut number, mut shift) = (Vec::new(), 0, 0);
        for byte in bytes {
            number |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                numbers.push(number);
                (number, shift) = (0, 0);
            }
        }
        numbers
    }

    fn steps(&self, name: &str) -> Vec<i64> {
        self.column(name).into_iter().map(|step| (step >> 1) as i64 ^ -((step & 1) as i64)).collect()
    }

    fn running(&self, name: &str) -> Vec<i64> {
        let add = |sum: &mut i64, step| {
            *sum += step;
            Some(*sum)
        };
        self.steps(name).into_iter().scan(0, add).collect()
    }
}

#[test]
fn every_operation_is_in_the_page_as_it_is_in_the_history() {
    let history = simulated();
    let page = page(&history);
    let embedded = Embedded::of(&page);
    let about = embedded.json("about");
    let (integers, texts) = (embedded.running("integers"), embedded.json("texts"));
    let value = |number: u64| match number as usize {
        0 => "nil".to_owned(),
        number if number <= integers.len() => integers[number - 1].to_string(),
        number => texts[number - 1 - integers.len()].as_str().unwrap().to_owned(),
    };
    let [kind, process, asked, result] =
        ["kind", "process", "asked", "result"].map(|name| embedded.column(name));
    let (index, span) = (embedded.running("index"), embedded.steps("span"));
    let (time, duration) = (embedded.running("time"), embedded.steps("duration"));
    let calls = history.calls().unwrap();
    assert_eq!(about["calls"], calls.len());
    assert_eq!(kind.len(), calls.len());
    for (place, call) in calls.iter().enumerate() {
        let outcome = match call.outcome() {
            Outcome::Ok => 0,
            Outcome::Failed => 1,
            Outcome::Unknown => 2,
        };
        let spelt = |value: Value| match (call.f(), value.as_list()) {
            ("cas", Some([from, to])) => format!("{from}→{to}"),
            _ => value.to_string(),
        };
        assert_eq!(about["functions"][kind[place] as usize / 3], call.f(), "{call:?}");
        assert_eq!(kind[place] % 3, outcome, "{call:?}");
        assert_eq!(about["processes"][process[place] as usize], call.process().to_string());
        assert_eq!(value(asked[place]), spelt(call.asked()), "{call:?}");
        let result = match result[place] {
            0 => None,
            1 => Some(value(asked[place])),
            number => Some(value(number - 2)),
        };
        assert_eq!(result, call.result().map(spelt), "{call:?}");
        assert_eq!(index[place] as u64, call.invoke_index());
        let complete = call.complete_index().unwrap_or(call.invoke_index());
        assert_eq!((index[place] + span[place]) as u64, complete);
        assert_eq!(time[place] as u64, call.start_ns());
        assert_eq!((time[place] + duration[place]) as u64, call.end_ns().unwrap_or(call.start_ns()));
    }
}

#[test]
fn processes_that_share_a_lane_are_never_there_at_once() {
    let history = simulated();
    let page = page(&history);
    let about = Embedded::of(&page).json("about");
    let mut until: BTreeMap<u64, (u64, usize)> = BTreeMap::new();
    assert!(about["processes"].as_array().unwrap().len() > 24, "too few processes to share lanes");
    let names: Vec<&str> =
        about["processes"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let place = |process: u64| {
        let process = process.to_string();
        names.iter().position(|name| *name == process).unwrap()
    };
    for call in history.calls().unwrap().iter() {
        let lane = about["lanes"][place(call.process())].as_u64().unwrap();
        let end = call.completion().unwrap_or(call.start());
        if let Some((process, last)) = until.insert(lane, (call.process(), end)) {
            assert!(last < call.start(), "processes {process} and {} in lane {lane}", call.process());
        }
    }
    assert!(until.len() <= 6, "{} lanes for five clients", until.len());
}

#[test]
fn a_page_stands_alone() {
    let page = page(&history(STALE));
    for foreign in ["http:", "https:", "src=", "href=", "@import", "url(", "import(", "fetch(", "//cdn"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert!(page.contains("default-src 'none'"));
    assert!(page.contains(STYLE) && page.contains(SCRIPT));
    // Nothing in them may end the elements that they stand in.
    assert!(!SCRIPT.contains("</") && !STYLE.contains("</"));
}

#[test]
fn the_verdict_is_told_in_words_with_the_way_to_each_operation() {
    let page = page(&history(STALE));
    for told in [
        "<b class=\"tl-badge\">invalid</b>",
        "<b>a stale read on key 5</b>: process 7 read 41 at 12.031 s–12.040 s",
        "<li>41 was there before 42: process 1&#39;s write of 41",
        "<tr data-op=\"7\" class=\"tl-failing\"><td>7</td>",
        "<td>12.031 s – 12.040 s</td><td>the stale read</td>",
    ] {
        assert!(page.contains(told), "{told}");
    }
    let about = Embedded::of(&page).json("about");
    assert_eq!(about["witness"]["ops"], serde_json::json!([1, 4, 7]));
    assert_eq!(about["witness"]["failing"], serde_json::json!([7]));
    assert_eq!(about["witness"]["key"], "5");
}

#[test]
fn an_unknown_verdict_gives_its_reason_and_an_empty_history_is_a_page() {
    let page = page(&History::default());
    assert!(page.contains("<b class=\"tl-badge\">unknown</b>"));
    assert!(page.contains("Nobody can tell: "));
    assert_eq!(Embedded::of(&page).json("about")["calls"], 0);
    assert!(Embedded::of(&page).column("kind").is_empty());
}

#[test]
fn a_history_that_is_not_well_formed_is_shown_as_far_as_it_goes() {
    let page = page(&history(
        "0 1 invoke write 1
         1 1 invoke write 2
         2 1 ok write 2
         3 2 ok read 2",
    ));
    assert!(page.contains("<b class=\"tl-badge\">unknown</b>"));
    assert_eq!(Embedded::of(&page).steps("span"), [0, 1]);
}

#[test]
fn nothing_in_a_history_becomes_markup() {
    let nasty = "</script><script>alert(1)</script><!--\"'&<b onclick=x>\u{2028}\u{0}🦀";
    let mut op = Op::new(0, 0, OpType::Invoke, Process::Client(0), nasty.to_owned(), nasty);
    op.error = Some(nasty.into());
    op.extra.insert(nasty.into(), nasty.into());
    let nemesis = Op::new(1, 1, OpType::Info, Process::Nemesis, nasty.to_owned(), nasty);
    let read =
        |index, op_type, value: Value| Op::new(index, index, op_type, Process::Client(1), "read", value);
    let reads = [read(2, OpType::Invoke, Value::Nil), read(3, OpType::Ok, Value::from(nasty))];
    let history: History =
        [op.with_key(1), nemesis].into_iter().chain(reads.map(|op| op.with_key(nasty))).collect();
    let mut bytes = Vec::new();
    let report = judged(&history);
    assert!(report.verdict.is_invalid(), "{report}");
    Page::new(&history, &report).title(nasty).write(&mut bytes).unwrap();
    let page = String::from_utf8(bytes).unwrap();
    let clean = page.replace(SCRIPT, "");
    for broken in ["alert(1)</script>", "<b onclick", "<!--", "\u{0}"] {
        assert!(!clean.contains(broken), "{broken}");
    }
    let count = |of: &str| clean.matches(of).count();
    assert_eq!(count("<script"), count("</script>"));
    assert_eq!(count("<script>"), 1);
    // And it is all there still.
    assert_eq!(Embedded::of(&page).json("notes")[0][0][1], nasty);
}

#[test]
fn faults_last_from_start_to_cure_and_are_ticks_where_nobody_can_tell() {
    let spans = |text: &str| -> Vec<(String, u64, Option<u64>, bool)> {
        let page = page(&history(text));
        let about = Embedded::of(&page).json("about");
        let faults = about["faults"].as_array().unwrap().iter();
        let span = |fault: &Json| {
            let name = fault["f"].as_str().unwrap().to_owned();
            let from = fault["from"]["index"].as_u64().unwrap();
            (name, from, fault["to"]["index"].as_u64(), fault["lasting"].as_bool().unwrap())
        };
        faults.map(span).collect()
    };
    let fault = |name: &str, from, to, lasting| (name.to_owned(), from, to, lasting);
    assert_eq!(
        spans(
            "0 nemesis info kill [\"n1\"]
             1 nemesis info isolate \"n2\"
             2 nemesis info kill [\"n3\"]
             3 nemesis info restart [\"n1\"]
             4 nemesis info heal
             5 nemesis info look"
        ),
        [
            fault("kill", 0, Some(3), true),
            fault("isolate", 1, Some(4), true),
            fault("kill", 2, None, true),
            fault("look", 5, Some(5), false),
        ]
    );
    // As Jepsen writes them: each before and after.
    assert_eq!(
        spans(
            "0 nemesis info start-partition \"majority\"
             1 nemesis info start-partition \"cut\"
             2 nemesis info kill
             3 nemesis info kill \"n1\"
             4 nemesis info stop-partition
             5 nemesis info stop-partition \"healed\"
             6 nemesis info start
             7 nemesis info start \"n1\""
        ),
        [fault("start-partition", 0, Some(5), true), fault("kill", 2, Some(7), true)]
    );
}

#[test]
fn numbered_faults_are_paired_by_their_number() {
    let op = |index: u64, number: u64, moment: &str| {
        let mut op = Op::new(index, index, OpType::Info, Process::Nemesis, "kill:one", "kill n1");
        op.extra.insert("fault".into(), number.into());
        op.extra.insert("moment".into(), moment.into());
        op
    };
    let history = History::new([op(0, 0, "begins"), op(1, 1, "begins"), op(2, 0, "ends"), op(3, 1, "ends")]);
    let page = page(&history);
    let about = Embedded::of(&page).json("about");
    let ends = |number: usize| about["faults"][number]["to"]["index"].as_u64();
    assert_eq!((ends(0), ends(1)), (Some(2), Some(3)));
    assert_ne!(about["faults"][0]["row"], about["faults"][1]["row"], "they overlap");
}

#[test]
fn keys_can_be_left_out_and_an_order_can_be_shown() {
    let history = history(STALE);
    let report = judged(&history);
    let written = |page: &Page<'_>| {
        let mut bytes = Vec::new();
        page.write_component("here", &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    };
    let keys = [Value::Int(5)];
    let part = written(&Page::new(&history, &report).keys(&keys));
    assert_eq!(Embedded::of(&part).json("about")["keys"], serde_json::json!(["5"]));
    assert!(part.starts_with("<section class=\"tl\" id=\"here\"") && !part.contains("<html"));
    let ordered = written(&Page::new(&history, &report).order(&[4, 1, 3, 99]));
    assert_eq!(Embedded::of(&ordered).running("order"), [2, 0, 1]);
}

#[test]
fn the_same_history_gives_the_same_bytes() {
    assert_eq!(page(&simulated()), page(&simulated()));
}

#[test]
fn long_values_are_shortened_and_say_so() {
    let long: Vec<i64> = (0..5000).collect();
    let read = |index, op_type, value| Op::new(index, index, op_type, Process::Client(1), "read", value);
    let ops = [read(0, OpType::Invoke, Value::Nil), read(1, OpType::Ok, Value::from(long))];
    let page = page(&History::new(ops));
    let texts = Embedded::of(&page).json("texts");
    let text = texts[0].as_str().unwrap();
    assert!(text.starts_with("[0 1 2 ") && text.contains(" 4998 4999] ("), "{text}");
    assert!(text.len() < 2100, "{}", text.len());
}
