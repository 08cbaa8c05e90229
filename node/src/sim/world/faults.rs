//! How faults strike, and how nodes go down and come back.

use super::super::dice::Ppm;
use super::super::disk::SimDisk;
use super::super::fault::Fault;
use super::super::machine::{Archive, Running};
use super::{CLUSTER, Event, Happening, World};
use crate::paxos::{Change, Configuration, Founding, NodeId, Slot, Stranger};
use crate::service::{Config, Disk, Service};
use crate::snapshot::Files;
use crate::wal::{Identity, Options, Wal};

/// Chance that a node notices at once that a peer's process is gone: else it is the machine.
const DEATH_NOTICED: Ppm = 800_000;

/// Chance that the connection breaks when a link is cut: mostly nothing arrives, and that is all.
const CUT_NOTICED: Ppm = 300_000;

/// Ticks that a frozen process catches up on at most: no process is owed more than that.
const CATCH_UP_TICKS_MAX: u64 = 1000;

/// Trimmed segments that wait to be used again, at most: some, so that recycling matters.
pub(in super::super) const SEGMENTS_READY_MAX: u64 = 3;

impl World {
    pub(super) fn strike(&mut self, fault: &Fault) -> Result<(), String> {
        self.trace.line(self.agenda.now(), format_args!("fault: {fault}"));
        match fault {
            Fault::Stop(node) => {
                if let Some(running) = &mut self.machine_mut(*node).running {
                    running.service.stop();
                    self.respond(*node)?;
                }
                self.go_down(*node);
                self.machine(*node).disk.process_died();
            }
            Fault::Kill(node) => {
                self.go_down(*node);
                self.machine(*node).disk.process_died();
            }
            Fault::PowerLoss(nodes) => {
                for node in nodes {
                    self.lose_power(*node);
                }
            }
            Fault::PowerLossInDiskCall(node, calls) => self.machine(*node).disk.arm(*calls),
            Fault::Start(node) => return self.start(*node),
            Fault::Pause(node) => self.machine_mut(*node).paused = true,
            Fault::Resume(node) => return self.resume(*node),
            Fault::Cut(links) => {
                self.network.cut(links);
                for (from, to) in links {
                    self.break_connection(*from, *to, CUT_NOTICED);
                }
            }
            Fault::Reset(from, to) => self.break_connection(*from, *to, 1_000_000),
            Fault::Weather(links, weather) => {
                for (from, to) in links {
                    self.network.set_weather(*from, *to, *weather);
                }
            }
            Fault::DiskSpeed(node, min, max) => self.machine_mut(*node).sync_us = (*min, *max),
            Fault::ClockRate(node, us) => {
                let clock = (self.local_time(*node), self.agenda.now());
                let machine = self.machine_mut(*node);
                (machine.clock, machine.tick_us) = (clock, *us);
            }
            Fault::Change(change) => return self.change(change),
            Fault::Destroy(node) => {
                self.lose_power(*node);
                self.machine_mut(*node).destroyed = true;
            }
            Fault::Wipe(node) => {
                self.lose_power(*node);
                self.wipe(*node);
            }
            Fault::ClientLink(node, reachable) => self.machine_mut(*node).reachable = *reachable,
        }
        Ok(())
    }

    pub(super) fn go_down(&mut self, node: NodeId) {
        self.end_turn(node);
        let machine = self.machine_mut(node);
        machine.life += 1;
        machine.paused = false;
        machine.held.clear();
        machine.missed_ticks = 0;
        if let Some(Running { service, .. }) = machine.running.take() {
            let reads = service.replica().reads();
            self.reads = (self.reads.0 + reads.0, self.reads.1 + reads.1);
            self.break_connections(node);
            self.observer.crashed(node);
            self.happenings.push_back(Happening::Down(node));
        }
    }

    /// Those who were connected to the node notice, mostly: its machine says so if that still runs.
    fn break_connections(&mut self, with: NodeId) {
        for node in self.ids().filter(|node| *node != with) {
            self.break_connection(node, with, DEATH_NOTICED);
        }
    }

    fn break_connection(&mut self, node: NodeId, with: NodeId, noticed: Ppm) {
        let us = self.touch_dice.within(20..=2_000);
        if self.touch_dice.chance(noticed) {
            let life = self.machine(node).life;
            self.agenda.after(us, Event::LostTouch { node, life, with });
        }
    }

    pub(super) fn lose_power(&mut self, node: NodeId) {
        self.go_down(node);
        let World { machines, disk_dice, .. } = self;
        machines[usize::from(node.0) - 1].disk.power_failed(disk_dice);
    }

    /// A call to the disk failed: the power loss that was armed, or a bug.
    pub(super) fn disk_failed(&mut self, node: NodeId, error: &dyn std::fmt::Display) -> Result<(), String> {
        if !self.machine(node).disk.has_failed() {
            return Err(format!("{node}: {error}"));
        }
        self.trace.line(self.agenda.now(), format_args!("{node} loses power in a disk call: {error}"));
        self.lose_power(node);
        Ok(())
    }

    pub(super) fn start(&mut self, node: NodeId) -> Result<(), String> {
        if self.machine(node).running.is_some() || self.machine(node).destroyed {
            return Ok(());
        }
        let segment_bytes = self.conditions.segment_bytes;
        let incarnation = self.machine(node).incarnation;
        let options = Options { segment_bytes, ready_min: 1, ready_max: SEGMENTS_READY_MAX, incarnation };
        let machine = self.machine_mut(node);
        machine.life += 1;
        let life = machine.life;
        let identity = Identity { cluster: CLUSTER, node };
        let disk = machine.disk.clone();
        let opened =
            Files::open(disk.clone(), identity).map_err(|error| error.to_string()).and_then(|files| {
                let log = Wal::open(disk, identity, options).map_err(|error| error.to_string())?;
                Ok((files, log))
            });
        let ((files, snapshot), (wal, recovery)) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                // It will be started again, as machines are whose power comes back.
                self.disk_failed(node, &error)?;
                self.agenda.after(1000, Event::Fault(Fault::Start(node)));
                return Ok(());
            }
        };
        let covered = snapshot.as_ref().map_or(Slot::ZERO, |snapshot| snapshot.base.slot);
        self.trace.line(
            self.agenda.now(),
            format_args!(
                "{node} recovers a snapshot of {covered:?} and, {} trimmed, {} records, {}",
                recovery.trimmed,
                recovery.records.len(),
                recovery.outcome
            ),
        );
        let (founding, clock) = (self.founding(node), self.local_time(node));
        let World { machines, observer, .. } = self;
        let machine = &mut machines[usize::from(node.0) - 1];
        let unconfirmed = machine
            .archive
            .recovered(recovery.trimmed, &recovery.records)
            .map_err(|e| format!("{node}: {e}"))?;
        let already = recovery.records.len().saturating_sub(unconfirmed);
        machine.archive.confirmed += unconfirmed;
        for record in &recovery.records[already..] {
            observer.durable(node, record)?;
        }
        let config = Config {
            cluster: CLUSTER,
            id: node,
            incarnation: recovery.incarnation,
            founding,
            window: self.conditions.window,
            timing: self.conditions.timing,
            election: self.conditions.election,
            reads: self.conditions.reads,
            lease: self.conditions.lease,
            tick_ms: self.conditions.tick_ms,
            life: life << 32,
            snapshot_every_bytes: self.conditions.snapshot_every_bytes,
        };
        let seed = self.seed ^ (u64::from(node.0) << 48) ^ (life << 32);
        let disk = Disk { snapshot, trimmed: recovery.trimmed, records: &recovery.records };
        let service = Service::restore(config, disk, seed, clock).map_err(|e| format!("{node}: {e}"))?;
        machine.running = Some(Running::new(service, wal, files));
        self.begin_telling(node);
        let tick_us = self.machine(node).tick_us;
        let first_tick_us = self.machine_dice.within(1..=tick_us);
        self.agenda.after(first_tick_us, Event::Tick { node, life });
        self.respond(node)
    }

    /// What a node is told of the beginning when it starts. One that joins knows nobody; a founder whose
    /// disk was emptied is started as it was the first time.
    fn founding(&self, node: NodeId) -> Founding {
        if !self.conditions.ids().any(|founder| founder == node) {
            Founding::Known(Configuration::unknown())
        } else if self.conditions.meets || self.machine(node).amnesiac {
            Founding::Meeting(self.conditions.ids().collect())
        } else {
            Founding::Known(self.founding.clone())
        }
    }

    /// The disk is another, or the same without what was on it.
    fn wipe(&mut self, node: NodeId) {
        let machine = self.machine_mut(node);
        machine.disk = SimDisk::new();
        machine.incarnation = !machine.incarnation;
        machine.amnesiac = true;
        machine.archive = Archive::default();
        self.observer.emptied(node);
    }

    /// A node was told that its id stands for another disk, and ends.
    pub(super) fn turn_away(&mut self, node: NodeId, stranger: Stranger) -> Result<(), String> {
        self.trace.line(self.agenda.now(), format_args!("{node} ends: {stranger}"));
        if !self.machine(node).amnesiac {
            return Err(format!("{node} remembers all, and was not let in: {stranger}"));
        }
        self.turned_away += 1;
        self.machine_mut(node).destroyed = true;
        self.go_down(node);
        Ok(())
    }

    /// The leader is asked to change the members.
    fn change(&mut self, change: &Change) -> Result<(), String> {
        let Some(leader) = self.leader().filter(|leader| !self.machine(*leader).paused) else {
            return Ok(());
        };
        let Some(running) = &mut self.machine_mut(leader).running else { return Ok(()) };
        let changed = running.service.change(change);
        self.trace.line(self.agenda.now(), format_args!("{leader}: {change}: {changed:?}"));
        if let (Ok(_), Change::Add { node, .. }) = (&changed, change) {
            self.begun = self.begun.max(node.0);
            self.agenda.after(0, Event::Fault(Fault::Start(*node)));
        }
        self.respond(leader)
    }

    pub(super) fn resume(&mut self, node: NodeId) -> Result<(), String> {
        let catches_up = self.conditions.catches_up;
        let machine = self.machine_mut(node);
        if !machine.paused {
            return Ok(());
        }
        machine.paused = false;
        let ticks = std::mem::take(&mut machine.missed_ticks).min(CATCH_UP_TICKS_MAX);
        let held = std::mem::take(&mut machine.held);
        for event in held {
            self.handle(node, event)?;
        }
        if catches_up {
            for _ in 0..ticks {
                if let Some(running) = &mut self.machine_mut(node).running {
                    running.service.tick();
                }
            }
            self.respond_soon(node)?;
        }
        Ok(())
    }
}
