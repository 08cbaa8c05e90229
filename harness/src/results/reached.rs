//! The map of where faults struck, as a table for people.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::schedule::{Cell, Role, State, Territory, Visits};

/// The table, a line for each fault and role; nothing if nothing was reached. Indented as a run's summary
/// is.
#[must_use]
pub fn table(reached: &Territory) -> String {
    let mut text = String::new();
    if reached.is_empty() {
        return text;
    }
    let cells: BTreeMap<&Cell, &Visits> = reached.cells().collect();
    let bit = cells.values().filter(|visits| visits.bit > 0).count();
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "  reached   {} cells of fault × role × state, {bit} of them with a bite (bit/began)",
        cells.len()
    );
    let _ = write!(text, "            {:<20}", "");
    for state in State::ALL {
        let _ = write!(text, " {:>11}", state.name());
    }
    let rows: BTreeSet<(&str, Role)> = cells.keys().map(|cell| (cell.fault, cell.role)).collect();
    for (fault, role) in rows {
        let whom = match role {
            Role::Leader => "leader",
            Role::Follower => "follower",
            Role::Several => "several",
            Role::Links => "links",
        };
        let _ = write!(text, "\n            {:<20}", format!("{fault} {whom}"));
        for state in State::ALL {
            let cell = match cells.get(&Cell { fault, role, state }) {
                Some(Visits { began, bit }) => format!("{bit}/{began}"),
                None => "·".to_owned(),
            };
            let _ = write!(text, " {cell:>11}");
        }
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_and_role_has_a_line() {
        assert_eq!(table(&Territory::default()), "");
        let cell = Cell { fault: "kill", role: Role::Leader, state: State::Steady };
        let mut reached = Territory::default();
        for cell in [cell, cell, Cell { state: State::MidFault, ..cell }] {
            reached.began(cell);
        }
        reached.bit(cell);
        assert_eq!(
            table(&reached),
            "  reached   2 cells of fault × role × state, 1 of them with a bite (bit/began)\n\
             \x20                                     steady    electing  recovering catching-up   mid-fault\n\
             \x20           kill leader                  1/2           ·           ·           ·         0/1\n"
        );
    }
}
