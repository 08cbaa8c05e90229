//! In no order.

use std::ops::Range;

use super::container::{Container, ContainerOp, Discipline};
use super::quick::{Quick, SearchOp};
use crate::history::op::Value;
use crate::linearizability::priority_queue;

/// `enqueue v` puts v in, `dequeue` takes any element and answers it, nil when there is none: a queue
/// that promises no order, and loses and doubles nothing.
pub type Bag = Container<Unordered>;

/// Anything may come out next.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unordered;

impl Discipline for Unordered {
    const NAME: &'static str = "unordered queue";
    const PUT: &'static [&'static str] = &["enqueue", "add", "insert"];
    const TAKE: &'static [&'static str] = &["dequeue", "take", "poll"];
    const PEEK: &'static [&'static str] = &["peek"];

    /// Kept in order, so that bags of the same elements are the same.
    fn place(&self, elements: &[Value], value: &Value) -> usize {
        elements.partition_point(|element| element < value)
    }

    fn next(&self, elements: &[Value]) -> Range<usize> {
        0..elements.len()
    }

    fn quick(
        &self,
        ops: &[SearchOp<ContainerOp<u32>>],
        values: usize,
        _value: &dyn Fn(usize) -> Value,
    ) -> Quick {
        priority_queue::judge_unordered(ops, values)
    }
}
