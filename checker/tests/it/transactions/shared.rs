//! The published examples of others.

use checker::transactions::ListAppend;
use checker::{Budget, Check};

use super::{history, lists, names};

/// From Elle's paper: a transaction misses what another appended, and another misses what it appended.
#[test]
fn the_example_of_the_paper() {
    let text = "\
        1 invoke append,253,1 append,253,3 append,253,4 append,255,2 append,255,3 append,255,4 append,255,5 append,256,1 append,256,2
        1 ok append,253,1 append,253,3 append,253,4 append,255,2 append,255,3 append,255,4 append,255,5 append,256,1 append,256,2
        1 invoke append,255,8 r,253,-
        1 ok append,255,8 r,253,[1+3+4]
        1 invoke append,256,4 r,255,- r,256,- r,253,-
        1 ok append,256,4 r,255,[2+3+4+5+8] r,256,[1+2+4] r,253,[1+3+4]
        1 invoke append,250,10 r,253,- r,255,- append,256,3
        1 ok append,250,10 r,253,[1+3+4] r,255,[2+3+4+5] append,256,3";
    let analysis = lists(&history(text));
    assert!(names(&analysis).contains(&"G-single"), "{analysis}");
}

/// Two lists that nobody reads after they were appended to, each blind to the other's transaction.
#[test]
fn each_key_alone_is_right_but_not_both() {
    let text = "\
        2 invoke append,4,2 append,5,5
        0 invoke r,2,- r,3,- append,4,0
        1 invoke append,3,1 append,2,4 r,4,-
        2 ok append,4,2 append,5,5
        2 invoke append,2,8
        1 ok append,3,1 append,2,4 r,4,[]
        1 invoke append,3,7 append,4,10
        0 ok r,2,[] r,3,[] append,4,0
        2 ok append,2,8
        1 ok append,3,7 append,4,10";
    let history = history(text);
    assert!(ListAppend::default().check(&history, &Budget::default()).verdict.is_invalid());
    assert_eq!(names(&lists(&history)), ["G2-item"]);
}
