//! The greatest first, or the least.

use std::ops::Range;

use super::container::{Container, ContainerOp, Discipline};
use super::quick::{Quick, SearchOp};
use crate::history::op::Value;
use crate::linearizability::priority_queue;

/// `insert v` puts v in, `poll` takes the greatest element and answers it, nil when there is none; `peek`
/// only answers it. A value is its own priority; of lists the first element decides first.
pub type PriorityQueue = Container<Priority>;

/// What is greatest comes out first, unless it is to be the least.
#[derive(Clone, Copy, Debug, Default)]
pub struct Priority {
    least_first: bool,
}

impl PriorityQueue {
    /// One whose `poll` takes the least element.
    pub fn least_first() -> Self {
        Container(Priority { least_first: true })
    }
}

impl Discipline for Priority {
    const NAME: &'static str = "priority queue";
    const PUT: &'static [&'static str] = &["insert", "enqueue", "add", "offer"];
    const TAKE: &'static [&'static str] = &["poll", "dequeue", "delete-max", "delete-min"];
    const PEEK: &'static [&'static str] = &["peek"];

    /// They are kept in order.
    fn place(&self, elements: &[Value], value: &Value) -> usize {
        elements.partition_point(|element| element < value)
    }

    fn next(&self, elements: &[Value]) -> Range<usize> {
        if self.least_first {
            0..elements.len().min(1)
        } else {
            elements.len().saturating_sub(1)..elements.len()
        }
    }

    fn quick(
        &self,
        ops: &[SearchOp<ContainerOp<u32>>],
        values: usize,
        value: &dyn Fn(usize) -> Value,
    ) -> Quick {
        priority_queue::judge(ops, &(0..values).map(value).collect::<Vec<_>>(), self.least_first)
    }
}
