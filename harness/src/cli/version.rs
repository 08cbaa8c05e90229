//! `antipaxos version`.

use super::output::answer;
use super::{neighbour, paxos};
use crate::run::options::Options;
use crate::system::System;

pub(super) fn main() -> u8 {
    let node = match paxos(&Options::usual("", neighbour("paxos-node"), 0)).verify_binary() {
        Ok(binary) => format!("{} ({})", binary.version, binary.path.display()),
        Err(error) => error.to_string(),
    };
    answer(&format!("antipaxos {}\n{node}\n", env!("CARGO_PKG_VERSION")), 0)
}
