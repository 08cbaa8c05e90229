//! Which process is drawn in which lane, and which fault in which row.
//!
//! A few processes have a lane each. A process whose op ended unknown is never used again; its successor has another number. In a long
//! history there may be thousands of processes and still only ten at a time, so a lane is given to the
//! next process as soon as the one before has done its last op.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// As many processes as this have a lane each, in the order of their numbers.
const OWN_LANES_MAX: usize = 24;

/// The lane of each process, of which the number and the first and last event are given, in the order of
/// their first events.
pub(super) fn of_processes(processes: &[(u64, (u64, u64))]) -> Vec<u32> {
    if processes.len() > OWN_LANES_MAX {
        return pack(processes.iter().map(|(_, stretch)| *stretch));
    }
    let before = |number: u64| processes.iter().filter(|(other, _)| *other < number).count() as u32;
    processes.iter().map(|(number, _)| before(*number)).collect()
}

/// Gives every stretch (first, last), which come in the order of their firsts, the lane that has been
/// free for longest. No two in one lane touch, and there are no more lanes than stretches at one time.
pub(super) fn pack(stretches: impl IntoIterator<Item = (u64, u64)>) -> Vec<u32> {
    let mut taken: BinaryHeap<Reverse<(u64, u32)>> = BinaryHeap::new();
    let lane_of = |(first, last)| {
        let free = taken.peek().filter(|Reverse((until, _))| *until < first).map(|Reverse((_, lane))| *lane);
        let lane = match free {
            Some(lane) => {
                taken.pop();
                lane
            }
            None => taken.len() as u32,
        };
        taken.push(Reverse((last, lane)));
        lane
    };
    stretches.into_iter().map(lane_of).collect()
}

#[cfg(test)]
mod tests {
    use super::{of_processes, pack};

    #[test]
    fn a_few_processes_have_a_lane_each_in_the_order_of_their_numbers() {
        assert_eq!(of_processes(&[(7, (0, 1)), (3, (2, 3)), (5, (4, 5))]), [2, 0, 1]);
        let many: Vec<(u64, (u64, u64))> = (0..25).map(|number| (number, (number, number))).collect();
        assert_eq!(of_processes(&many), [0; 25]);
    }

    #[test]
    fn a_lane_is_reused_once_its_process_is_done_and_not_before() {
        assert_eq!(pack([(0, 9), (1, 3), (3, 5), (4, 6), (6, 7), (10, 11)]), [0, 1, 2, 1, 2, 1]);
    }
}
