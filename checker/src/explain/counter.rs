//! Why a counter can't have been read so: what it held before, what was certainly added since, what may have been.
//!
//! A read is compared with one that was over before it began, or with the start. An addition that began after that
//! one was over, and was over before the read began, lies between the two in every order. Any other that had begun
//! when the read ended may or may not. So there is a lowest and a highest number that can have been read, and
//! each is told with the operations that make it.

use super::register::cap;
use crate::model::{CounterOp, SearchOp};

/// Operations that are named one by one.
const NAMED_MAX: usize = 4;

/// A read that is out of bounds.
pub(crate) struct OutOfBounds<'a> {
    pub(crate) ops: &'a [SearchOp<CounterOp>],
    /// What the counter starts with.
    pub(crate) initial: i64,
    /// The read from which on it is known what it held, by place; else the start.
    pub(crate) from: Option<usize>,
    /// The read, by place, and what it saw.
    pub(crate) read: usize,
    pub(crate) seen: i128,
    /// Whether that is too little; else it is too much.
    pub(crate) is_less: bool,
}

impl OutOfBounds<'_> {
    /// What it held, when that began and when it was over.
    fn known(&self) -> (i128, u32, u32) {
        match self.from.map(|from| &self.ops[from]) {
            Some(SearchOp { op: CounterOp::Read(seen), start, end }) => (i128::from(*seen), *start, *end),
            _ => (i128::from(self.initial), 0, 0),
        }
    }

    /// Additions that lie between in every order, by how much each adds.
    fn certain(&self) -> impl Iterator<Item = (i128, usize)> + '_ {
        let ((_, _, end), read) = (self.known(), &self.ops[self.read]);
        self.additions().filter(move |(_, op)| self.ops[*op].start > end && self.ops[*op].end < read.start)
    }

    /// Additions that may lie between.
    fn possible(&self) -> impl Iterator<Item = (i128, usize)> + '_ {
        let ((_, start, end), read) = (self.known(), &self.ops[self.read]);
        self.additions().filter(move |(_, number)| {
            let op = &self.ops[*number];
            let is_certain = op.start > end && op.end < read.start;
            op.start < read.end && op.end > start && !is_certain
        })
    }

    fn additions(&self) -> impl Iterator<Item = (i128, usize)> + '_ {
        self.ops.iter().enumerate().filter_map(|(number, op)| match op.op {
            CounterOp::Add(by) if by != 0 => Some((i128::from(by), number)),
            CounterOp::Add(_) | CounterOp::Read(_) => None,
        })
    }

    /// The fewest certain additions that break the bound; none if all of them don't.
    pub(crate) fn evidence(&self) -> Option<Vec<usize>> {
        let towards = |by: i128| if self.is_less { by } else { -by };
        let (from, ..) = self.known();
        // How far the bound is from being broken when nothing was done for certain.
        let mut room = towards(self.seen - from);
        room -= self.possible().map(|(by, _)| towards(by).min(0)).sum::<i128>();
        room -= self.certain().map(|(by, _)| towards(by).min(0)).sum::<i128>();
        let mut certain: Vec<(i128, usize)> = self
            .certain()
            .map(|(by, number)| (towards(by), number))
            .filter(|(helps, _)| *helps > 0)
            .collect();
        certain.sort_unstable_by(|a, b| b.cmp(a));
        let mut added = Vec::new();
        let mut rest = certain.into_iter();
        while room >= 0 {
            let (helps, number) = rest.next()?;
            room -= helps;
            added.push(number);
        }
        Some(added)
    }

    /// The argument step by step. `shown` are the certain additions that are shown; names tell who did what, and
    /// when.
    pub(crate) fn told(&self, shown: &[usize], name: &dyn Fn(usize) -> String) -> Vec<String> {
        let (from, ..) = self.known();
        let (least, most) = self.bounds();
        let mut reasons = vec![match self.from {
            Some(read) => format!("{} shows that the counter held {from} then.", cap(&name(read))),
            None => format!("The counter held {from} at first."),
        }];
        let since =
            if self.from.is_some() { "was asked for after that read and" } else { "was acknowledged and" };
        for number in shown.iter().take(NAMED_MAX) {
            reasons.push(format!(
                "{} {since} was over before the read began: it can neither be left out nor come later.",
                cap(&name(*number)),
            ));
        }
        if let Some(more) = shown.len().checked_sub(NAMED_MAX).filter(|more| *more > 0) {
            reasons.push(format!("So it is with {more} more."));
        }
        reasons.push(self.against(name));
        let (which, bound) = if self.is_less { ("lowest", least) } else { ("highest", most) };
        let certain: i128 = self.certain().map(|(by, _)| by).sum();
        let helped = bound - from - certain;
        reasons.push(format!(
            "So the {which} that could have been read is {bound}: {from}, and {} certainly added in between{}. \
             All in all it could only be {least} to {most}, and it was {}.",
            signed(certain),
            if helped == 0 { String::new() } else { format!(", and {} that may have been", signed(helped)) },
            self.seen,
        ));
        reasons.extend(self.too_late(name));
        reasons
    }

    /// The lowest and the highest number that can have been read.
    pub(crate) fn bounds(&self) -> (i128, i128) {
        let certain: i128 = self.certain().map(|(by, _)| by).sum();
        let (from, ..) = self.known();
        let [down, up] =
            [i128::min, i128::max].map(|towards| self.possible().map(|(by, _)| towards(by, 0)).sum::<i128>());
        (from + certain + down, from + certain + up)
    }

    /// What may have happened and speaks for the read, and that it is not enough.
    fn against(&self, name: &dyn Fn(usize) -> String) -> String {
        let (verb, verbs) = if self.is_less { ("lowered", "lowers") } else { ("raised", "raises") };
        let mut helping: Vec<(i128, usize)> =
            self.possible().filter(|(by, _)| (*by < 0) == self.is_less).collect();
        if helping.is_empty() {
            return format!("Nothing that may have happened by then {verbs} it.");
        }
        helping.sort_unstable_by_key(|(by, number)| (-by.abs(), *number));
        let named: Vec<String> = helping
            .iter()
            .take(NAMED_MAX)
            .map(|(by, number)| format!("{} ({})", name(*number), signed(*by)))
            .collect();
        let more = match helping.len() - named.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let all: i128 = helping.iter().map(|(by, _)| by.abs()).sum();
        format!("It may have been {verb} by then by {}{more}: by {all} at most.", named.join(", "))
    }

    /// The first addition that would have helped and came too late.
    fn too_late(&self, name: &dyn Fn(usize) -> String) -> Option<String> {
        let read = &self.ops[self.read];
        let helps =
            |(by, number): &(i128, usize)| (*by < 0) == self.is_less && self.ops[*number].start > read.end;
        let (_, first) = self.additions().filter(helps).min_by_key(|(_, number)| self.ops[*number].start)?;
        let name = cap(&name(first));
        Some(format!("{name} comes too late: it was asked for when the read was over."))
    }
}

fn signed(number: i128) -> String {
    if number < 0 { format!("−{}", number.abs()) } else { format!("+{number}") }
}
