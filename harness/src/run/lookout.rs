//! Watches links for the frames that triggers wait for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use tokio::sync::mpsc::Receiver;

use crate::proxy::Mesh;
use crate::proxy::policy::PolicyError;
use crate::proxy::regime::{self, Sighting};
use crate::schedule::{Director, Watch};

/// Between the proxies, which see frames, and the director, which waits for some.
pub struct Lookout<'run> {
    mesh: &'run Mesh,
    began: Instant,
    sightings: Option<Receiver<Sighting>>,
    /// Seen, and not told yet.
    pending: Vec<Sighting>,
    watches: Vec<Watch>,
    /// The number under which the proxies know each watch: kept for as long as the run, so that one
    /// whose links change goes on counting.
    ids: BTreeMap<String, u64>,
}

impl<'run> Lookout<'run> {
    /// Watches nothing yet; times count from `began`.
    pub fn new(mesh: &'run Mesh, began: Instant) -> Lookout<'run> {
        let sightings = mesh.sightings();
        Lookout { mesh, began, sightings, pending: Vec::new(), watches: Vec::new(), ids: BTreeMap::new() }
    }

    /// Tells the director of every frame seen since.
    pub fn tell(&mut self, director: &mut Director) {
        if let Some(sightings) = &mut self.sightings {
            while let Ok(sighting) = sightings.try_recv() {
                self.pending.push(sighting);
            }
        }
        for sighting in self.pending.drain(..) {
            let key = self.ids.iter().find(|(_, id)| **id == sighting.watch).map(|(key, _)| key);
            if let Some(key) = key {
                director.saw(key, sighting.at.saturating_duration_since(self.began));
            }
        }
    }

    /// Watches for these frames, and no others, from now on.
    pub fn watch(&mut self, watches: Vec<Watch>) -> Result<(), PolicyError> {
        if watches == self.watches {
            return Ok(());
        }
        let mut told = Vec::new();
        for watch in &watches {
            let next = self.ids.len() as u64;
            let id = *self.ids.entry(watch.key.clone()).or_insert(next);
            let kinds = Some(BTreeSet::from([watch.kind.clone()]));
            told.push(regime::Watch { id, kinds, links: watch.links.clone(), nth: None, then: None });
        }
        self.watches = watches;
        self.mesh.watch(told)
    }

    /// Waits until something is seen.
    pub async fn seen(&mut self) {
        let seen = match &mut self.sightings {
            Some(sightings) => sightings.recv().await,
            None => None,
        };
        match seen {
            Some(sighting) => self.pending.push(sighting),
            None => std::future::pending().await,
        }
    }
}
