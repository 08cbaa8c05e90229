//! What a stage demands of its nodes, and what it forbids.

use super::{Found, LIST, PATIENCE_TICKS, Stage};
use bytes::Bytes;
use paxos_node::kv::{OpResult, TxnOutcome};
use paxos_node::paxos::RoleName;
use paxos_node::service::Service;
use paxos_node::sim::{Told, judge_lists};
use std::collections::BTreeMap;

impl Stage {
    /// Something that every correct cluster does by now.
    pub(crate) fn demand(&mut self, holds: bool, what: &str) {
        if !holds {
            self.found.progress.get_or_insert_with(|| what.to_owned());
        }
    }

    /// Something that no client may be told.
    pub(crate) fn forbid(&mut self, holds: bool, what: &str) {
        if holds {
            self.found.clients.get_or_insert_with(|| what.to_owned());
        }
    }

    /// What is under way is lost, everybody starts, and nothing goes wrong any more: all must
    /// come to the same state and serve, and then the clients are judged.
    pub(crate) fn finish(mut self) -> Found {
        self.lose_everything();
        let everybody = self.everybody();
        self.actors.iter_mut().for_each(|actor| actor.files_slowly = false);
        everybody.iter().for_each(|node| self.start(*node));
        let healed = self.wait(|stage| stage.agreed_leader().is_some());
        self.demand(healed, "a healed cluster came to no leader and no common state");
        let leader = self.agreed_leader().unwrap_or(1);
        let last = self.append(leader, "the last");
        let served = self.wait(|stage| stage.told(last).is_some());
        self.demand(served, "a healed cluster answered no update");
        let read = self.read(leader);
        let served = self.wait(|stage| stage.told(read).is_some());
        self.demand(served, "a healed cluster answered no read");
        if let Some(items) = self.last_read() {
            let finals = BTreeMap::from([(Bytes::from_static(LIST), items)]);
            let judged = judge_lists(&self.history, &finals);
            self.found.clients = self.found.clients.or(judged.err());
        }
        self.found
    }

    /// What the last read that was answered saw: the final one, unless the cluster is beyond that.
    fn last_read(&self) -> Option<Vec<Bytes>> {
        let reads = self.history.calls().iter().filter(|call| call.txn.is_read_only());
        let answers = reads.filter_map(|call| match &call.completed {
            Some((at, Told::Ok(_, TxnOutcome::Done(results)))) => Some((*at, results.as_slice())),
            _ => None,
        });
        match answers.max_by_key(|(at, _)| *at)? {
            (_, [OpResult::List(items)]) => Some(items.clone()),
            _ => Some(Vec::new()),
        }
    }

    fn wait(&mut self, holds: impl Fn(&Stage) -> bool) -> bool {
        let everybody = self.everybody();
        for _ in 0..PATIENCE_TICKS {
            if holds(self) {
                return true;
            }
            everybody.iter().for_each(|node| self.tick(*node, 1));
            self.run(&everybody);
        }
        false
    }

    /// The leader, if those that run are a quorum, follow it, and have the same state.
    fn agreed_leader(&self) -> Option<u16> {
        let all: Vec<&Service> = self.actors.iter().filter_map(|actor| actor.service.as_ref()).collect();
        let leader = all.iter().find(|service| service.replica().role() == RoleName::Leader)?;
        let (ballot, applied) = (leader.replica().leader()?, leader.kv().applied());
        let members = leader.replica().configuration().members();
        let of = |service: &&Service| members.iter().any(|member| member.node == service.replica().id());
        let running: Vec<&Service> = all.into_iter().filter(of).collect();
        let agrees = |service: &&Service| {
            service.replica().leader() == Some(ballot) && service.kv().applied() == applied
        };
        let is_quorum = 2 * running.len() > members.len();
        (is_quorum && self.leads(ballot.node.0) && running.iter().all(agrees)).then_some(ballot.node.0)
    }
}
