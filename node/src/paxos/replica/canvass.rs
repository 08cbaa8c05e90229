//! Canvassing, before standing: "would you promise me this ballot?" (the thesis on Raft calls it
//! pre-vote).
//!
//! Whoever stands deposes the leader: its ballot is above, and one promise is enough for the leader's
//! proposals to be refused. For a node that was cut off, or is deaf, or hears everybody but the leader,
//! that is wrong as long as others hear the leader well. So it first asks, and its question costs nobody
//! anything: no ballot is used, nothing is promised or written. Granted is what no leader is heard by:
//! nodes that heard one within the shortest election timeout, and leaders (those who lost their quorum
//! step down by themselves), deny. With a quorum of grants the node stands, and then everything is as
//! without the question, which is why safety does not depend on it.
//!
//! # What follows where a network works in part
//! A quorum that hears the leader keeps it. Where the leader has lost its quorum it steps down, and of
//! the others only a node that reaches a quorum *both ways* gets its grants: a node at the end of a chain
//! of links can't keep the one in the middle from leading by trying again and again. (Any node will do as
//! a leader, however little it knows: phase 1 tells it the rest.)
//!
//! # Fast where that is safe
//! A connection refused or reset by the leader's machine says that its process is gone:
//! [`Replica::lost_touch`] asks at once, without waiting for a timeout. Wrongly, now and then; then the
//! others deny. And if all notice at once and stand with the same round, the highest node's ballot is
//! the highest, and the others give way to it.

use super::{Refused, Replica, Role};
use crate::paxos::{Ballot, Lsn, Message, NodeId, NodeSet};

/// A question under way.
#[derive(Debug)]
pub(super) struct Canvass {
    /// The ballot asked for.
    ballot: Ballot,
    /// Who would promise it, this node among them unless it has granted another a lease.
    grants: NodeSet,
    asked_at: u64,
}

impl Replica {
    /// The election timeout has run out: stands, or asks whether to.
    pub(super) fn campaign(&mut self) {
        if self.election.asks_first() {
            self.election.postpone(self.now);
            self.canvass();
        } else {
            self.stand();
        }
    }

    /// The connection to a node was refused or reset: its process is gone, or the way there is.
    pub fn lost_touch(&mut self, node: NodeId) {
        let leads = self.following.is_some_and(|leader| leader.node == node);
        if leads && node != self.id && self.election.asks_first() {
            self.election.forget_leader();
            self.following = None;
            if self.canvass.is_none() {
                self.canvass();
            }
        }
    }

    fn canvass(&mut self) {
        if !self.is_electable() {
            return;
        }
        self.step_down(None);
        let ballot = Ballot { round: self.round_max + 1, node: self.id };
        let grants = NodeSet::EMPTY;
        self.canvass = Some(Canvass { ballot, grants, asked_at: self.now });
        for to in self.current_voters() {
            self.send(to, Message::PreVote { ballot }, Lsn::ZERO);
        }
        self.stand_if_granted();
    }

    /// Asks those again who have not granted: the question may have been lost, and what they answered
    /// need not be true any more.
    pub(super) fn canvass_again(&mut self) {
        let Some(canvass) = &mut self.canvass else { return };
        if self.now < canvass.asked_at + self.timing.heartbeat_ticks {
            return;
        }
        canvass.asked_at = self.now;
        let (ballot, grants) = (canvass.ballot, canvass.grants);
        for to in self.current_voters().into_iter().filter(|node| !grants.contains(*node)) {
            self.send(to, Message::PreVote { ballot }, Lsn::ZERO);
        }
        self.stand_if_granted();
    }

    pub(super) fn on_pre_vote(&mut self, from: NodeId, ballot: Ballot) {
        let Refused { promised, after } = self.acceptor.refused();
        let leads = matches!(self.role, Role::Leader(_));
        // A leader that asks is none any more.
        let follows_it = self.following.is_some_and(|leader| leader.node == from);
        let content = self.election.is_content(self.now) && !follows_it;
        let granted = ballot > promised && !leads && !content && !self.grant.denies(from);
        self.send(from, Message::PreVoteReply { ballot, promised, granted }, after);
    }

    pub(super) fn on_pre_vote_reply(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        promised: Ballot,
        granted: bool,
    ) {
        self.see(promised);
        let Some(canvass) = &mut self.canvass else { return };
        if canvass.ballot != ballot {
            return;
        }
        if granted {
            canvass.grants.insert(from);
            self.stand_if_granted();
        } else if promised >= ballot {
            // Nobody could grant that any more.
            self.canvass();
        }
    }

    fn stand_if_granted(&mut self) {
        let Some(Canvass { mut grants, .. }) = self.canvass else { return };
        if self.grant.denies(self.id) {
            return;
        }
        grants.insert(self.id);
        if self.current().iter().all(|governing| governing.configuration.has_majority(grants)) {
            self.stand();
        }
    }
}
