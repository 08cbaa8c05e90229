//! Last in, first out.

use std::ops::Range;

use super::container::{Container, ContainerOp, Discipline};
use super::quick::{Quick, SearchOp};
use crate::history::op::Value;
use crate::linearizability::stack;

/// `push v` puts v on top, `pop` takes the top and answers it, nil when the stack is empty; `peek` only
/// answers it.
pub type Stack = Container<Lifo>;

/// What went in last comes out first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lifo;

impl Discipline for Lifo {
    const NAME: &'static str = "stack";
    const PUT: &'static [&'static str] = &["push"];
    const TAKE: &'static [&'static str] = &["pop"];
    const PEEK: &'static [&'static str] = &["peek", "top"];

    fn place(&self, elements: &[Value], _value: &Value) -> usize {
        elements.len()
    }

    fn next(&self, elements: &[Value]) -> Range<usize> {
        elements.len().saturating_sub(1)..elements.len()
    }

    fn quick(
        &self,
        ops: &[SearchOp<ContainerOp<u32>>],
        values: usize,
        _value: &dyn Fn(usize) -> Value,
    ) -> Quick {
        stack::judge(ops, values)
    }
}
