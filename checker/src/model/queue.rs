//! First in, first out.

use std::ops::Range;

use super::container::{Container, ContainerOp, Discipline};
use super::quick::{Quick, SearchOp};
use crate::history::op::Value;
use crate::linearizability::queue;

/// `enqueue v` puts v at the back, `dequeue` takes the front and answers it, nil when the queue is empty.
pub type Queue = Container<Fifo>;

/// What went in first comes out first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fifo;

impl Discipline for Fifo {
    const NAME: &'static str = "queue";
    const PUT: &'static [&'static str] = &["enqueue", "enq", "offer"];
    const TAKE: &'static [&'static str] = &["dequeue", "deq", "poll"];
    const PEEK: &'static [&'static str] = &["peek"];
    const FIRST_IN_FIRST_OUT: bool = true;

    fn place(&self, elements: &[Value], _value: &Value) -> usize {
        elements.len()
    }

    fn next(&self, elements: &[Value]) -> Range<usize> {
        0..elements.len().min(1)
    }

    fn quick(
        &self,
        ops: &[SearchOp<ContainerOp<u32>>],
        values: usize,
        _value: &dyn Fn(usize) -> Value,
    ) -> Quick {
        queue::judge(ops, values)
    }

    fn settled(&self, ops: &[SearchOp<ContainerOp<u32>>], values: usize, since: u32) -> Option<Vec<bool>> {
        Some(queue::settled(ops, values, since))
    }
}
