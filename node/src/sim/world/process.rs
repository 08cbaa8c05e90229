//! What a node's process makes of its input: the shell's part, simulated. Records go to the disk in
//! batches, one at a time; messages wait for what they reveal; and each step is observed.

use super::super::network::{Carriage, Fate};
use super::super::trace::Show;
use super::{CLUSTER, Event, Letter, World, fingerprint};
use crate::kv::Batch;
use crate::paxos::{Message, NodeId, Record, Send, Slot, Value};
use crate::service::{Output, SnapshotDone};
use crate::wire;
use bytes::BytesMut;

impl World {
    /// The disk has the batch: what it reveals may leave, and the next batch may be written.
    pub(super) fn on_synced(&mut self, node: NodeId) -> Result<(), String> {
        let World { machines, observer, trace, agenda, .. } = self;
        let machine = &mut machines[usize::from(node.0) - 1];
        let Some(running) = &mut machine.running else { return Ok(()) };
        let lsn = match running.wal.sync() {
            Ok(lsn) => lsn,
            Err(error) => return self.disk_failed(node, &error),
        };
        trace.line(agenda.now(), format_args!("{node} durable up to {lsn}"));
        running.tell(agenda.now(), |recorder| recorder.durable(lsn));
        for record in machine.archive.confirm(lsn) {
            observer.durable(node, record)?;
        }
        running.durable = lsn;
        running.is_syncing = false;
        for send in running.release() {
            self.transmit(node, send)?;
        }
        if let Some(running) = &mut self.machine_mut(node).running {
            running.service.durable(lsn);
        }
        self.respond_soon(node)?;
        self.write_batch(node)
    }

    // ---- A node's answers --------------------------------------------------------------------

    /// The node answers its input now, or together with what comes shortly after.
    pub(super) fn respond_soon(&mut self, node: NodeId) -> Result<(), String> {
        let burst = self.conditions.burst;
        let puts_off = burst > 0 && self.machine_dice.chance(burst);
        let machine = &mut self.machines[usize::from(node.0) - 1];
        let Some(running) = &mut machine.running else { return Ok(()) };
        if running.wake_is_due {
            return Ok(());
        }
        if puts_off {
            running.wake_is_due = true;
            let life = machine.life;
            let us = self.machine_dice.within(0..=self.conditions.burst_us_max);
            self.agenda.after(us, Event::Wake { node, life });
            return Ok(());
        }
        self.respond(node)
    }

    pub(super) fn respond(&mut self, node: NodeId) -> Result<(), String> {
        let now = self.local_time(node);
        let Some(running) = &mut self.machine_mut(node).running else { return Ok(()) };
        // Whoever runs the cluster asks its leader itself, and nobody waits.
        let Output { records, sends, replies, changes: _, fatal, unwelcome, snapshots, trim } =
            running.service.output(now);
        if let Some(evidence) = fatal {
            return Err(evidence);
        }
        if let Some(stranger) = unwelcome {
            return self.turn_away(node, stranger);
        }
        self.tell(node, |recorder, service| {
            recorder.wrote(&records);
            recorder.look(service);
        });
        for record in records {
            self.take_record(node, record)?;
        }
        let observer = &mut self.observer;
        if let Some(running) = &self.machines[usize::from(node.0) - 1].running {
            let kv = running.service.kv();
            observer.look(running.service.replica())?;
            observer.applied(node, kv.applied(), |slot| kv.hash_at(slot))?;
        }
        for send in sends {
            match &mut self.machine_mut(node).running {
                Some(running) if send.after > running.durable => running.held_sends.push_back(send),
                _ => self.transmit(node, send)?,
            }
        }
        for (client, reply) in replies {
            self.tell(node, |recorder, _| recorder.replied(client, &reply));
            self.trace.line(self.agenda.now(), format_args!("{node} -> {} {}", Show(&client), Show(&reply)));
            self.client_link(node, Event::Answer { client, reply });
        }
        self.end_turn(node);
        if let Some(running) = &mut self.machine_mut(node).running {
            running.orders.extend(snapshots);
            running.trim = running.trim.max(trim);
        }
        self.file_next(node);
        self.keep_next(node);
        self.write_batch(node)
    }

    // ---- Snapshots ---------------------------------------------------------------------------

    /// The next order sets out for the disk, beside whatever the log does there.
    fn file_next(&mut self, node: NodeId) {
        let machine = &mut self.machines[usize::from(node.0) - 1];
        let Some(running) = &mut machine.running else { return };
        if running.is_filing || running.orders.is_empty() {
            return;
        }
        running.is_filing = true;
        let (min, max) = machine.sync_us;
        let life = machine.life;
        let us = self.file_dice.within(min..=max);
        self.agenda.after(us, Event::Filed { node, life });
    }

    /// An order is carried out, and the node told.
    pub(super) fn on_filed(&mut self, node: NodeId) -> Result<(), String> {
        let now = self.agenda.now();
        let machine = &mut self.machines[usize::from(node.0) - 1];
        let Some(running) = &mut machine.running else { return Ok(()) };
        running.is_filing = false;
        let Some(order) = running.orders.pop_front() else { return Ok(()) };
        self.trace.line(now, format_args!("{node} {}", Show(&order)));
        match running.files.carry_out(order) {
            Ok(done) => {
                let before = running.service.kv().origin();
                self.snapshots.0 += u64::from(matches!(done, Some(SnapshotDone::Durable { .. })));
                done.into_iter().for_each(|done| running.service.snapshot_done(done));
                self.snapshots.1 += u64::from(running.service.kv().origin() != before);
            }
            Err(error) => return self.disk_failed(node, &error),
        }
        self.file_next(node);
        self.respond_soon(node)
    }

    // ---- The log's segments ------------------------------------------------------------------

    /// What is to be done with segments sets out for the disk.
    fn keep_next(&mut self, node: NodeId) {
        let machine = &mut self.machines[usize::from(node.0) - 1];
        let Some(running) = &mut machine.running else { return };
        if running.is_keeping || (running.trim.is_none() && !running.keeper.is_short()) {
            return;
        }
        running.is_keeping = true;
        let (min, max) = machine.sync_us;
        let life = machine.life;
        let us = self.file_dice.within(min..=max);
        self.agenda.after(us, Event::Kept { node, life });
    }

    pub(super) fn on_kept(&mut self, node: NodeId) -> Result<(), String> {
        let machine = &mut self.machines[usize::from(node.0) - 1];
        let Some(running) = &mut machine.running else { return Ok(()) };
        running.is_keeping = false;
        let done = match running.trim.take() {
            Some(first) => {
                self.trace
                    .line(self.agenda.now(), format_args!("{node} trims the log before record {first}"));
                running.keeper.trim(first).map(drop)
            }
            None => running.keeper.make().map(drop),
        };
        if let Err(error) = done {
            return self.disk_failed(node, &error);
        }
        self.keep_next(node);
        Ok(())
    }

    pub(super) fn take_record(&mut self, node: NodeId, record: Record) -> Result<(), String> {
        self.trace.line(self.agenda.now(), format_args!("{node} writes {}", Show(&record)));
        if let Record::Accepted { slot, ballot, value } = &record
            && !self.observer.is_proposed(*slot, *ballot)
        {
            self.invariant_only_requested(*slot, value)?;
        }
        self.observer.wrote(node, &record)?;
        let machine = self.machine_mut(node);
        machine.archive.records.push(record.clone());
        if let Some(running) = &mut machine.running {
            running.queued.push(record);
        }
        Ok(())
    }

    /// I1: only what a client asked for is ever proposed.
    pub(super) fn invariant_only_requested(&self, slot: Slot, value: &Value) -> Result<(), String> {
        let Value::Batch(bytes) = value else { return Ok(()) };
        let batch = Batch::decode(bytes.clone()).map_err(|error| format!("I1: {slot:?} holds {error}"))?;
        match batch.commands.iter().find(|command| !self.requested.contains(&fingerprint(command))) {
            None => Ok(()),
            Some(command) => Err(format!("I1: nobody asked for {} in {slot:?}", Show(command))),
        }
    }

    /// Group commit: one batch at a time; whatever came while it was written makes the next.
    pub(super) fn write_batch(&mut self, node: NodeId) -> Result<(), String> {
        let machine = &mut self.machines[usize::from(node.0) - 1];
        let Some(running) = &mut machine.running else { return Ok(()) };
        if running.is_syncing || running.queued.is_empty() {
            return Ok(());
        }
        let records = std::mem::take(&mut running.queued);
        if let Err(error) = running.wal.write(&records) {
            return self.disk_failed(node, &error);
        }
        running.is_syncing = true;
        let (min, max) = machine.sync_us;
        let life = machine.life;
        let us = self.disk_dice.within(min..=max);
        self.agenda.after(us, Event::Synced { node, life });
        Ok(())
    }

    pub(super) fn transmit(&mut self, from: NodeId, send: Send) -> Result<(), String> {
        self.tell(from, |recorder, _| recorder.sent(&send));
        self.observer.left(from, &send.message)?;
        let to = send.to;
        let message = match self.conditions.encodes {
            true => self.through_the_wire(from, to, &send.message)?,
            false => send.message,
        };
        let incarnation = self.machine(from).incarnation;
        self.post(Letter { from, incarnation, to, message });
        Ok(())
    }

    /// A message meets its fate.
    pub(super) fn post(&mut self, letter: Letter) {
        let now = self.agenda.now();
        let Letter { from, to, ref message, .. } = letter;
        let carriage = match &mut self.postman {
            Some(postman) => postman(now.0, from, to, message),
            None => Carriage::On(0, None),
        };
        let (later, copy) = match carriage {
            Carriage::On(later, copy) => (later, copy),
            Carriage::Kept => return self.kept.push(letter),
            Carriage::Lost => {
                self.trace.line(now, format_args!("lost {from}->{to} {}", Show(message)));
                return;
            }
        };
        if let Some(copy) = copy {
            self.agenda.after(copy, Event::Deliver { letter: letter.clone() });
        }
        match self.network.fate(from, to, &mut self.network_dice) {
            Fate::Lost => {
                self.trace.line(now, format_args!("lost {from}->{to} {}", Show(message)));
            }
            Fate::Arrives(us) => self.agenda.after(later + us, Event::Deliver { letter }),
            Fate::ArrivesTwice(first, second) => {
                self.agenda.after(later + first, Event::Deliver { letter: letter.clone() });
                self.agenda.after(later + second, Event::Deliver { letter });
            }
        }
    }

    pub(super) fn through_the_wire(
        &mut self,
        from: NodeId,
        to: NodeId,
        message: &Message,
    ) -> Result<Message, String> {
        self.message_id += 1;
        let envelope = wire::peer::Envelope { cluster: CLUSTER, from, to, message_id: self.message_id };
        let mut bytes = BytesMut::new();
        wire::peer::encode(&mut bytes, envelope, message).map_err(|error| format!("wire: {error}"))?;
        let decoded = wire::frame::Frame::open(bytes.split_off(wire::frame::PREFIX_BYTES).freeze())
            .and_then(|frame| wire::peer::decode(&frame))
            .map_err(|error| format!("wire: {error}"))?;
        match decoded == *message {
            true => Ok(decoded),
            false => Err(format!("wire: {message:?} became {decoded:?}")),
        }
    }
}
