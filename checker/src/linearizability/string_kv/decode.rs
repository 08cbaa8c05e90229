//! Texts as registers, where each get can be taken apart in one way only.
//!
//! Relies on updates of which none wrote the beginning of another's text, and on puts that, if any get
//! shows them, wrote each their own. Then a text that is shown is never there twice: a put begins a
//! *chain* of texts, and so does the empty text at the start, and appends only make the text of a chain
//! longer. Each text that gets show is a value of a register. Appends may have written the same; which
//! of them made which text is found out by [`assign`](super::assign).
//!
//! What a get begins with may have been both put and appended. It was put if some get shows that the
//! empty text at the start went on otherwise; if none shows how it went on, that is left to others.
//!
//! Linear in the bytes of the texts but for a look-up per update: what a get has in common with the get
//! before is not taken apart again.

use super::few::Few;
use super::{Impossible, Kind, TextOp};
use crate::linearizability::partition::NEVER;
use crate::linearizability::register_op::{INITIAL, ValueId};

/// What the gets of a key show.
#[derive(Debug)]
pub(super) struct Chains {
    /// The texts that gets show, and those that they begin with: register value n is the text n − 1.
    pub(super) texts: Vec<Text>,
    /// For each get its place among the operations, and the value that it read.
    pub(super) reads: Vec<(usize, ValueId)>,
    /// The different texts of updates.
    pub(super) updates: Vec<Update>,
}

/// A text: what it is longer than, and by what.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) before: ValueId,
    pub(super) chain: u32,
    /// Among the updates.
    pub(super) update: u32,
    /// The first get that shows it.
    pub(super) shown_by: usize,
    /// The first end of the gets that show it, or a longer one of its chain.
    pub(super) first_end: u32,
    /// The last start of the gets that show a shorter one of its chain.
    pub(super) last_start_before: u32,
}

/// One text that was put or appended.
#[derive(Debug, Default)]
pub(super) struct Update {
    /// The operations that put it.
    pub(super) puts: Few<usize>,
    /// The value that these made, if any get shows it: then there is one of them.
    pub(super) put: Option<ValueId>,
    /// The operations that appended it.
    pub(super) appends: Few<usize>,
    /// The values that these made.
    pub(super) made: Few<ValueId>,
}

/// Takes the gets apart; `None` if that can be done in several ways.
pub(super) fn chains(ops: &[TextOp<'_>]) -> Option<Result<Chains, Impossible>> {
    let mut apart = Apart::of(ops)?;
    if apart.may_begin_otherwise(ops) {
        return None;
    }
    let mut reads = Vec::with_capacity(ops.len() - apart.updates_asked);
    for (number, op) in ops.iter().enumerate() {
        if let Kind::Get(text) = op.kind {
            match apart.take(number, text) {
                Ok(last) => reads.push((number, last)),
                Err(impossible) => return Some(Err(impossible)),
            }
        }
    }
    let Apart { mut texts, chains, updates, .. } = apart;
    let mut spans = vec![(NEVER, 0u32); texts.len() + 1];
    for &(number, value) in &reads {
        let (first_end, last_start) = &mut spans[value as usize];
        *first_end = ops[number].end.min(*first_end);
        *last_start = ops[number].start.max(*last_start);
    }
    for chain in &chains {
        let mut last_start = if chain.from_empty { spans[INITIAL as usize].1 } else { 0 };
        for value in &chain.values {
            texts[*value as usize - 1].last_start_before = last_start;
            last_start = last_start.max(spans[*value as usize].1);
        }
        let mut first_end = NEVER;
        for value in chain.values.iter().rev() {
            first_end = first_end.min(spans[*value as usize].0);
            texts[*value as usize - 1].first_end = first_end;
        }
    }
    Some(Ok(Chains { texts, reads, updates }))
}

/// The values of the texts that begin with a put, or of those that begin with the empty text.
#[derive(Default)]
struct Chain {
    from_empty: bool,
    values: Vec<ValueId>,
}

struct Apart<'t> {
    /// By text, with the updates in the same order.
    sorted: Vec<Bytes<'t>>,
    updates: Vec<Update>,
    /// How many operations are updates.
    updates_asked: usize,
    texts: Vec<Text>,
    /// The first is that of the empty text.
    chains: Vec<Chain>,
    /// For each update the chain that it begins.
    begins: Vec<u32>,
    /// The get that was taken apart last, with its chain and where each of its parts ends.
    last: &'t [u8],
    chain: u32,
    parts: Vec<usize>,
}

const NO_CHAIN: u32 = u32::MAX;

/// Bytes in their order, the first eight of them as a number: most that differ, differ in these.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Bytes<'t> {
    first: u64,
    all: &'t [u8],
}

impl<'t> Bytes<'t> {
    fn new(all: &'t [u8]) -> Self {
        // Zeros behind shorter ones: no byte is less.
        let first = match all.first_chunk() {
            Some(first) => u64::from_be_bytes(*first),
            None => (0..8).fold(0, |first, at| first << 8 | u64::from(all.get(at).copied().unwrap_or(0))),
        };
        Self { first, all }
    }
}

impl<'t> Apart<'t> {
    fn of(ops: &[TextOp<'t>]) -> Option<Self> {
        let mut by_text: Vec<(Bytes<'_>, usize)> = Vec::with_capacity(ops.len());
        for (number, op) in ops.iter().enumerate() {
            if let Kind::Put(text) | Kind::Append(text) = op.kind {
                by_text.push((Bytes::new(text.as_bytes()), number));
            }
        }
        by_text.sort_unstable();
        let updates_asked = by_text.len();
        let mut sorted: Vec<Bytes<'_>> = Vec::with_capacity(by_text.len());
        let mut updates: Vec<Update> = Vec::with_capacity(by_text.len());
        for (text, number) in by_text {
            match sorted.last() {
                Some(last) if *last == text => {}
                // What lies between a text and a longer one that begins with it begins with it too.
                Some(last) if text.all.starts_with(last.all) => return None,
                _ => {
                    sorted.push(text);
                    updates.push(Update::default());
                }
            }
            let update = updates.last_mut()?;
            match ops[number].kind {
                Kind::Put(_) => update.puts.push(number),
                _ => update.appends.push(number),
            }
        }
        let empty = sorted.first().is_some_and(|text| text.all.is_empty());
        let begins = vec![NO_CHAIN; sorted.len()];
        let chains = vec![Chain { from_empty: true, values: Vec::new() }];
        // At most one for each update, and they grow in turns.
        let (texts, parts) = (Vec::with_capacity(updates_asked), Vec::with_capacity(updates_asked));
        let last = &[][..];
        (!empty).then_some(Self {
            sorted,
            updates,
            updates_asked,
            texts,
            chains,
            begins,
            last,
            chain: 0,
            parts,
        })
    }

    /// Whether some get begins with what was put twice, or may have been appended to the empty text.
    fn may_begin_otherwise(&self, ops: &[TextOp<'_>]) -> bool {
        let (mut from_empty, mut put_or_appended) = (false, false);
        let mut first: Option<usize> = None;
        for op in ops {
            let Kind::Get(text) = op.kind else { continue };
            let text = text.as_bytes();
            if !first.is_some_and(|first| text.starts_with(self.sorted[first].all)) {
                first = self.beginning(text);
            }
            let Some(update) = first.map(|first| &self.updates[first]) else { continue };
            if update.puts.len() > 1 {
                return true;
            }
            from_empty |= update.puts.is_empty();
            put_or_appended |= !update.puts.is_empty() && !update.appends.is_empty();
        }
        put_or_appended && !from_empty
    }

    /// The update that a text begins with.
    fn beginning(&self, text: &[u8]) -> Option<usize> {
        let text = Bytes::new(text);
        let behind = self.sorted.partition_point(|part| *part <= text);
        behind.checked_sub(1).filter(|place| text.all.starts_with(self.sorted[*place].all))
    }

    /// Takes a get apart, and tells its value.
    fn take(&mut self, get: usize, text: &'t str) -> Result<ValueId, Impossible> {
        let text = text.as_bytes();
        let same = same_bytes(self.last, text);
        self.parts.truncate(self.parts.partition_point(|end| *end <= same));
        self.last = text;
        if self.parts.is_empty() {
            self.chain = 0;
        }
        let mut byte = self.parts.last().copied().unwrap_or(0);
        while byte < text.len() {
            let rest = &text[byte..];
            let Some(place) = self.beginning(rest) else {
                return Err(Impossible::NeverWritten { get });
            };
            match &self.updates[place] {
                Update { puts, .. } if byte == 0 && !puts.is_empty() => self.enter_chain(place),
                Update { puts, appends, .. } if appends.is_empty() => {
                    return Err(Impossible::PutBehind { get, put: puts[0] });
                }
                _ => {}
            }
            self.go_on(get, place)?;
            byte += self.sorted[place].all.len();
            self.parts.push(byte);
        }
        Ok(match self.parts.len() {
            0 => INITIAL,
            length => self.chains[self.chain as usize].values[length - 1],
        })
    }

    fn enter_chain(&mut self, put: usize) {
        if self.begins[put] == NO_CHAIN {
            self.begins[put] = self.chains.len() as u32;
            self.chains.push(Chain::default());
        }
        self.chain = self.begins[put];
    }

    /// The next part of a text must be that of its chain, if that is known.
    fn go_on(&mut self, get: usize, update: usize) -> Result<(), Impossible> {
        let chain = &mut self.chains[self.chain as usize];
        if let Some(known) = chain.values.get(self.parts.len()) {
            let known = &self.texts[*known as usize - 1];
            return match known.update as usize == update {
                true => Ok(()),
                false => Err(Impossible::Fork { get, other: known.shown_by }),
            };
        }
        let before = chain.values.last().copied().unwrap_or(INITIAL);
        let made = &mut self.updates[update];
        self.texts.push(Text {
            before,
            chain: self.chain,
            update: update as u32,
            shown_by: get,
            first_end: NEVER,
            last_start_before: 0,
        });
        let value = self.texts.len() as ValueId;
        chain.values.push(value);
        if chain.values.len() == 1 && !chain.from_empty {
            made.put = Some(value);
            return Ok(());
        }
        made.made.push(value);
        match made.made.len() > made.appends.len() {
            true => Err(Impossible::TooOften { get, append: made.appends[0] }),
            false => Ok(()),
        }
    }
}

/// How many bytes two texts have in common at their beginning.
fn same_bytes(a: &[u8], b: &[u8]) -> usize {
    const AT_ONCE: usize = 64;
    let whole = a.chunks_exact(AT_ONCE).zip(b.chunks_exact(AT_ONCE)).take_while(|(a, b)| a == b).count();
    let from = whole * AT_ONCE;
    from + a[from..].iter().zip(&b[from..]).take_while(|(a, b)| a == b).count()
}
