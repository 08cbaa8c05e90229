//! Commands that wait for a slot: as many as it takes go into the next one together.

use super::Origin;
use crate::kv::{Batch, Command, DefiniteError, MAX_BATCH_BYTES, MAX_BATCH_COMMANDS};
use std::collections::VecDeque;

/// Commands that may wait for a slot: beyond it, "overloaded" is more honest than a long wait.
pub const QUEUED_COMMANDS_MAX: usize = 4096;
/// Bytes of commands that may wait for a slot.
pub const QUEUED_BYTES_MAX: usize = 16 << 20;

#[derive(Debug)]
struct Queued {
    origin: Origin,
    command: Command,
    bytes: usize,
}

/// First come, first served.
#[derive(Default, Debug)]
pub(super) struct Queue {
    waiting: VecDeque<Queued>,
    bytes: usize,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes a command, or gives it back with the reason why it can't wait here.
    pub(super) fn push(&mut self, origin: Origin, command: Command) -> Result<(), (Command, DefiniteError)> {
        let bytes = command.encoded_len();
        if bytes + Batch::HEADER_BYTES > MAX_BATCH_BYTES {
            return Err((command, DefiniteError::TooLarge));
        }
        if self.waiting.len() >= QUEUED_COMMANDS_MAX || self.bytes + bytes > QUEUED_BYTES_MAX {
            return Err((command, DefiniteError::Overloaded));
        }
        self.bytes += bytes;
        self.waiting.push_back(Queued { origin, command, bytes });
        Ok(())
    }

    /// What one slot takes, and who waits for each.
    pub(super) fn take_batch(&mut self) -> (Vec<Command>, Vec<Origin>) {
        let (mut commands, mut origins) = (Vec::new(), Vec::new());
        let mut bytes = Batch::HEADER_BYTES;
        while let Some(queued) = self.waiting.pop_front() {
            if bytes + queued.bytes > MAX_BATCH_BYTES || commands.len() >= MAX_BATCH_COMMANDS {
                self.waiting.push_front(queued);
                break;
            }
            bytes += queued.bytes;
            self.bytes -= queued.bytes;
            commands.push(queued.command);
            origins.push(queued.origin);
        }
        (commands, origins)
    }

    /// No slot will come.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = (Origin, Command)> + use<> {
        self.bytes = 0;
        std::mem::take(&mut self.waiting).into_iter().map(|queued| (queued.origin, queued.command))
    }
}
