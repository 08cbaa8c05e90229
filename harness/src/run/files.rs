//! File descriptors: the harness's own, which every client, proxy and log needs.
//!
//! A harness that runs out of them can't reach a healthy cluster and would blame it. So the limit
//! is raised as far as it goes, a run that can't fit is refused, and running out all the same is
//! the harness's failure.

use std::io;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// A client's own connection, both ends of its proxy's two, and one that is being replaced.
const PER_CLIENT: u64 = 4;
/// Proxies between nodes, logs, the observer, the runtime.
const BASE: u64 = 200;

/// Descriptors that a run with so many clients may need.
pub fn wanted(clients: usize) -> u64 {
    PER_CLIENT * clients as u64 + BASE
}

/// Raises the limit as far as it goes without privileges; gives how far.
pub fn raise_limit() -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_err() {
        return Ok(soft);
    }
    Ok(hard)
}

/// Whether the harness, or the machine, ran out of descriptors.
pub fn ran_out(error: &io::Error) -> bool {
    [Errno::EMFILE, Errno::ENFILE].iter().any(|&errno| error.raw_os_error() == Some(errno as i32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_out_is_told_from_refusals() {
        assert!(ran_out(&io::Error::from_raw_os_error(Errno::EMFILE as i32)));
        assert!(ran_out(&io::Error::from_raw_os_error(Errno::ENFILE as i32)));
        assert!(!ran_out(&io::Error::from_raw_os_error(Errno::ECONNREFUSED as i32)));
        assert!(!ran_out(&io::Error::other("something else")));
        assert_eq!(wanted(100), 600);
    }
}
