//! `antipaxos version`.

use super::{neighbour, paxos};
use crate::run::options::Options;
use crate::system::System;

pub(super) fn main() -> u8 {
    println!("antipaxos {}", env!("CARGO_PKG_VERSION"));
    match paxos(&Options::usual("", neighbour("paxos-node"), 0)).verify_binary() {
        Ok(binary) => println!("{} ({})", binary.version, binary.path.display()),
        Err(error) => println!("{error}"),
    }
    0
}
