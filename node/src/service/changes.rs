//! Changes of the members that clients ask for: who waits for which, and what they are told.
//!
//! The leader alone takes them, and who asks another is told who that is. "Refused" is said of what was not
//! proposed, or lost its slot to another value: it was proposed nowhere else. To ask for what is so already
//! is no error, so whoever was told nothing certain may ask again.

use super::{ClientToken, Service};
use crate::paxos::{Change, ChangeRefused, Configuration, Slot, Standing, Value};
use crate::wire::members::ChangeReply;
use std::sync::Arc;

/// One that is proposed.
#[derive(Debug)]
pub(super) struct Waiting {
    client: ClientToken,
    id: u64,
    configuration: Arc<Configuration>,
}

impl Service {
    /// A client asks for a change of the members.
    pub fn ask_for_change(&mut self, client: ClientToken, id: u64, change: &Change) {
        self.settle_leadership();
        let latest = self.replica.latest();
        if is_so(latest, change) {
            let number = latest.number();
            self.told_of_change(client, id, ChangeReply::Done { slot: Slot::ZERO, number });
            return;
        }
        let changed = latest.changed(change);
        match (self.replica.change(change), changed) {
            (Ok(slot), Ok(configuration)) => {
                let configuration = Arc::new(configuration);
                self.changes.insert(slot, Waiting { client, id, configuration });
            }
            (Err(refused), _) | (Ok(_), Err(refused)) => {
                let leader = self.replica.leader().map(|ballot| ballot.node);
                let (again, reason) = (may_pass(&refused), refused.to_string());
                self.told_of_change(client, id, ChangeReply::Refused { leader, again, reason });
            }
        }
    }

    /// What was chosen in a slot decides the change that was proposed there.
    pub(super) fn decide_change(&mut self, slot: Slot, value: &Value) {
        let Some(Waiting { client, id, configuration }) = self.changes.remove(&slot) else { return };
        let is_it = *value == Value::Configuration(Arc::clone(&configuration));
        let reply = if is_it && self.replica.is_in_succession(&configuration) {
            ChangeReply::Done { slot, number: configuration.number() }
        } else {
            let leader = self.replica.leader().map(|ballot| ballot.node);
            let reason = "another leader's proposal came first".to_owned();
            ChangeReply::Refused { leader, again: true, reason }
        };
        self.told_of_change(client, id, reply);
    }

    /// Nobody here will find out what becomes of those under way.
    pub(super) fn abandon_changes(&mut self, reason: &str) {
        for (_, Waiting { client, id, .. }) in std::mem::take(&mut self.changes) {
            self.told_of_change(client, id, ChangeReply::Unknown { reason: reason.to_owned() });
        }
    }

    fn told_of_change(&mut self, client: ClientToken, id: u64, reply: ChangeReply) {
        self.output.changes.push((client, id, reply));
    }
}

/// Whether a configuration is what the change asks for.
fn is_so(latest: &Configuration, change: &Change) -> bool {
    match change {
        Change::Add { node, incarnation, address } => latest
            .member(*node)
            .is_some_and(|member| member.incarnation == *incarnation && member.address == *address),
        Change::Promote { node } => latest.is_voter(*node),
        Change::Replace { node, by } => latest.gone().contains(*node) && latest.is_voter(*by),
        Change::Remove { node } => latest.gone().contains(*node),
    }
}

/// Whether the same may be taken later, or by another node.
fn may_pass(refused: &ChangeRefused) -> bool {
    match refused {
        ChangeRefused::NotLeader
        | ChangeRefused::UnderWay
        | ChangeRefused::NoRoom
        | ChangeRefused::IsBehind { .. } => true,
        ChangeRefused::IsMember(_)
        | ChangeRefused::IsGone(_)
        | ChangeRefused::NoMember(_)
        | ChangeRefused::NoLearner(_)
        | ChangeRefused::LastVoter(_)
        | ChangeRefused::TooLarge => false,
    }
}

/// A member as a status tells it.
pub(super) fn standing_word(standing: Standing) -> &'static str {
    match standing {
        Standing::Voter => "voter",
        Standing::Learner => "learner",
    }
}
