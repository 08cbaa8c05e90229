//! The event traces of a simulated cluster: what the shell's tracer does, in memory.

use super::super::clock::Time;
use super::super::machine::Running;
use super::World;
use crate::paxos::NodeId;
use crate::service::Service;
use crate::trace::{Life, Recorder};

impl World {
    /// From now on every node that starts keeps an event trace.
    pub fn keep_event_traces(&mut self) {
        self.keeps_event_traces = true;
    }

    /// What the nodes told of all their lives, from node 1: each as a `paxos-node --trace FILE`
    /// would have left it. Turns that are under way end here.
    pub fn take_event_traces(&mut self) -> Vec<Vec<u8>> {
        for node in self.ids() {
            self.end_turn(node);
        }
        self.machines[..usize::from(self.begun)]
            .iter_mut()
            .map(|machine| std::mem::take(&mut machine.told))
            .collect()
    }

    pub(super) fn begin_telling(&mut self, node: NodeId) {
        // What somebody tells whose disk was emptied is no part of the node's story.
        if !self.keeps_event_traces || self.machine(node).amnesiac {
            return;
        }
        let nodes: Vec<NodeId> = self.conditions.ids().collect();
        let now = self.agenda.now();
        let machine = self.machine_mut(node);
        let life = Life { node, nodes: &nodes, pid: 0, incarnation: machine.life };
        let Some(running) = &mut machine.running else { return };
        running.turn_began_ns = nanoseconds(now);
        running.recorder = Some(Recorder::new(life, running.durable, &running.service));
    }

    pub(super) fn tell(&mut self, node: NodeId, what: impl FnOnce(&mut Recorder, &Service)) {
        let now = self.agenda.now();
        let Some(running) = &mut self.machine_mut(node).running else { return };
        let Running { recorder, service, turn_began_ns, .. } = running;
        if let Some(recorder) = recorder {
            begin_turn(recorder, turn_began_ns, now);
            what(recorder, service);
        }
    }

    /// What was told goes out of the process.
    pub(super) fn end_turn(&mut self, node: NodeId) {
        let now = nanoseconds(self.agenda.now());
        let machine = self.machine_mut(node);
        let Some(running) = &mut machine.running else { return };
        if let Some(recorder) = &mut running.recorder
            && let Some(frame) = recorder.take(running.turn_began_ns, now)
        {
            machine.told.extend(frame);
        }
    }
}

impl Running {
    /// For whoever has the machine in hand.
    pub(super) fn tell(&mut self, now: Time, what: impl FnOnce(&mut Recorder)) {
        if let Some(recorder) = &mut self.recorder {
            begin_turn(recorder, &mut self.turn_began_ns, now);
            what(recorder);
        }
    }
}

/// The first thing told in a turn begins it.
fn begin_turn(recorder: &Recorder, turn_began_ns: &mut u64, now: Time) {
    if recorder.is_idle() {
        *turn_began_ns = nanoseconds(now);
    }
}

fn nanoseconds(time: Time) -> u64 {
    time.0 * 1000
}
