//! A search over what the gets of a key can still tell apart.
//!
//! Appends make a text longer and never change its beginning. So a text that no text shown by a get
//! begins with can't be shown any more until the next put, and all such texts are one state, *unseen*.
//! The others are beginnings of the texts shown: with those sorted, a beginning is a stretch of them and
//! a length, and an append halves its way through the stretch. No state holds any text, and there are
//! as many states as the gets make different, whatever the updates could have made.

use super::{Kind, TextOp};
use crate::budget::{Exhausted, Meter};
use crate::history::pair::Call;
use crate::linearizability::hash::Table;
use crate::linearizability::partition::NEVER;
use crate::linearizability::search::{self, Answer, Limits, SearchOp, Told};
use crate::model::Model;

/// What the search says.
#[derive(Debug)]
pub(crate) enum Searched {
    Valid,
    Invalid,
    Exhausted { why: Exhausted, placed: usize, completed: usize },
}

/// Decides one key.
pub(crate) fn guided(ops: &[TextOp<'_>], meter: &Meter) -> Searched {
    let mut texts = Texts::of(ops);
    let ops = texts.told(ops);
    let limits = Limits { meter, steps_max: u64::MAX, told: Told::Verdict };
    match search::search(&texts, &ops, limits).answer {
        Answer::Valid { .. } => Searched::Valid,
        Answer::Invalid { .. } => Searched::Invalid,
        Answer::Exhausted { why, placed, completed } => Searched::Exhausted { why, placed, completed },
    }
}

/// A beginning of texts that gets show: which of them, and how long it is; of none: unseen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Beginning {
    first: u32,
    behind: u32,
    length: u32,
}

const UNSEEN: Beginning = Beginning { first: 0, behind: 0, length: 0 };

/// An operation on beginnings. Appends are told by the number of their text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    Get(Beginning),
    Put(Beginning),
    Append(u32),
}

pub(super) struct Texts<'t> {
    /// Sorted, each once.
    shown: Vec<&'t [u8]>,
    /// By number.
    appended: Vec<&'t [u8]>,
}

impl<'t> Texts<'t> {
    fn of(ops: &[TextOp<'t>]) -> Self {
        let shown = ops.iter().filter_map(|op| match op.kind {
            Kind::Get(text) => Some(text.as_bytes()),
            Kind::Put(_) | Kind::Append(_) => None,
        });
        let mut shown: Vec<&[u8]> = shown.collect();
        shown.sort_unstable();
        shown.dedup();
        Self { shown, appended: Vec::new() }
    }

    /// The operations as steps; updates of unknown outcome that no get can show are left out.
    fn told(&mut self, ops: &[TextOp<'t>]) -> Vec<SearchOp<Step>> {
        let everything = Beginning { first: 0, behind: self.shown.len() as u32, length: 0 };
        let mut numbers: Table<&[u8], u32> = Table::default();
        let mut steps = Vec::with_capacity(ops.len());
        for TextOp { kind, start, end } in ops {
            let op = match kind {
                Kind::Get(text) => Step::Get(self.longer(everything, text.as_bytes())),
                Kind::Put(text) => match self.longer(everything, text.as_bytes()) {
                    UNSEEN if *end == NEVER => continue,
                    beginning => Step::Put(beginning),
                },
                Kind::Append(text) => {
                    if *end == NEVER && !self.can_show(text.as_bytes()) {
                        continue;
                    }
                    let next = self.appended.len() as u32;
                    let number = *numbers.entry(text.as_bytes()).or_insert(next);
                    if number == next {
                        self.appended.push(text.as_bytes());
                    }
                    Step::Append(number)
                }
            };
            steps.push(SearchOp { op, start: *start, end: *end });
        }
        steps
    }

    fn can_show(&self, text: &[u8]) -> bool {
        // A text that begins the one sorted behind it shows nothing more.
        let alone = |place: &usize| {
            self.shown.get(place + 1).is_none_or(|next| !next.starts_with(self.shown[*place]))
        };
        text.is_empty()
            || (0..self.shown.len())
                .filter(alone)
                .any(|place| self.shown[place].windows(text.len()).any(|window| window == text))
    }

    /// What is a beginning longer by this text.
    fn longer(&self, beginning: Beginning, more: &[u8]) -> Beginning {
        let stretch = &self.shown[beginning.first as usize..beginning.behind as usize];
        let from = beginning.length as usize;
        let first = stretch.partition_point(|text| &text[from..] < more);
        let behind = first + stretch[first..].partition_point(|text| text[from..].starts_with(more));
        if first == behind {
            return UNSEEN;
        }
        Beginning {
            first: beginning.first + first as u32,
            behind: beginning.first + behind as u32,
            length: (from + more.len()) as u32,
        }
    }
}

impl Model for Texts<'_> {
    type Op = Step;
    type State = Beginning;

    fn name(&self) -> &str {
        "text"
    }

    fn decode(&self, _: &Call<'_>) -> Result<Option<Step>, String> {
        Err("texts are decoded as a whole".to_owned())
    }

    fn initial(&self) -> Beginning {
        self.longer(Beginning { first: 0, behind: self.shown.len() as u32, length: 0 }, b"")
    }

    fn step(&self, state: &Beginning, op: &Step) -> Option<Beginning> {
        match op {
            Step::Get(seen) => (seen == state).then_some(*state),
            Step::Put(beginning) => Some(*beginning),
            Step::Append(_) if *state == UNSEEN => Some(UNSEEN),
            Step::Append(number) => Some(self.longer(*state, self.appended[*number as usize])),
        }
    }

    fn is_pure(&self, op: &Step) -> bool {
        matches!(op, Step::Get(_))
    }
}
