//! Where a segment has no further intact batch: has the log ended, was its last write torn, or is
//! something lost that had been durable? One table answers, and a test shows that for each combination
//! of what can be seen exactly one of its rows does. (The form is TigerBeetle's: `src/vsr/journal.zig`,
//! recovery cases.)
//!
//! Why the rows are right follows from the rule of writing, in the [module above](super): whatever was begun
//! later was begun when this was durable.

/// What stands where the next batch should start.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) enum Here {
    /// Zeros, or the end of the segment.
    Nothing,
    /// No header of this generation: a torn one, a damaged one, or what an older segment left.
    Unreadable,
    /// An intact header, and not the body that it speaks of.
    BodyLost,
}

/// What the segment after this one is.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) enum Next {
    /// None has been begun.
    None,
    /// It begins with the record that is due here.
    Due,
    /// It begins with a later record.
    Later,
}

/// All that bears on it.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) struct Seen {
    pub(crate) here: Here,
    /// A header of this generation stands further behind.
    pub(crate) later_batch: bool,
    pub(crate) next: Next,
    /// The superblock says that the record due here was durable.
    pub(crate) vouched: bool,
}

/// What it comes to.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) enum Verdict {
    /// Here the segment's batches end.
    End,
    /// A write that a crash cut short, before anybody was told of it.
    Torn,
    /// Something that was durable is gone: refused. By this proof.
    Lost(Witness),
}

/// What proves a loss.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) enum Witness {
    Batch,
    Segment,
    Superblock,
}

/// A row: what it asks for (an empty list or `None`: anything), and its verdict.
struct Case {
    here: &'static [Here],
    later_batch: Option<bool>,
    next: &'static [Next],
    vouched: Option<bool>,
    verdict: Verdict,
}

const TABLE: [Case; 7] = [
    // Nothing is written behind a batch that is not durable.
    Case {
        here: &[],
        later_batch: Some(true),
        next: &[],
        vouched: None,
        verdict: Verdict::Lost(Witness::Batch),
    },
    // Nor is a segment begun; and its header says with which record.
    Case {
        here: &[],
        later_batch: Some(false),
        next: &[Next::Later],
        vouched: None,
        verdict: Verdict::Lost(Witness::Segment),
    },
    // The last batch of a segment that has a successor was durable, or was cut before that was begun.
    Case {
        here: &[Here::BodyLost],
        later_batch: Some(false),
        next: &[Next::Due],
        vouched: None,
        verdict: Verdict::Lost(Witness::Segment),
    },
    Case {
        here: &[Here::Nothing, Here::Unreadable],
        later_batch: Some(false),
        next: &[Next::Due],
        vouched: None,
        verdict: Verdict::End,
    },
    // The log ends here, but did not always.
    Case {
        here: &[],
        later_batch: Some(false),
        next: &[Next::None],
        vouched: Some(true),
        verdict: Verdict::Lost(Witness::Superblock),
    },
    // The log ends here.
    Case {
        here: &[Here::Nothing],
        later_batch: Some(false),
        next: &[Next::None],
        vouched: Some(false),
        verdict: Verdict::End,
    },
    // What is here is the one batch that need not be durable.
    Case {
        here: &[Here::Unreadable, Here::BodyLost],
        later_batch: Some(false),
        next: &[Next::None],
        vouched: Some(false),
        verdict: Verdict::Torn,
    },
];

impl Case {
    fn fits(&self, seen: &Seen) -> bool {
        (self.here.is_empty() || self.here.contains(&seen.here))
            && (self.next.is_empty() || self.next.contains(&seen.next))
            && self.later_batch.is_none_or(|later_batch| later_batch == seen.later_batch)
            && self.vouched.is_none_or(|vouched| vouched == seen.vouched)
    }
}

/// Judges.
pub(crate) fn judge(seen: &Seen) -> Verdict {
    let case = TABLE.iter().find(|case| case.fits(seen));
    case.expect("the table has a row for everything, as its test shows").verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_fits_exactly_one_row_and_every_row_some() {
        let mut used = [0; TABLE.len()];
        for here in [Here::Nothing, Here::Unreadable, Here::BodyLost] {
            for next in [Next::None, Next::Due, Next::Later] {
                for (later_batch, vouched) in [(false, false), (false, true), (true, false), (true, true)] {
                    let seen = Seen { here, later_batch, next, vouched };
                    let rows: Vec<usize> = (0..TABLE.len()).filter(|&row| TABLE[row].fits(&seen)).collect();
                    assert_eq!(rows.len(), 1, "{seen:?} fits the rows {rows:?}");
                    assert_eq!(judge(&seen), TABLE[rows[0]].verdict);
                    used[rows[0]] += 1;
                }
            }
        }
        assert_eq!(used, [18, 6, 2, 4, 3, 1, 2]);
    }

    #[test]
    fn only_what_nothing_speaks_for_is_ever_cut() {
        let torn: Vec<&Case> = TABLE.iter().filter(|case| case.verdict == Verdict::Torn).collect();
        let [case] = torn.as_slice() else { panic!("one row cuts") };
        assert_eq!(
            (case.later_batch, case.next, case.vouched),
            (Some(false), &[Next::None][..], Some(false))
        );
    }
}
