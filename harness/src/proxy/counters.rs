//! What happened on a link: the evidence that a fault bit.

use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};

/// Each counter once: its field in [`Counters`], and the same as it grows in [`Tally`].
macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What happened on a link since the mesh started: the evidence that a fault bit. Units are
        /// frames where frames are known, else chunks as they were read.
        #[derive(Copy, Clone, Eq, PartialEq, Debug, Default, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Counters {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counters {
            /// What was counted since `earlier`, an older reading of the same link.
            #[must_use]
            pub fn since(&self, earlier: &Counters) -> Counters {
                Counters { $($name: self.$name - earlier.$name,)* }
            }
        }

        /// [`Counters`] as they grow.
        #[derive(Debug, Default)]
        pub(super) struct Tally {
            $(pub(super) $name: AtomicU64,)*
        }

        impl Tally {
            pub(super) fn read(&self) -> Counters {
                Counters { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counters! {
    /// Connections relayed.
    connections,
    /// Connections reset because the node was down or refused.
    refused,
    /// Connections that had to wait for the link to heal before they were dialled onwards.
    stalled_connections,
    /// Connections reset on one side, by [`CUT_STALL_MAX`](super::CUT_STALL_MAX), by the end of a
    /// half-open fault or by [`Mesh::reset`](super::Mesh::reset), and therefore on the other.
    resets,
    /// Units passed on, second copies included.
    forwarded,
    /// Bytes passed on.
    forwarded_bytes,
    /// Units that vanished.
    dropped,
    /// Units that had to wait for a time.
    delayed,
    /// Units that were passed on twice.
    duplicated,
    /// Units that a later one did overtake.
    reordered,
    /// Frames of which a byte was changed.
    corrupted,
    /// Bytes that a cut kept from going on: found in flight, or arriving while it lasted.
    stalled_bytes,
    /// Bytes that had to wait for bandwidth.
    throttled_bytes,
    /// Frames that were held.
    held,
    /// Held frames that were let go again.
    released,
    /// Those of them that went into another connection than they came from.
    released_later,
    /// Held frames that never arrive: there were too many, or nothing was left that could carry
    /// them. What is neither in here nor in `released` is still held.
    held_lost,
    /// Ends of connections (FIN or RST) that the other side was not told of.
    swallowed_ends,
    /// Bytes to an end that was gone without its peer knowing.
    swallowed_bytes,
}

impl Counters {
    /// Whether a cut of this link kept anything from getting through.
    #[must_use]
    pub fn shows_cut(&self) -> bool {
        self.stalled_bytes > 0 || self.stalled_connections > 0
    }
}

/// Adds to one counter.
pub(super) fn count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(by as u64, Ordering::Relaxed);
}
