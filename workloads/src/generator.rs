//! What a generator is, and what generators are made of.

use checker::{Op, Value};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// One operation for a process to ask of the system.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Invocation {
    /// The function, as the table of [functions](crate#functions) has it.
    pub f: &'static str,
    /// The object it is about; none for a transaction that names its keys itself.
    pub key: Option<i64>,
    /// The argument.
    pub value: Value,
}

/// Who asks, and when.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Context {
    /// Nanoseconds since the run began.
    pub time_ns: u64,
    /// The process that is free.
    pub process: u64,
}

/// A generator's answer to a free process.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum Next {
    /// Ask this.
    Invoke(Invocation),
    /// Nothing now; there may be something after the next completion or a little later.
    Pending,
    /// Nothing any more.
    Exhausted,
}

/// Decides what to ask next. Pure: it depends on its seed and on the calls made so far, no more.
pub trait Generator: Send {
    /// What the free process is to do. An invocation handed out counts as asked.
    fn next(&mut self, context: &Context) -> Next;

    /// Tells it of an op just recorded, so that what it asks next can build on what was answered.
    fn update(&mut self, op: &Op) {
        let _ = op;
    }

    /// What shows at the end whether everything acknowledged is still there, for each key ever used,
    /// in the order of first use: a read, mostly. Each is to be asked until it succeeds, in any order,
    /// by processes of their own.
    fn final_reads(&self) -> Vec<Invocation>;
}

/// The first so many operations of another generator.
pub struct Limit<G> {
    inner: G,
    left: u64,
}

impl<G: Generator> Limit<G> {
    /// At most `count` operations of `inner`.
    pub fn new(inner: G, count: u64) -> Limit<G> {
        Limit { inner, left: count }
    }
}

impl<G: Generator> Generator for Limit<G> {
    fn next(&mut self, context: &Context) -> Next {
        if self.left == 0 {
            return Next::Exhausted;
        }
        let next = self.inner.next(context);
        if matches!(next, Next::Invoke(_)) {
            self.left -= 1;
        }
        next
    }

    fn update(&mut self, op: &Op) {
        self.inner.update(op);
    }

    fn final_reads(&self) -> Vec<Invocation> {
        self.inner.final_reads()
    }
}

impl Generator for Box<dyn Generator> {
    fn next(&mut self, context: &Context) -> Next {
        (**self).next(context)
    }

    fn update(&mut self, op: &Op) {
        (**self).update(op);
    }

    fn final_reads(&self) -> Vec<Invocation> {
        (**self).final_reads()
    }
}

/// Draws one of several things, each in proportion to its weight.
pub(crate) struct Mix<T: 'static>(pub(crate) &'static [(u32, T)]);

impl<T: Copy> Mix<T> {
    pub(crate) fn draw(&self, rng: &mut ChaCha8Rng) -> T {
        let total = self.0.iter().map(|(weight, _)| weight).sum();
        let mut ticket: u32 = rng.random_range(0..total);
        for &(weight, thing) in self.0 {
            match ticket.checked_sub(weight) {
                Some(rest) => ticket = rest,
                None => return thing,
            }
        }
        unreachable!("a ticket is below the sum of the weights")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn a_mix_keeps_its_proportions() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mix = Mix(&[(2, 'a'), (0, 'b'), (1, 'c')]);
        let drawn: Vec<char> = (0..3000).map(|_| mix.draw(&mut rng)).collect();
        let count = |thing| drawn.iter().filter(|drawn| **drawn == thing).count();
        assert!((1900..2100).contains(&count('a')), "{}", count('a'));
        assert_eq!(count('b'), 0);
    }
}
