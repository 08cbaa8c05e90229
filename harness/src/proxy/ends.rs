//! Which ends of a connection are gone without the other's knowledge: what its two directions must
//! know of each other under a half-open fault.

use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// One of the two ends of a connection, seen from the proxy.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(super) enum Side {
    /// Who dialled.
    Dialler,
    /// The node that was dialled.
    Node,
}

impl Side {
    /// The other one.
    pub(super) fn other(self) -> Side {
        match self {
            Side::Dialler => Side::Node,
            Side::Node => Side::Dialler,
        }
    }
}

/// Which ends are gone.
#[derive(Debug, Default)]
pub(super) struct Ends {
    dialler_gone: AtomicBool,
    node_gone: AtomicBool,
    changed: Notify,
}

impl Ends {
    pub(super) fn is_gone(&self, side: Side) -> bool {
        self.flag(side).load(Ordering::Relaxed)
    }

    /// Notes that an end is gone. True if that is news.
    pub(super) fn set_gone(&self, side: Side) -> bool {
        let news = !self.flag(side).swap(true, Ordering::Relaxed);
        if news {
            self.changed.notify_waiters();
        }
        news
    }

    /// Ends at the next news. Both directions are polled by one task: none can come between
    /// looking and waiting.
    pub(super) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    fn flag(&self, side: Side) -> &AtomicBool {
        match side {
            Side::Dialler => &self.dialler_gone,
            Side::Node => &self.node_gone,
        }
    }
}
