//! A contender's nodes, as bare processes: nothing stands between them.
//!
//! Each node has a loopback address of its own, made of this process's id, so that a port that is free
//! when it is looked for stays free until the node listens there: nobody else knows the address.

use super::contender::{Place, Standing};
use super::{BenchError, Contender};
use crate::process::{NodeProcess, SpawnSpec, launcher};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a cluster may take until a node leads.
const READY_MAX: Duration = Duration::from_secs(30);
/// Between two looks at a cluster that is getting ready.
const READY_POLL: Duration = Duration::from_millis(2);
/// How long a node that was asked to stop may take.
const STOP_MAX: Duration = Duration::from_secs(10);

/// A running cluster. Dropped, it leaves no process and no file.
pub struct Cluster {
    contender: Arc<dyn Contender>,
    places: Vec<Place>,
    processes: Vec<Option<NodeProcess>>,
    launcher: PathBuf,
    folder: PathBuf,
    lives: u32,
    runtime: tokio::runtime::Runtime,
}

impl Cluster {
    /// Starts `nodes` nodes on fresh data under `folder`, and waits until one of them leads.
    ///
    /// # Errors
    /// A node can't be started, ends, or none leads in time.
    pub fn start(contender: &Arc<dyn Contender>, nodes: u16, folder: &Path) -> Result<Cluster, BenchError> {
        let places = (1..=nodes).map(|node| place(node, folder)).collect::<Result<Vec<_>, _>>()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let mut cluster = Cluster {
            contender: Arc::clone(contender),
            processes: places.iter().map(|_| None).collect(),
            places,
            launcher: launcher()
                .map_err(|error| BenchError::new("cannot find this program's file", error))?,
            folder: folder.to_owned(),
            lives: 0,
            runtime: runtime.map_err(|error| BenchError::new("cannot start a runtime", error))?,
        };
        for node in 0..cluster.places.len() {
            cluster.launch(node)?;
        }
        cluster.until_ready()?;
        Ok(cluster)
    }

    /// Its nodes, from 0.
    #[must_use]
    pub fn size(&self) -> usize {
        self.places.len()
    }

    /// What it is a cluster of.
    #[must_use]
    pub fn contender(&self) -> &Arc<dyn Contender> {
        &self.contender
    }

    /// Where a node lives.
    #[must_use]
    pub fn place(&self, node: usize) -> &Place {
        &self.places[node]
    }

    /// Processes that run.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        self.processes.iter().flatten().map(NodeProcess::pid).collect()
    }

    /// Starts a node that is down.
    ///
    /// # Errors
    /// It can't be started.
    pub fn launch(&mut self, node: usize) -> Result<(), BenchError> {
        let place = &self.places[node];
        for folder in [&place.data, &place.log] {
            fs::create_dir_all(folder)
                .map_err(|error| BenchError::new(format!("cannot make {}", folder.display()), error))?;
        }
        self.lives += 1;
        let spec = SpawnSpec {
            launcher: self.launcher.clone(),
            name: format!("{} n{}", self.contender.name(), place.node),
            incarnation: self.lives,
            command: self.contender.command(place, &self.places),
            stdout: place.log.join("stdout.log"),
            stderr: place.log.join("stderr.log"),
        };
        self.processes[node] =
            Some(NodeProcess::spawn(&spec).map_err(|error| BenchError(error.to_string()))?);
        Ok(())
    }

    /// Waits until every node serves and knows a leader; gives the leader.
    ///
    /// # Errors
    /// A node ended, or it takes too long.
    pub fn until_ready(&mut self) -> Result<usize, BenchError> {
        let deadline = Instant::now() + READY_MAX;
        let mut said = String::new();
        while Instant::now() < deadline {
            self.casualties()?;
            let standings: Vec<_> = (0..self.size()).map(|node| self.standing(node)).collect();
            match standings
                .iter()
                .zip(1..)
                .find_map(|(standing, node)| Some((node, standing.as_ref().err()?)))
            {
                Some((node, reason)) => said = format!("n{node}: {reason}"),
                None => {
                    let standings: Vec<Standing> = standings.into_iter().flatten().collect();
                    if standings.iter().all(|standing| standing.knows_leader)
                        && let Some(leader) = standings.iter().position(|standing| standing.leads)
                    {
                        return Ok(leader);
                    }
                    said = "no node leads".to_owned();
                }
            }
            std::thread::sleep(READY_POLL);
        }
        Err(BenchError::new(
            format!("{} is not ready after {} s", self.contender.name(), READY_MAX.as_secs()),
            said,
        ))
    }

    /// What a node says of itself.
    ///
    /// # Errors
    /// It does not serve.
    pub fn standing(&self, node: usize) -> Result<Standing, String> {
        self.runtime.block_on(self.contender.standing(&self.places[node]))
    }

    /// A node's process.
    ///
    /// # Errors
    /// It is down.
    pub fn process(&mut self, node: usize) -> Result<&mut NodeProcess, BenchError> {
        let name = format!("n{}", self.places[node].node);
        self.processes[node].as_mut().ok_or_else(|| BenchError::new(name, "not running"))
    }

    /// SIGKILLs a node.
    ///
    /// # Errors
    /// It is not confirmed to be dead.
    pub fn kill(&mut self, node: usize) -> Result<(), BenchError> {
        self.process(node)?.kill().map_err(|error| BenchError(error.to_string()))?;
        self.processes[node] = None;
        Ok(())
    }

    /// Looks for nodes that ended by themselves.
    ///
    /// # Errors
    /// One did; with its last words.
    pub fn casualties(&mut self) -> Result<(), BenchError> {
        for process in self.processes.iter_mut().flatten() {
            match process.try_exited() {
                Ok(None) => {}
                Ok(Some(exit)) => return Err(BenchError::new("a node ended by itself", exit)),
                Err(error) => return Err(BenchError(error.to_string())),
            }
        }
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for process in self.processes.iter_mut().flatten() {
            // A frozen one would not hear it; what does not stop is killed when dropped.
            let _ = process.resume().and_then(|()| process.terminate(STOP_MAX).map(drop));
        }
        self.processes.clear();
        // What can't be removed is in the way of nothing but the disk.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn place(node: u16, folder: &Path) -> Result<Place, BenchError> {
    let home = folder.join(format!("n{node}"));
    let ip = own_address(std::process::id(), node);
    // Both at once, or the second look may find what the first has let go.
    let (clients, peers) = (free(ip)?, free(ip)?);
    let address = |listener: &TcpListener| {
        listener.local_addr().map_err(|error| BenchError::new("cannot tell a port", error))
    };
    Ok(Place {
        node,
        address: address(&clients)?,
        peer_address: address(&peers)?,
        data: home.join("data"),
        log: home,
    })
}

fn free(ip: Ipv4Addr) -> Result<TcpListener, BenchError> {
    TcpListener::bind(SocketAddr::from((ip, 0)))
        .map_err(|error| BenchError::new(format!("no free port at {ip}"), error))
}

/// 127.64.0.1 and upwards: far from where anybody else listens.
fn own_address(pid: u32, node: u16) -> Ipv4Addr {
    let [_, high, middle, low] = pid.to_be_bytes();
    let node = u8::try_from(node).unwrap_or(u8::MAX);
    Ipv4Addr::new(127, 64 | (high & 3) << 4 | middle >> 4, middle << 4 | low >> 4, low << 4 | node & 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_benches_and_two_nodes_never_share_an_address() {
        let mut seen = std::collections::BTreeSet::new();
        for pid in [1, 2, 255, 256, 4_194_303] {
            for node in 1..=9 {
                let address = own_address(pid, node);
                assert!(address.is_loopback() && seen.insert(address), "{address} of {pid}, n{node}");
            }
        }
    }
}
