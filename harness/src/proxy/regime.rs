//! What is in force: the policies of all links and the watches, swapped together in one step.
//!
//! A [`Watch`] has the mesh tell of frames ([`Sighting`]), and may name a map of policies that
//! takes effect at one of them. The proxy itself then swaps the maps, before the fate of that
//! frame is decided: whatever the harness could do upon hearing of it would come too late for that
//! frame and those behind it.

use super::policy::{CLEAN, Link, LinkPolicy, Links};
use crate::system::FrameInfo;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tokio::sync::{mpsc, watch};

/// Sightings that may wait to be read: a second of all frames of a busy cluster. Those that find no
/// place are lost and counted; a link never waits for a reader.
pub const SIGHTINGS_MAX: usize = 64 << 10;

/// A wish to hear of frames. A frame is seen when its fate is decided: in the order of its connection,
/// and on a cut link not before it heals.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct Watch {
    /// The caller's name for it. A watch of an id that was in force just before goes on counting.
    pub id: u64,
    /// Only frames of these kinds; `None`: all whose header can be read.
    pub kinds: Option<BTreeSet<String>>,
    /// On these links, requests and answers alike.
    pub links: BTreeSet<Link>,
    /// Only the so-manieth of them all is told of, from 1; `None`: each is.
    pub nth: Option<NonZeroU64>,
    /// The policies from that frame on, itself included (the first, if there is no `nth`). They
    /// replace all that were in force, as [`Mesh::set_links`](super::Mesh::set_links) does.
    pub then: Option<Links>,
}

impl Watch {
    fn concerns(&self, kind: &str) -> bool {
        self.kinds.as_ref().is_none_or(|kinds| kinds.contains(kind))
    }
}

/// A frame that a watch was waiting for.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Sighting {
    /// The id of the watch.
    pub watch: u64,
    /// Where it was seen.
    pub link: Link,
    /// What it is.
    pub info: FrameInfo,
    /// The so-manieth frame of this watch, from 1.
    pub number: u64,
    /// The watch's `then` took effect with this frame.
    pub swapped: bool,
    /// When.
    pub at: Instant,
}

/// A watch in force.
#[derive(Debug)]
pub(super) struct Tap {
    watch: Watch,
    seen: Arc<AtomicU64>,
}

/// What is in force.
#[derive(Debug, Default)]
pub(super) struct Regime {
    /// Grows with every change.
    pub(super) version: u64,
    pub(super) links: Arc<Links>,
    taps: Arc<Taps>,
}

#[derive(Debug, Default)]
struct Taps {
    by_link: BTreeMap<Link, Vec<Arc<Tap>>>,
    counts: BTreeMap<u64, Arc<AtomicU64>>,
}

impl Regime {
    /// What holds for a link.
    pub(super) fn policy(&self, link: Link) -> &LinkPolicy {
        self.links.get(&link).unwrap_or(&CLEAN)
    }

    /// The watches on a link; `None` if there are none.
    pub(super) fn taps(&self, link: Link) -> Option<&[Arc<Tap>]> {
        self.taps.by_link.get(&link).map(Vec::as_slice)
    }

    /// The next one, with these policies or watches instead.
    fn next(&self, links: Option<Arc<Links>>, watches: Option<Vec<Watch>>) -> Regime {
        let taps = watches.map(|watches| Arc::new(self.taps.next(watches)));
        Regime {
            version: self.version + 1,
            links: links.unwrap_or_else(|| self.links.clone()),
            taps: taps.unwrap_or_else(|| self.taps.clone()),
        }
    }
}

impl Taps {
    fn next(&self, watches: Vec<Watch>) -> Taps {
        let mut next = Taps::default();
        for watch in watches {
            let seen = self.counts.get(&watch.id).cloned().unwrap_or_default();
            next.counts.insert(watch.id, seen.clone());
            let tap = Arc::new(Tap { watch, seen });
            for &link in &tap.watch.links {
                next.by_link.entry(link).or_default().push(tap.clone());
            }
        }
        next
    }
}

/// Where the regime is kept, and where sightings go.
#[derive(Debug)]
pub(super) struct Post {
    regime: watch::Sender<Arc<Regime>>,
    sightings: mpsc::Sender<Sighting>,
    sightings_lost: AtomicU64,
}

impl Post {
    pub(super) fn new(sightings: mpsc::Sender<Sighting>) -> Post {
        let regime = watch::Sender::new(Arc::new(Regime::default()));
        Post { regime, sightings, sightings_lost: AtomicU64::new(0) }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Arc<Regime>> {
        self.regime.subscribe()
    }

    pub(super) fn now(&self) -> Arc<Regime> {
        self.regime.borrow().clone()
    }

    pub(super) fn sightings_lost(&self) -> u64 {
        self.sightings_lost.load(Ordering::Relaxed)
    }

    /// Replaces what is given; the rest stays.
    pub(super) fn change(&self, links: Option<Links>, watches: Option<Vec<Watch>>) {
        let links = links.map(Arc::new);
        self.regime.send_modify(|regime| *regime = Arc::new(regime.next(links, watches)));
    }

    /// Shows a frame to the watches of its link. True if one of them swapped the policies; of several
    /// that would, the last has its way.
    pub(super) fn show(&self, taps: &[Arc<Tap>], link: Link, info: FrameInfo) -> bool {
        let mut then = None;
        for Tap { watch, seen } in taps.iter().map(Arc::as_ref) {
            if !watch.concerns(info.kind) {
                continue;
            }
            let number = seen.fetch_add(1, Ordering::Relaxed) + 1;
            let swapped = watch.then.is_some() && number == watch.nth.map_or(1, NonZeroU64::get);
            if swapped {
                then.clone_from(&watch.then);
            }
            if watch.nth.is_none_or(|nth| nth.get() == number) {
                let at = Instant::now();
                let sighting = Sighting { watch: watch.id, link, info, number, swapped, at };
                if self.sightings.try_send(sighting).is_err() {
                    self.sightings_lost.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        let swaps = then.is_some();
        if swaps {
            self.change(then, None);
        }
        swaps
    }
}
