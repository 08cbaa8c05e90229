//! Ids: who is called what, who refers to whom, and whether what waits can ever start.

use std::collections::BTreeMap;
use std::ops::Range;

use super::Reader;
use super::nearest::nearest;
use super::remark::quoted;

/// What bears an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Fault,
    Choice,
    Mix,
}

/// An id that was given, or follows from what a fault does.
pub(super) struct Declared {
    pub(super) id: String,
    pub(super) span: Range<usize>,
    phase: usize,
    sort: Sort,
    given: bool,
}

/// How a fault depends on another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// `leader@starve`: as it was when the other came.
    AsOf,
    /// `after` alone: the other's coming is what it waits for.
    Came,
    /// `after` beside an event: counted from the other's coming.
    Since,
}

/// An id that was referred to.
pub(super) struct Reference {
    id: String,
    span: Range<usize>,
    role: Role,
    /// Who refers to it.
    owner: Option<usize>,
    phase: usize,
    /// Whether its owner can't come before the other has: false behind `until`.
    starts: bool,
}

impl Reader<'_> {
    /// Announces what will bear an id; what is read from now on belongs to it.
    pub(super) fn declare(&mut self, sort: Sort, span: Range<usize>) -> usize {
        let phase = self.phase;
        self.declared.push(Declared { id: String::new(), span, phase, sort, given: false });
        self.owner = Some(self.declared.len() - 1);
        self.declared.len() - 1
    }

    /// Gives it its id.
    pub(super) fn call(&mut self, declared: usize, id: &str, given: Option<Range<usize>>) {
        let entry = &mut self.declared[declared];
        entry.id = id.to_owned();
        entry.given = given.is_some();
        if let Some(span) = given {
            entry.span = span;
        }
    }

    /// Notes that the one that is being read refers to another.
    pub(super) fn refer(&mut self, id: &str, span: Range<usize>, role: Role) {
        let reference = Reference {
            id: id.to_owned(),
            span,
            role,
            owner: self.owner,
            phase: self.phase,
            starts: self.starts,
        };
        self.references.push(reference);
    }

    /// Judges all ids, once all are known.
    pub(super) fn check_ids(&mut self) {
        let declared = std::mem::take(&mut self.declared);
        let references = std::mem::take(&mut self.references);
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        for (at, entry) in declared.iter().enumerate() {
            // A fault that could not be read has no id, and was refused already.
            if entry.id.is_empty() {
                continue;
            }
            match places.get(entry.id.as_str()) {
                Some(&first) => self.called_twice(&declared[first], entry),
                None => {
                    places.insert(&entry.id, at);
                }
            }
        }
        for reference in &references {
            self.check_reference(reference, &declared, &places);
        }
        self.check_cycles(&declared, &references, &places);
    }

    fn called_twice(&mut self, first: &Declared, second: &Declared) {
        let line = self.line(first.span.start);
        let (what, hint) = if second.given {
            (format!("the id {} is given twice", quoted(&second.id)), format!("first on line {line}"))
        } else {
            (
                format!("without an `id` this is called {}, and so is another", quoted(&second.id)),
                format!("give it an `id`; the other is on line {line}"),
            )
        };
        self.refuse_with(second.span.clone(), what, vec![hint]);
    }

    fn check_reference(
        &mut self,
        reference: &Reference,
        declared: &[Declared],
        places: &BTreeMap<&str, usize>,
    ) {
        let name = quoted(&reference.id);
        let span = reference.span.clone();
        let Some(&at) = places.get(reference.id.as_str()) else {
            let known: Vec<&str> =
                places.iter().filter(|(_, at)| declared[**at].sort != Sort::Mix).map(|(id, _)| *id).collect();
            let mut hints = Vec::new();
            if let Some(meant) = nearest(&reference.id, known.iter().copied()) {
                hints.push(format!("did you mean `{meant}`?"));
            }
            hints.push(format!("there are: {}", known.join(", ")));
            return self.refuse_with(span, format!("no fault has the id {name}"), hints);
        };
        let other = &declared[at];
        if other.sort == Sort::Mix {
            let what = format!("{name} is a mix: it does not come, its choices do");
            return self.refuse_with(span, what, vec!["refer to one of its choices".to_owned()]);
        }
        if reference.owner == Some(at) && reference.starts {
            let what = format!("{name} waits for itself and would never come");
            return self.refuse(span, what);
        }
        if other.phase > reference.phase {
            let what = format!("{name} comes in a later phase: this would wait for ever");
            return self.refuse(span, what);
        }
        if other.phase < reference.phase && reference.role == Role::Came {
            let what =
                format!("{name} comes in an earlier phase: when this one begins, it has come or never will");
            self.refuse_with(span, what, vec!["use `at`, or move both into one phase".to_owned()]);
        }
    }

    /// Refuses faults that wait for each other.
    fn check_cycles(
        &mut self,
        declared: &[Declared],
        references: &[Reference],
        places: &BTreeMap<&str, usize>,
    ) {
        let mut waits: Vec<Vec<(usize, &Reference)>> = declared.iter().map(|_| Vec::new()).collect();
        for reference in references.iter().filter(|reference| reference.starts) {
            let other = places.get(reference.id.as_str());
            if let (Some(owner), Some(&other)) = (reference.owner, other)
                && owner != other
            {
                waits[owner].push((other, reference));
            }
        }
        // Whoever waits for nobody that is left can come; what remains waits for itself.
        let mut left: Vec<bool> = vec![true; declared.len()];
        while let Some(free) =
            (0..left.len()).find(|&at| left[at] && waits[at].iter().all(|(other, _)| !left[*other]))
        {
            left[free] = false;
        }
        while let Some(start) = left.iter().position(|&left| left) {
            let mut path = vec![start];
            let (closing, from) = loop {
                let at = path[path.len() - 1];
                let Some((next, reference)) = waits[at].iter().find(|(other, _)| left[*other]) else {
                    left[at] = false;
                    break (None, 0);
                };
                if let Some(from) = path.iter().position(|seen| seen == next) {
                    break (Some(*reference), from);
                }
                path.push(*next);
            };
            let Some(closing) = closing else { continue };
            let mut names: Vec<String> = path[from..].iter().map(|&at| quoted(&declared[at].id)).collect();
            names.push(names[0].clone());
            let what = format!("{} wait for each other and would never come", names.join(" → "));
            self.refuse(closing.span.clone(), what);
            for at in path {
                left[at] = false;
            }
        }
    }
}
