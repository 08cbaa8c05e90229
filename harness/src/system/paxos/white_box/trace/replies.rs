//! Rules about what clients are told, by the clock that all nodes share.

use super::found::{At, Found, Rule};
use paxos_node::paxos::Slot;

/// All that clients were told.
#[derive(Default)]
pub(super) struct Replies {
    replies: Vec<Reply>,
}

struct Reply {
    slot: Slot,
    /// Of a read: it had not come in before.
    asked_ns: Option<u64>,
    at: At,
}

impl Replies {
    pub(super) fn add(&mut self, slot: Slot, asked_ns: Option<u64>, at: At) {
        self.replies.push(Reply { slot, asked_ns, at });
    }

    /// `known_ns`: when somebody first knew everything up to a slot to be chosen, at the latest;
    /// `whole`: all traces are there.
    pub(super) fn judge(&self, known_ns: impl Fn(Slot) -> Option<u64>, whole: bool, found: &mut Found) {
        found.examined("traced answers", self.replies.len());
        for Reply { slot, asked_ns, at } in &self.replies {
            let known = known_ns(*slot);
            let is_known = known.is_some_and(|known| known <= at.written_ns);
            if *slot > Slot::ZERO && whole && !is_known {
                let when = if known.is_some() { "yet" } else { "ever" };
                let words =
                    format!("answers a client with slot {slot}, which nobody knew {when} to be chosen");
                found.broken(Rule::AnsweredIsChosen, *at, &words);
            }
            // Whoever first knew the next slot knew it before the read came in: the read misses it.
            let (Some(asked), Some(next)) = (asked_ns, known_ns(slot.next())) else { continue };
            if next < *asked {
                let (late, next_slot) = ((*asked - next) as f64 / 1e6, slot.next());
                let words = format!(
                    "answers a read with the state after slot {slot}; slot {next_slot} was known to be chosen {late:.1} ms before it was asked"
                );
                found.broken(Rule::ReadSeesChosen, *at, &words);
            }
        }
    }
}
