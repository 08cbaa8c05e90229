//! Writes down what a node does. Told by whoever drives the [`Service`]: the shell, the simulation.

use super::codec;
use super::event::{Entry, Event, Holding, Said, ValueId};
use super::frame::{HEADER_BYTES, seal};
use crate::kv::{ClientReply, ClientRequest, ClientResult};
use crate::paxos::{AppliedHash, Lsn, Message, NodeId, NodeSet, Record, Replica, Send, Slot};
use crate::service::{ClientToken, Service};

/// Whose life is told.
#[derive(Clone, Copy, Debug)]
pub struct Life<'a> {
    /// The node.
    pub node: NodeId,
    /// All nodes, this one included.
    pub nodes: &'a [NodeId],
    /// The process.
    pub pid: u32,
    /// Differs in each life.
    pub incarnation: u64,
}

/// Collects the events of a turn.
#[derive(Debug)]
pub struct Recorder {
    /// The frame under way: room for its header, then the events.
    frame: Vec<u8>,
    /// The last record written.
    written: Lsn,
    chosen_upto: Slot,
    applied: AppliedHash,
    /// Where the last configuration begins that it told of.
    governed: Option<Slot>,
    /// The newest snapshot that it told of.
    saved: Slot,
    /// What was said last, as long as it may be said to others too.
    saying: Option<(NodeSet, Lsn, Said)>,
}

impl Recorder {
    /// Begins the trace of a life that recovered so many records, and this service from them.
    #[must_use]
    pub fn new(life: Life<'_>, records: Lsn, service: &Service) -> Recorder {
        let replica = service.replica();
        let (chosen_upto, applied) = (replica.chosen_upto(), service.kv().applied());
        let mut recorder = Recorder {
            frame: vec![0; HEADER_BYTES],
            written: records,
            chosen_upto,
            applied,
            governed: None,
            saved: replica.snapshot(),
            saying: None,
        };
        recorder.note(&Event::Started {
            node: life.node,
            nodes: life.nodes.iter().copied().collect(),
            pid: life.pid,
            incarnation: life.incarnation,
        });
        if replica.snapshot() > Slot::ZERO {
            recorder.note(&Event::Restored(service.kv().origin()));
        }
        let (promised, holding) = (replica.promised(), Holding::of(replica));
        recorder.note(&Event::Recovered { records, promised, holding, chosen_upto, applied });
        recorder.tell_who_governs(replica);
        recorder
    }

    /// A message came in.
    pub fn received(&mut self, from: NodeId, message: &Message) {
        if let Some(said) = Said::of(message) {
            self.note(&Event::Received { from, said });
        }
    }

    /// A client asks: of reads it is told when they came.
    pub fn asked(&mut self, client: ClientToken, request: &ClientRequest) {
        if request.command.is_read_only() {
            self.note(&Event::Asked { client: client.0, id: request.id });
        }
    }

    /// The disk confirmed everything up to `lsn`.
    pub fn durable(&mut self, lsn: Lsn) {
        self.note(&Event::Durable(lsn));
    }

    /// These records go to the log.
    pub fn wrote(&mut self, records: &[Record]) {
        for record in records {
            self.written = Lsn(self.written.0 + 1);
            self.note(&Event::Wrote { lsn: self.written, entry: Entry::of(record) });
        }
    }

    /// What the node newly knows to be chosen, and has applied.
    pub fn look(&mut self, service: &Service) {
        let replica = service.replica();
        self.tell_who_governs(replica);
        // Values go only after they were told of here, but for those that never came.
        if replica.trimmed_upto() > self.chosen_upto {
            let installed = service.kv().origin();
            self.note(&Event::Installed(installed));
            self.chosen_upto = installed.slot;
            self.applied = installed;
        }
        while self.chosen_upto < replica.chosen_upto() {
            self.chosen_upto = self.chosen_upto.next();
            // The prefix is gap-free; if it is not, the reader finds the gap.
            if let Some(value) = replica.learned(self.chosen_upto) {
                self.note(&Event::Chosen { slot: self.chosen_upto, value: ValueId::of(value) });
            }
        }
        let applied = service.kv().applied();
        if applied != self.applied {
            let mut slot = self.applied.slot.next();
            while slot < applied.slot {
                if let Some(hash) = service.kv().hash_at(slot) {
                    self.note(&Event::Applied(AppliedHash { slot, hash }));
                }
                slot = slot.next();
            }
            self.note(&Event::Applied(applied));
            self.applied = applied;
        }
        // Behind what it led to: a fetched snapshot is of a state that this node had not yet.
        if replica.snapshot() > self.saved {
            self.saved = replica.snapshot();
            self.note(&Event::Saved(self.saved));
        }
    }

    /// Configurations that it has not told of. Those that nobody votes in tell nothing: the node has yet to
    /// learn who does.
    fn tell_who_governs(&mut self, replica: &Replica) {
        for governing in replica.current() {
            let (from, voters) = (governing.from, governing.configuration.voters());
            if voters != NodeSet::EMPTY && self.governed.is_none_or(|governed| governed < from) {
                self.governed = Some(from);
                self.note(&Event::Governs { from, voters });
            }
        }
    }

    /// A message leaves.
    pub fn sent(&mut self, send: &Send) {
        let Some(said) = Said::of(&send.message) else { return };
        if let Some((to, after, saying)) = &mut self.saying
            && (*after, &*saying) == (send.after, &said)
        {
            to.insert(send.to);
            return;
        }
        self.finish_saying();
        self.saying = Some(([send.to].into_iter().collect(), send.after, said));
    }

    /// A client gets its answer: noted if it says that the request was carried out.
    pub fn replied(&mut self, client: ClientToken, reply: &ClientReply) {
        if matches!(reply.result, ClientResult::Reply(_)) {
            self.note(&Event::Replied { client: client.0, id: reply.id, slot: reply.slot });
        }
    }

    /// Whether nothing has happened in this turn yet.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.saying.is_none() && self.frame.len() == HEADER_BYTES
    }

    /// The frame of this turn, which began and ends at these times; `None` if nothing happened.
    pub fn take(&mut self, began_ns: u64, written_ns: u64) -> Option<Vec<u8>> {
        if self.is_idle() {
            return None;
        }
        self.finish_saying();
        let mut frame = std::mem::replace(&mut self.frame, vec![0; HEADER_BYTES]);
        seal(&mut frame, began_ns, written_ns);
        Some(frame)
    }

    fn note(&mut self, event: &Event) {
        self.finish_saying();
        codec::encode(event, &mut self.frame);
    }

    fn finish_saying(&mut self) {
        if let Some((to, after, said)) = self.saying.take() {
            codec::encode(&Event::Sent { to, after, said }, &mut self.frame);
        }
    }
}
