//! Processes by small numbers, so that what is known of each can stand in a table.

use super::op::Process;
use crate::hash::Table;

/// The number of the nemesis.
pub(super) const NEMESIS: u32 = u32::MAX;

const ABSENT: u32 = u32::MAX;
/// Client numbers below this are found by place. Jepsen numbers the successors of crashed processes upwards,
/// so that most numbers are small.
const SMALL_MAX: u64 = 1 << 16;

#[derive(Clone, Debug, Default)]
pub(super) struct Processes {
    clients: Vec<u64>,
    small: Vec<u32>,
    large: Table<u64, u32>,
}

impl Processes {
    /// The number of a process, new or not.
    pub(super) fn number(&mut self, process: Process) -> u32 {
        let Process::Client(client) = process else {
            return NEMESIS;
        };
        if client < SMALL_MAX {
            let place = client as usize;
            if place >= self.small.len() {
                self.small.resize((place + 1).next_power_of_two(), ABSENT);
            }
            if self.small[place] == ABSENT {
                self.small[place] = self.clients.len() as u32;
                self.clients.push(client);
            }
            return self.small[place];
        }
        *self.large.entry(client).or_insert_with(|| {
            self.clients.push(client);
            self.clients.len() as u32 - 1
        })
    }

    /// The process with a number.
    pub(super) fn process(&self, number: u32) -> Process {
        match number {
            NEMESIS => Process::Nemesis,
            client => Process::Client(self.clients[client as usize]),
        }
    }

    /// How many clients there are.
    pub(super) fn clients(&self) -> usize {
        self.clients.len()
    }
}
