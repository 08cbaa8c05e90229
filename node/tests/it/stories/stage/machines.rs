//! What happens to the stage's machines: their disks and processes.

use super::{Actor, Stage, founding, index, words};
use crate::lab::TIMING;
use paxos_node::paxos::{Configuration, ElectionMode, Founding, LeaseTerms, Lsn, NodeId, Record};
use paxos_node::service::{Config, Disk, ReadMode, Service};
use paxos_node::snapshot::Files;
use paxos_node::wal::{Identity, Options, Wal, WalError};
use std::panic::{AssertUnwindSafe, catch_unwind};

impl Stage {
    /// The node's disk finishes all that was written; whether there was anything.
    pub(crate) fn sync(&mut self, node: u16) -> bool {
        let actor = &mut self.actors[index(node)];
        let newly = actor.durable..actor.records.len();
        let Some((log, _)) = actor.log.as_mut().filter(|_| actor.service.is_some() && !newly.is_empty())
        else {
            return false;
        };
        let records = actor.records[newly.clone()].to_vec();
        log.write(&records).and_then(|_| log.sync()).expect("a disk that works");
        actor.durable = newly.end;
        for record in &records {
            let judged = self.observer.durable(NodeId(node), record);
            self.note(judged);
        }
        self.act(node, |service| service.durable(Lsn(newly.end as u64)));
        true
    }

    /// What the node has ordered by now about snapshots is done, and what there is to do about segments;
    /// whether there was anything of the former.
    pub(crate) fn file(&mut self, node: u16) -> bool {
        let actor = &mut self.actors[index(node)];
        if actor.service.is_none() {
            actor.orders.clear();
            return false;
        }
        if let Some((_, keeper)) = &mut actor.log {
            if let Some(first) = actor.trim.take() {
                keeper.trim(first).expect("a disk that works");
            }
            while keeper.make().expect("a disk with room") {}
        }
        let orders: Vec<_> = actor.orders.drain(..).collect();
        let Some(files) = actor.files.as_mut() else { return false };
        let mut reports = Vec::new();
        let any = !orders.is_empty();
        for order in orders {
            reports.extend(files.carry_out(order).expect("a disk that works"));
        }
        self.act(node, |service| reports.into_iter().for_each(|done| service.snapshot_done(done)));
        any
    }

    /// From now on what the node orders about snapshots is done only by [`file`](Self::file).
    pub(crate) fn file_slowly(&mut self, node: u16) {
        self.actors[index(node)].files_slowly = true;
    }

    /// The slot that the node's newest durable snapshot covers; 0: it has none, or does not run.
    pub(crate) fn snapshot(&self, node: u16) -> u64 {
        let service = self.actors[index(node)].service.as_ref();
        service.map_or(0, |service| service.replica().snapshot().0)
    }

    /// The process dies; what it wrote is in the page cache, and stays.
    pub(crate) fn kill(&mut self, node: u16) {
        self.write_without_sync(node);
        self.go_down(node);
        self.actors[index(node)].disk.0.borrow_mut().restart();
    }

    /// The machine loses power: of what was written, only what was synced stays.
    pub(crate) fn lose_power(&mut self, node: u16) {
        let actor = &mut self.actors[index(node)];
        actor.records.truncate(actor.durable);
        self.go_down(node);
        self.actors[index(node)].disk.0.borrow_mut().lose_power(|_| false);
    }

    /// The machine loses power while the disk is at what was written last: of that, one sector arrives, and
    /// nothing else.
    pub(crate) fn lose_power_halfway(&mut self, node: u16) {
        self.write_without_sync(node);
        let actor = &mut self.actors[index(node)];
        actor.records.truncate(actor.durable);
        self.go_down(node);
        self.actors[index(node)].disk.0.borrow_mut().lose_power(|nth| nth == 0);
    }

    /// The machine loses power, and its disk all that was on it.
    pub(crate) fn wipe(&mut self, node: u16) {
        self.lose_power(node);
        let actor = &mut self.actors[index(node)];
        *actor = Actor { wiped: actor.wiped + 1, life: actor.life, ..Actor::new() };
        self.observer.emptied(NodeId(node));
    }

    /// Whether the node runs.
    pub(crate) fn runs(&self, node: u16) -> bool {
        self.actors[index(node)].service.is_some()
    }

    /// A bit of the node's log rots, in the last place that holds this text; returns which.
    pub(crate) fn rot(&mut self, node: u16, text: &str) -> (String, usize) {
        let mut disk = self.actors[index(node)].disk.0.borrow_mut();
        let holds = |bytes: &Vec<u8>| bytes.windows(text.len()).rposition(|found| found == text.as_bytes());
        let place = disk.files().into_iter().rev().find_map(|(name, bytes)| Some((name, holds(&bytes)?)));
        let (name, at) = place.expect("somewhere it is");
        disk.flip(&name, at);
        (name, at)
    }

    /// Somebody brings it back.
    pub(crate) fn mend(&mut self, node: u16, (name, at): (String, usize)) {
        self.actors[index(node)].disk.0.borrow_mut().flip(&name, at);
    }

    /// Whether the node has ever stood for leader.
    pub(crate) fn stood(&self, node: u16) -> bool {
        let mut records = self.actors[index(node)].records.iter();
        records.any(|record| matches!(record, Record::BallotUsed(_)))
    }

    fn write_without_sync(&mut self, node: u16) {
        let actor = &mut self.actors[index(node)];
        if let Some((log, _)) = actor.log.as_mut().filter(|_| actor.service.is_some()) {
            log.write(&actor.records[actor.durable..]).expect("a disk that works");
        }
    }

    /// The process starts again, from what the disk holds.
    pub(crate) fn start(&mut self, node: u16) {
        if let Err(refusal) = self.try_start(node) {
            self.stopped_itself(node, &refusal);
        }
    }

    /// The same; if it refuses to start, that is not held against it.
    pub(crate) fn try_start(&mut self, node: u16) -> Result<(), String> {
        let (founders, window, incarnation) = (self.founders, self.window, self.incarnation(node));
        let options = Options { segment_bytes: self.segment_bytes, ready_min: 1, ready_max: 2, incarnation };
        let actor = &mut self.actors[index(node)];
        if actor.service.is_some() {
            return Ok(());
        }
        actor.life += 1;
        let config = Config {
            cluster: 7,
            id: NodeId(node),
            incarnation,
            founding: match node <= founders {
                // Started as it was the first time.
                true if actor.wiped > 0 => Founding::Meeting((1..=founders).map(NodeId).collect()),
                true => Founding::Known(founding(founders)),
                false => Founding::Known(Configuration::unknown()),
            },
            window,
            timing: TIMING,
            election: ElectionMode::Randomised,
            reads: if self.lease == LeaseTerms::NONE { ReadMode::Barrier } else { ReadMode::Lease },
            lease: self.lease,
            tick_ms: 10,
            life: actor.life << 32,
            snapshot_every_bytes: self.snapshot_every_bytes,
        };
        let seed = u64::from(node) ^ actor.life << 32;
        let identity = Identity { cluster: 7, node: NodeId(node) };
        let (files, snapshot) =
            Files::open(actor.disk.clone(), identity).map_err(|error| error.to_string())?;
        let (log, recovery) =
            Wal::open(actor.disk.clone(), identity, options).map_err(|error: WalError| error.to_string())?;
        let keeper = log.keeper(actor.disk.clone());
        // What is not there any more was trimmed, or never durable, or there is a mutant about.
        let trimmed = usize::try_from(recovery.trimmed).expect("a log in memory");
        actor.records.truncate(trimmed);
        actor.records.extend(recovery.records.iter().cloned());
        let newly = actor.records[actor.durable.min(actor.records.len())..].to_vec();
        actor.durable = actor.records.len();
        (actor.files, actor.log) = (Some(files), Some((log, keeper)));
        let disk = Disk { snapshot, trimmed: recovery.trimmed, records: &recovery.records };
        let clock = actor.clock;
        let booted = catch_unwind(AssertUnwindSafe(|| Service::restore(config, disk, seed, clock)));
        match booted {
            Ok(Ok(service)) => actor.service = Some(service),
            Ok(Err(refusal)) => self.stopped_itself(node, &refusal.to_string()),
            Err(panic) => self.stopped_itself(node, &words(&*panic)),
        }
        for record in &newly {
            let judged = self.observer.durable(NodeId(node), record);
            self.note(judged);
        }
        self.act(node, |_| ());
        Ok(())
    }

    pub(super) fn go_down(&mut self, node: u16) {
        let actor = &mut self.actors[index(node)];
        actor.orders.clear();
        (actor.trim, actor.log, actor.files) = (None, None, None);
        if actor.service.take().is_some() {
            self.observer.crashed(NodeId(node));
        }
        let durable = Lsn(actor.durable as u64);
        self.under_way.retain(|(from, send)| *from != NodeId(node) || send.after <= durable);
    }

    pub(super) fn stopped_itself(&mut self, node: u16, why: &str) {
        self.found.node.get_or_insert_with(|| format!("n{node} stopped itself: {why}"));
        self.go_down(node);
    }
}
