//! How many clients ask at a time.

use std::str::FromStr;

use super::limits::{CLIENTS_MAX, NODES_MAX};

/// So many for each node that the largest cluster has no more than [`CLIENTS_MAX`] in all.
const EACH_MAX: usize = CLIENTS_MAX / NODES_MAX as usize;

/// `10`, or `2n` for two per node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concurrency {
    /// So many.
    Clients(usize),
    /// So many for each node.
    PerNode(usize),
}

impl Concurrency {
    /// A run's that is told nothing: every node has a client that waits, and one that asks meanwhile.
    pub const USUAL: Concurrency = Concurrency::PerNode(2);

    /// How many clients that is with so many nodes.
    #[must_use]
    pub fn clients(self, nodes: u16) -> usize {
        match self {
            Concurrency::Clients(count) => count,
            Concurrency::PerNode(count) => count * usize::from(nodes),
        }
    }
}

/// What would have been a number of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a number up to {CLIENTS_MAX}, or so many for each node, up to \"{EACH_MAX}n\"")]
pub struct NoConcurrency;

impl FromStr for Concurrency {
    type Err = NoConcurrency;

    fn from_str(text: &str) -> Result<Concurrency, NoConcurrency> {
        let (digits, concurrency, max): (_, fn(usize) -> Concurrency, _) = match text.strip_suffix('n') {
            Some(digits) => (digits, Concurrency::PerNode, EACH_MAX),
            None => (text, Concurrency::Clients, CLIENTS_MAX),
        };
        match digits.parse::<usize>() {
            Ok(count) if (1..=max).contains(&count) => Ok(concurrency(count)),
            _ => Err(NoConcurrency),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_number_or_a_multiple_of_the_nodes() {
        assert_eq!("10".parse(), Ok(Concurrency::Clients(10)));
        assert_eq!("2n".parse(), Ok(Concurrency::PerNode(2)));
        for wrong in ["0", "n", "-1", "2m", "", "1001", "0n", "112n"] {
            assert_eq!(wrong.parse::<Concurrency>(), Err(NoConcurrency), "{wrong}");
        }
    }

    #[test]
    fn the_largest_cluster_has_no_more_clients_than_any() {
        let most: Concurrency = "111n".parse().expect("a number of clients");
        assert!(most.clients(NODES_MAX) <= CLIENTS_MAX);
        assert_eq!(Concurrency::Clients(8).clients(NODES_MAX), 8);
    }
}
