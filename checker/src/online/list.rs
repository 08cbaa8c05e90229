//! One list whose elements are appended once, event by event.
//!
//! All reads must be prefixes of one list, so the longest read so far is kept, with what is known about
//! each place: since when something behind it was there. An operation that ends now has the latest end
//! of all, so a violation is complete when a read that began at σ shows a list that was outgrown, or
//! lacks an append that ended, before σ; or when the places of new elements contradict their times. A
//! list forgets nothing: its reads don't either.

use std::collections::VecDeque;

use super::{Broken, Found};
use crate::explain::witness::Anomaly;
use crate::history::op::Value;
use crate::linearizability::hash::Table;

const NEVER: u64 = u64::MAX;

#[derive(Debug)]
struct Append {
    start: u64,
    /// [`NEVER`] as long as it is not known to have happened.
    end: u64,
    /// In the list, from 1; 0 as long as nobody has seen it.
    place: usize,
}

#[derive(Debug, Default)]
pub(super) struct List {
    /// The longest list that was read.
    seen: Vec<Value>,
    /// For each length: the first end of what shows that the list was longer.
    outgrown: Vec<u64>,
    appends: Table<Value, Append>,
    /// Appends that did happen, by their ends; some of them may have been seen since.
    acknowledged: VecDeque<(u64, Value)>,
    /// The last start of anything in the list or that read it.
    last_start: u64,
}

impl List {
    pub(super) fn begin_append(&mut self, value: &Value, start: u64) -> Result<(), Broken> {
        let append = Append { start, end: NEVER, place: 0 };
        match self.appends.insert(value.clone(), append) {
            None => Ok(()),
            Some(other) => Err(Broken::undecided(format!(
                "{value} is appended twice, from positions {} and {}",
                other.start - 1,
                start - 1
            ))),
        }
    }

    pub(super) fn end_append(&mut self, value: &Value, now: u64) {
        if let Some(append) = self.appends.get_mut(value) {
            append.end = now;
            if append.place == 0 {
                self.acknowledged.push_back((now, value.clone()));
            }
        }
    }

    pub(super) fn fail_append(&mut self, value: &Value) -> Result<(), Broken> {
        match self.appends.remove(value) {
            Some(append) if append.place != 0 => Err(found(
                Anomaly::FailedWriteSeen,
                format!(
                    "the append of {value} from position {} failed, which means that it did not happen, but {value} has been read",
                    append.start - 1
                ),
                vec![append.start],
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn end_read(&mut self, list: &[Value], start: u64, now: u64) -> Result<(), Broken> {
        let same = list.iter().zip(&self.seen).take_while(|(a, b)| a == b).count();
        if same < list.len().min(self.seen.len()) {
            return Err(self.misfit(list, same));
        }
        for value in &list[same..] {
            self.place(value)?;
        }
        let length = list.len();
        self.last_start = self.last_start.max(start);
        if let Some(&outgrown) = self.outgrown.get(length).filter(|outgrown| **outgrown < start) {
            return Err(found(
                Anomaly::StaleRead,
                format!(
                    "a list of {length} was read by an operation that began at position {}, but the list was longer by position {}",
                    start - 1,
                    outgrown - 1
                ),
                vec![outgrown, start],
            ));
        }
        self.outgrow(length, now);
        self.look_for_lost()
    }

    pub(super) fn len(&self) -> usize {
        self.seen.len() + self.appends.len() + self.acknowledged.len()
    }

    /// Adds an element that a read is the first to show.
    fn place(&mut self, value: &Value) -> Result<(), Broken> {
        let place = self.seen.len() + 1;
        let Some(append) = self.appends.get_mut(value).filter(|append| append.place == 0) else {
            return Err(self.impossible(value));
        };
        append.place = place;
        let (start, end) = (append.start, append.end);
        self.seen.push(value.clone());
        if end < self.last_start {
            return Err(found(
                Anomaly::LostUpdate,
                format!(
                    "{value} was appended by position {}, but it stands behind what was appended, or not seen by who read, from position {} on",
                    end - 1,
                    self.last_start - 1
                ),
                vec![start, end, self.last_start],
            ));
        }
        self.last_start = self.last_start.max(start);
        if end != NEVER {
            self.outgrow(place, end);
        }
        Ok(())
    }

    /// The list was at least this long by then.
    fn outgrow(&mut self, length: usize, by: u64) {
        self.outgrown.resize(self.outgrown.len().max(length), NEVER);
        for outgrown in self.outgrown[..length].iter_mut().rev() {
            if *outgrown <= by {
                break;
            }
            *outgrown = by;
        }
    }

    /// An append that nobody has seen must not have ended before something in the list, or who read
    /// it, began.
    fn look_for_lost(&mut self) -> Result<(), Broken> {
        while let Some((end, value)) = self.acknowledged.front() {
            if self.appends.get(value).is_some_and(|append| append.place == 0) {
                if *end < self.last_start {
                    return Err(found(
                        Anomaly::LostUpdate,
                        format!(
                            "{value} was appended by position {}, but what began at position {} shows a list without it",
                            end - 1,
                            self.last_start - 1
                        ),
                        vec![*end, self.last_start],
                    ));
                }
                break;
            }
            self.acknowledged.pop_front();
        }
        Ok(())
    }

    /// Why a list is none that begins like the longest one: they differ first at this place.
    fn misfit(&self, list: &[Value], place: usize) -> Broken {
        let value = &list[place];
        match self.appends.get(value) {
            Some(append) if !list[..place].contains(value) => found(
                Anomaly::Fork,
                format!(
                    "a list with {value} at place {} was read, and one with {} there: neither is the beginning of the other",
                    place + 1,
                    self.seen.get(place).map_or("nothing".to_owned(), Value::to_string),
                ),
                vec![append.start],
            ),
            Some(_) | None => self.impossible(value),
        }
    }

    /// Why an element can't be there, or not again.
    fn impossible(&self, value: &Value) -> Broken {
        match self.appends.get(value) {
            None => found(
                Anomaly::NeverWritten,
                format!("{value} was read, but nobody has appended it"),
                Vec::new(),
            ),
            Some(append) => found(
                Anomaly::Duplicate,
                format!("{value} was read twice in one list, but it was appended once"),
                vec![append.start],
            ),
        }
    }
}

fn found(anomaly: Anomaly, summary: String, events: Vec<u64>) -> Broken {
    Found { anomaly, summary, events }.into()
}
