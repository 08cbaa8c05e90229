//! How a cluster begins, and how a disk that lost its memory is kept out of it.
//!
//! A vote is worth what the voter remembers. A node whose folder was emptied comes back under its old
//! id and knows nothing of what it promised: with it, a majority can be had that has forgotten what a
//! majority chose. So a member is not an id but an id and its disk's *incarnation*, a number drawn when
//! the disk's memory began; and every message comes with its sender's (a connection's first frame
//! says it). Whoever knows another incarnation for that id takes nothing from the sender and tells it so
//! ([`Message::Unwelcome`]), which ends it. That is all there is to it once a configuration is known that
//! names the disks, and every configuration that was chosen does.
//!
//! # The founders' meeting
//! The first configuration is not chosen by anybody. It can't be "whoever calls himself n1": a node
//! that has not met n1 yet could not tell the n1 that voted from the n1 that forgot. Nor could the
//! incarnations be put into the log later: those who lag don't know the log. So all founders have to meet
//! once, before any of them promises, accepts or stands:
//!
//! 1. Each tells the others its incarnation, again and again ([`Message::Meet`]). Who has heard all of them
//!    writes down which they are ([`Record::Pledged`]), and when that is durable says so. A disk pledges
//!    once.
//! 2. Who has heard from all the others that they pledged the same writes that down ([`Record::Founded`]),
//!    and when it is durable takes part. One of the others who has come so far is as good as all of them.
//!
//! *Two founders that take part began with the same disks.* Let one have completed the meeting with V and
//! another with W. Each founder's disk in V has pledged V, and each in W has pledged W; a disk pledges
//! once, so if V ≠ W no disk is in both: everybody's disk was replaced, and the clusters have nothing in
//! common but their number. *A disk that replaced a founder's never takes part.* To complete a meeting it
//! would need all others to pledge with it; those of V have pledged, and tell it that it is unwelcome.
//!
//! What it costs: a cluster begins only when all its founders are there, and a disk that is lost before
//! that means that all begin again. Afterwards a majority is enough, as ever.
//!
//! Beyond this rule: a folder copied back from a backup has the right incarnation and the wrong memory. No
//! node can tell; whoever restores one has to empty it, and to add it under a new id.

use super::Replica;
use crate::paxos::{Configuration, Lsn, Member, Message, NodeId, NodeSet, Record, Stage, Standing};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How a node comes to know the configuration that a cluster begins with.
#[derive(Clone, Debug)]
pub enum Founding {
    /// It is known, disks and all; or it is [`Configuration::unknown`], and the node joins a cluster that
    /// is there.
    Known(Configuration),
    /// These nodes, this one among them, found it when they have met.
    Meeting(Vec<NodeId>),
}

/// Why a node is not, or no longer, let in under its id.
#[derive(Copy, Clone, Eq, PartialEq, Debug, thiserror::Error)]
pub enum Stranger {
    /// The id is another disk's.
    #[error(
        "{by} knows {node} as disk {known:016x}, and this is disk {found:016x}: an id stands for one disk, and this \
         one does not remember what that one promised. Join under a new id, with --join and an empty \
         folder, and have {node} replaced by it"
    )]
    OtherDisk {
        /// Who says so.
        by: NodeId,
        /// The id.
        node: NodeId,
        /// Whose it is.
        known: u64,
        /// Who came.
        found: u64,
    },
    /// The id is nobody's, and its owner takes himself for a founder.
    #[error(
        "{by} knows no member {node}: it was removed, or is none of those who founded the cluster. Join under a \
         new id, with --join and an empty folder"
    )]
    NoMember {
        /// Who says so.
        by: NodeId,
        /// The id.
        node: NodeId,
    },
    /// Two founders have pledged to begin with different disks.
    #[error(
        "{by} pledged to found the cluster with other disks than {node} did: one was emptied while the founders \
         met. Nothing has been stored yet: empty the folders of all founders, and start them again"
    )]
    OtherPledge {
        /// Who says so.
        by: NodeId,
        /// This node.
        node: NodeId,
    },
}

/// The founders' meeting, while it lasts.
#[derive(Debug)]
pub(super) struct Meeting {
    founders: Vec<NodeId>,
    /// Which disks the founders said they were.
    heard: BTreeMap<NodeId, u64>,
    /// What this node pledged, and where that stands in its log.
    pledge: Option<(Arc<Configuration>, Lsn)>,
    /// The others who pledged the same.
    agreed: NodeSet,
    /// Where the end of the meeting stands in the log.
    founded: Option<Lsn>,
    /// When this node last told its stage.
    said_at: Option<u64>,
}

impl Meeting {
    pub(super) fn new(founders: &[NodeId], pledged: Option<(Arc<Configuration>, Lsn)>) -> Meeting {
        Meeting {
            founders: founders.to_vec(),
            heard: BTreeMap::new(),
            pledge: pledged,
            agreed: NodeSet::EMPTY,
            founded: None,
            said_at: None,
        }
    }
}

impl Replica {
    /// Whether this node has a part in the protocol, if only to learn: it is no founder, or the founders
    /// have met.
    #[must_use]
    pub fn takes_part(&self) -> bool {
        self.meeting.is_none()
    }

    /// The founders whom this one has yet to hear.
    #[must_use]
    pub fn unmet(&self) -> Vec<NodeId> {
        let Some(Meeting { founders, heard, pledge: None, .. }) = &self.meeting else { return Vec::new() };
        founders.iter().copied().filter(|node| *node != self.id && !heard.contains_key(node)).collect()
    }

    /// Why this node can't go on under its id, once it knows.
    #[must_use]
    pub fn unwelcome(&self) -> Option<Stranger> {
        self.unwelcome
    }

    /// Whether a message of `from`, which is on disk `incarnation`, may be taken in. Whoever is known
    /// under another is told so.
    pub fn recognises(&mut self, from: NodeId, incarnation: u64) -> bool {
        let Some(known) = self.member(from) else { return true };
        if known.is_on(incarnation) {
            return true;
        }
        let known = Some(known.incarnation);
        self.send(from, Message::Unwelcome { known }, Lsn::ZERO);
        false
    }

    /// What this node knows of a member, now or soon.
    fn member(&self, node: NodeId) -> Option<&Member> {
        self.current().iter().rev().find_map(|governing| governing.configuration.member(node))
    }

    /// A founder, on disk `incarnation`, tells how far it has come.
    pub fn on_meet(&mut self, from: NodeId, incarnation: u64, stage: &Stage) {
        let Some(meeting) = &mut self.meeting else {
            self.answer_late_founder(from, incarnation, stage);
            return;
        };
        if !meeting.founders.contains(&from) {
            self.send(from, Message::Unwelcome { known: None }, Lsn::ZERO);
            return;
        }
        meeting.heard.insert(from, incarnation);
        self.pledge_if_all_are_heard();
        let Some(Meeting { pledge, agreed, .. }) = &mut self.meeting else { return };
        match (pledge, stage) {
            (None, _) => {}
            (Some((pledged, _)), _) if !pledged.member(from).is_some_and(|it| it.is_on(incarnation)) => {
                let known = pledged.member(from).map(|member| member.incarnation);
                self.send(from, Message::Unwelcome { known }, Lsn::ZERO);
            }
            (Some((pledged, _)), Stage::Pledged(theirs)) => {
                if theirs == pledged {
                    agreed.insert(from);
                    self.found_if_all_agree();
                } else {
                    self.unwelcome = Some(Stranger::OtherPledge { by: from, node: self.id });
                }
            }
            (Some((pledged, _)), Stage::Founded) => {
                *agreed = pledged.voters();
                self.found_if_all_agree();
            }
            (Some(_), Stage::Fresh) => self.tell_stage(&[from]),
        }
    }

    /// The meeting is over, and one of the founders has yet to hear that; or somebody thinks he is one.
    fn answer_late_founder(&mut self, from: NodeId, incarnation: u64, stage: &Stage) {
        // Who joined and knows nothing yet can't tell a founder from a stranger.
        if *stage == Stage::Founded || self.configuration().members().is_empty() {
            return;
        }
        if self.member(from).is_none() {
            self.send(from, Message::Unwelcome { known: None }, Lsn::ZERO);
        } else if self.recognises(from, incarnation) {
            self.tell_stage(&[from]);
        }
    }

    /// `by` does not let this node in. A member knows better.
    pub fn on_unwelcome(&mut self, by: NodeId, known: Option<u64>) {
        let node = self.id;
        if self.takes_part() && self.member(node).is_some_and(|it| it.incarnation == self.incarnation) {
            return;
        }
        // It is gone, and knows; and nobody takes its word for anything.
        if self.takes_part() && self.configuration().gone().contains(node) {
            return;
        }
        self.unwelcome = Some(match known {
            Some(known) => Stranger::OtherDisk { by, node, known, found: self.incarnation },
            None => Stranger::NoMember { by, node },
        });
    }

    /// What it learns may tell a node that its id is another's.
    pub(super) fn find_itself(&mut self) {
        let node = self.id;
        let Some(member) = self.member(node).filter(|member| !member.is_on(self.incarnation)) else { return };
        let (known, found) = (member.incarnation, self.incarnation);
        self.unwelcome = Some(Stranger::OtherDisk { by: node, node, known, found });
    }

    /// Tells all other founders how far this one has come, now and then. Whoever is told answers if that
    /// is news for the teller.
    pub(super) fn tick_meeting(&mut self) {
        let Some(meeting) = &mut self.meeting else { return };
        let due = meeting.said_at.is_none_or(|at| self.now >= at + self.timing.heartbeat_ticks);
        if !due {
            return;
        }
        meeting.said_at = Some(self.now);
        self.tell_stage_to_all();
        // A founder of its own has nobody to wait for.
        self.pledge_if_all_are_heard();
        self.found_if_all_agree();
    }

    fn tell_stage_to_all(&mut self) {
        let Some(meeting) = &self.meeting else { return };
        let others: Vec<NodeId> = meeting.founders.iter().copied().filter(|node| *node != self.id).collect();
        self.tell_stage(&others);
    }

    fn tell_stage(&mut self, to: &[NodeId]) {
        let (stage, after) = match &self.meeting {
            None => (Stage::Founded, Lsn::ZERO),
            Some(Meeting { pledge: Some((pledge, lsn)), .. }) => (Stage::Pledged(Arc::clone(pledge)), *lsn),
            Some(_) => (Stage::Fresh, Lsn::ZERO),
        };
        for to in to {
            self.send(*to, Message::Meet { stage: stage.clone() }, after);
        }
    }

    fn pledge_if_all_are_heard(&mut self) {
        let Some(meeting) = &mut self.meeting else { return };
        if meeting.pledge.is_some() {
            return;
        }
        meeting.heard.insert(self.id, self.incarnation);
        if !meeting.founders.iter().all(|founder| meeting.heard.contains_key(founder)) {
            return;
        }
        let founder = |(node, incarnation): (&NodeId, &u64)| Member {
            node: *node,
            standing: Standing::Voter,
            incarnation: *incarnation,
            // Each has been told by its own command line.
            address: String::new(),
        };
        let pledge = Arc::new(Configuration::founding(meeting.heard.iter().map(founder).collect()));
        let lsn = self.journal.append(Record::Pledged(Arc::clone(&pledge)));
        meeting.pledge = Some((pledge, lsn));
        self.tell_stage_to_all();
    }

    fn found_if_all_agree(&mut self) {
        let Some(meeting) = &mut self.meeting else { return };
        let Some((pledge, _)) = &meeting.pledge else { return };
        let all = pledge.voters().iter().all(|node| node == self.id || meeting.agreed.contains(node));
        if all && meeting.founded.is_none() {
            meeting.founded = Some(self.journal.append(Record::Founded(Arc::clone(pledge))));
        }
    }

    /// The end of the meeting is durable: from here on this node takes part.
    pub(super) fn begin_if_founded(&mut self) {
        let Some(Meeting { pledge: Some((pledge, _)), founded: Some(lsn), .. }) = &self.meeting else {
            return;
        };
        if *lsn > self.journal.durable() {
            return;
        }
        let founding = Configuration::clone(pledge);
        self.tell_stage_to_all_founded();
        self.learner.found(founding, self.window);
        self.election.postpone(self.now);
    }

    fn tell_stage_to_all_founded(&mut self) {
        let Some(meeting) = self.meeting.take() else { return };
        let others: Vec<NodeId> = meeting.founders.into_iter().filter(|node| *node != self.id).collect();
        self.tell_stage(&others);
    }
}
