//! Formats of operations with a beginning and an end.

use checker::Value;
use checker::format::Format;

use super::{error, read, shown};

#[test]
fn fastlin_operations_become_events_in_the_order_of_their_times() {
    let recorded = read("# queue\nenq 2 0 2\nenq 1 1 3\ndeq 2 3 4\ndeq -1 5 5").unwrap();
    // What ends when another starts comes before it; processes are given by need.
    let expected = [
        "0 invoke enqueue 2",
        "1 invoke enqueue 1",
        "0 ok enqueue 2",
        "1 ok enqueue 1",
        "0 invoke dequeue nil",
        "0 ok dequeue 2",
        "0 invoke dequeue nil",
        "0 ok dequeue nil",
    ];
    assert_eq!(shown(&recorded.history), expected);
    assert_eq!((recorded.format, recorded.suggests.model), (Format::Fastlin, Some("queue")));
    assert!(recorded.history.calls().is_ok());
}

#[test]
fn each_object_has_its_methods() {
    let table = [
        ("# stack\npush 1 1 2\npop 1 3 4\npeek -1 5 6", "stack", "0 ok peek nil"),
        ("# priorityqueue\ninsert 5 1 2\npeek 5 3 4\npoll 5 5 6", "priority-queue", "0 ok poll 5"),
        (
            "#set\ninsert 5 1 2\ncontains_true 5 3 4\nremove 5 5 6\ncontains_false 5 7 8\n",
            "element-set",
            "0 ok contains false",
        ),
        ("# set\n0 0 4 INSERT 2 1\n0 5 6 CONTAINS 2 0", "element-set", "0 ok contains false"),
        ("# semaphore\n0 0 2 INCR 1\n0 3 5 DECR 0", "semaphore", "0 ok decr false"),
        ("# rmw\n0 1 10 READ_MODIFY_WRITE 0 2", "cas-register", "0 ok cas [0 2]"),
        ("# stack\n0 PUSH 7 1 2\n0 POP 7 3 4", "stack", "0 ok pop 7"),
        ("# queue\n0 1 5 ENQ 10\n1 2 6 PEEK 10", "queue", "1 ok peek 10"),
    ];
    for (text, model, last) in table {
        let recorded = read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(recorded.suggests.model, Some(model), "{text}");
        assert_eq!(shown(&recorded.history).last().map(String::as_str), Some(last), "{text}");
    }
    assert_eq!(read("# rmw\n0 1 10 READ_MODIFY_WRITE 0 2").unwrap().suggests.initial, Value::Int(0));
}

#[test]
fn a_line_that_is_no_operation_is_an_error() {
    let table = [
        ("# queue\nenq 2 0", "line 2, column 1: expected a method and its value, found `enq 2 0`"),
        ("# queue\nenq 2 3 1", "line 2, column 9: an operation that ends before it starts"),
        ("# queue\nenq 2 x 1", "line 2, column 7: expected a start time, found `x`"),
        ("# queue\ngo 2 0 1", "line 2, column 1: expected a method and its value, found `go 2 0 1`"),
        ("# queue\nenq", "line 2, column 1: expected method, value, start and end, found `enq`"),
        ("# queue\n0 1 2 3", "line 2, column 1: expected process, start, end, method and value"),
        ("# set\n0 0 4 INSERT 2 7", "line 2, column 7: expected a method and its value, found `INSERT 2 7`"),
        ("# queue\n", "1 lines but not one op"),
    ];
    for (text, expected) in table {
        let error = error(text);
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}

#[test]
fn limo_answers_stand_after_return_or_in_the_call() {
    let text = "# @object atomic-stack\n\n[0] call push(?<0,0>)\n[1] call push 2\n[0] return\n[1] return\n\
                [0] call pop(?<0,0>)\n[0] return\n[1] call pop()\n[1] return 2\n[0] call pop\n[0] return\n\
                [1] call pop\n[1] return empty\n[7] call pop";
    let recorded = read(text).unwrap();
    let expected = [
        "0 invoke push \"?<0,0>\"",
        "1 invoke push 2",
        "0 ok push \"?<0,0>\"",
        "1 ok push 2",
        "0 invoke pop nil",
        "0 ok pop \"?<0,0>\"",
        "1 invoke pop nil",
        "1 ok pop 2",
        "0 invoke pop nil",
        "0 ok pop nil",
        "1 invoke pop nil",
        "1 ok pop nil",
        "7 invoke pop nil",
    ];
    assert_eq!(shown(&recorded.history), expected);
    assert_eq!((recorded.format, recorded.suggests.model), (Format::Limo, Some("stack")));
    let queue = read("# @object atomic-queue\n[1] call deq\n[1] return empty\n[2] call enq(a)\n[2] return\n")
        .unwrap();
    assert_eq!(
        shown(&queue.history),
        ["1 invoke dequeue nil", "1 ok dequeue nil", "2 invoke enqueue \"a\"", "2 ok enqueue \"a\""]
    );
}

#[test]
fn limo_threads_do_one_thing_at_a_time() {
    let table = [
        (
            "# @object atomic-stack\n[1] call pop\n[1] call pop",
            "line 3, column 1: process 1 invokes while its operation of line 2 is still open",
        ),
        (
            "# @object atomic-stack\n[1] return",
            "line 2, column 1: ok of process 1 without an open invocation",
        ),
        (
            "# @object atomic-stack\n[1] fetch",
            "line 2, column 1: expected `[thread] call ..` or `[thread] return ..`",
        ),
        ("# @object atomic-stack\n[1] call push(3", "line 2, column 10: a call without its `)`"),
        ("# @object atomic-stack\n", "1 lines but not one op"),
    ];
    for (text, expected) in table {
        let error = error(text);
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}

#[test]
fn porcupine_operations_become_events() {
    let text = r#"[{"ClientId":0,"Input":{"Op":1,"Key":"x","Value":"y"},"Call":0,"Output":{"Value":""},"Return":100},
        {"ClientId":1,"Input":{"Op":0,"Key":"x","Value":""},"Call":100,"Output":{"Value":"y"},"Return":120},
        {"clientId":0,"input":{"op":"append","key":"x","value":"z"},"call":110,"output":{},"return":null},
        {"client_id":2,"input":{"f":"cas","from":1,"to":2},"call":-5,"output":{"unknown":true},"return":7}]"#;
    let recorded = read(text).unwrap();
    let expected = [
        "2 invoke cas [1 2]",
        "0 invoke put \"y\" @\"x\"",
        "1 invoke get nil @\"x\"",
        "0 ok put \"y\" @\"x\"",
        "0 invoke append \"z\" @\"x\"",
        "1 ok get \"y\" @\"x\"",
    ];
    assert_eq!(shown(&recorded.history), expected);
    assert_eq!(recorded.format, Format::PorcupineJson);
    // One client for everything, as in many a test: processes are given by need.
    let one = text.replace("\"ClientId\":1", "\"ClientId\":0");
    assert!(read(&one).unwrap().history.calls().is_ok());
    assert!(
        error(r#"[{"Call":1,"Return":0,"Input":{"op":"get"}}]"#).ends_with("returns before it is called")
    );
    assert!(error(r#"[{"Call":1,"Return":2,"Input":5}]"#).contains("an input without its function"));
}
