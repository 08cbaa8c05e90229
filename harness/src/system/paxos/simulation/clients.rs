//! The clients of a simulated run: they ask and give up as those over TCP do.

use std::collections::VecDeque;
use std::time::Duration;

use checker::{Op, OpType, Process, Value};
use paxos_node::kv::ClientReply;
use paxos_node::paxos::NodeId as SimNode;
use paxos_node::service::ClientToken;
use paxos_node::sim::World;
use workloads::{Context, Generator, Invocation, Next as Ask};

use super::super::request::{Attempt, Next, Reason, Requests};
use super::links::SharedWires;
use super::tape::Tape;
use crate::run::arrivals::Arrivals;
use crate::system::NodeId;

/// After a connection that could not be had.
const REFUSED_PAUSE_US: u64 = 150_000;
/// After an answer "did not happen".
const FAILED_PAUSE_US: u64 = 20_000;
/// Before a generator that had nothing to ask is asked again.
const PENDING_PAUSE_US: u64 = 5_000;

/// All clients.
pub(super) struct Clients {
    slots: Vec<Slot>,
    nodes: u16,
    op_timeout_us: u64,
    retries: u32,
    arrivals: Option<Arrivals>,
    backlog: VecDeque<u64>,
    backlog_max: usize,
    pub(super) not_issued: u64,
    /// No new operations.
    pub(super) quiet: bool,
    /// At the end every key is read; `None` while there is a generator to ask.
    pub(super) final_reads: Option<VecDeque<Invocation>>,
    pub(super) reads_done: usize,
}

/// A client that does one thing at a time.
struct Slot {
    process: u64,
    node: NodeId,
    /// Numbers its connections: what comes on an earlier one is void.
    connection: u32,
    requests: Requests,
    doing: Option<Doing>,
    /// Numbers its alarms: those set before this one are void.
    alarm: u32,
    /// Between operations.
    pausing: bool,
}

struct Doing {
    invocation: Invocation,
    intended_ns: Option<u64>,
    deadline_us: u64,
    /// Of the request that waits for its answer.
    request_id: u64,
    connected: bool,
}

/// Everything a client works with.
pub(super) struct Around<'a> {
    pub(super) world: &'a mut World,
    pub(super) tape: &'a mut Tape,
    pub(super) generator: &'a mut dyn Generator,
    pub(super) wires: &'a SharedWires,
}

impl Around<'_> {
    fn now_us(&self) -> u64 {
        self.world.now().0
    }

    fn record(&mut self, op: Op) {
        self.generator.update(&op);
        self.tape.push(op);
    }
}

impl Clients {
    pub(super) fn new(
        slots: usize,
        nodes: u16,
        rate: Option<f64>,
        seed: u64,
        op_timeout: Duration,
        retries: u32,
    ) -> Clients {
        let slot = |number: usize| Slot {
            process: number as u64,
            node: NodeId((number % usize::from(nodes)) as u16 + 1),
            connection: 0,
            requests: Requests::new(retries),
            doing: None,
            alarm: 0,
            pausing: false,
        };
        Clients {
            slots: (0..slots).map(slot).collect(),
            nodes,
            op_timeout_us: u64::try_from(op_timeout.as_micros()).unwrap_or(u64::MAX),
            retries,
            arrivals: rate.map(|rate| Arrivals::new(seed, rate, 0)),
            backlog: VecDeque::new(),
            backlog_max: rate.map_or(0, Arrivals::backlog_max),
            not_issued: 0,
            quiet: false,
            final_reads: None,
            reads_done: 0,
        }
    }

    /// Whether nobody waits for an answer.
    pub(super) fn are_idle(&self) -> bool {
        self.slots.iter().all(|slot| slot.doing.is_none())
    }

    /// From now on every key is read, by fresh processes, until each read has succeeded.
    pub(super) fn read_all(&mut self, reads: Vec<Invocation>) {
        let first = self.slots.iter().map(|slot| slot.process).max().unwrap_or(0) + 1;
        for (number, slot) in (first..).zip(&mut self.slots) {
            // Whoever still waits is left to it: its operation stays open.
            *slot = Slot {
                process: number,
                node: slot.node,
                connection: slot.connection + 1,
                requests: Requests::new(self.retries),
                doing: None,
                alarm: slot.alarm + 1,
                pausing: false,
            };
        }
        self.final_reads = Some(reads.into());
    }

    /// Whoever is free and has something to ask asks; gives when the next arrival is due.
    pub(super) fn look(&mut self, around: &mut Around<'_>) -> Option<u64> {
        let now_us = around.now_us();
        if let Some(arrivals) = self.arrivals.as_mut().filter(|_| !self.quiet && self.final_reads.is_none()) {
            while let Some(intended_ns) = arrivals.take_due(now_us * 1_000) {
                if self.backlog.len() < self.backlog_max {
                    self.backlog.push_back(intended_ns);
                } else {
                    self.not_issued += 1;
                }
            }
        }
        for number in 0..self.slots.len() {
            self.ask(number, around);
        }
        self.arrivals.as_ref().map(|arrivals| arrivals.next_ns().div_ceil(1_000).max(now_us + 1))
    }

    fn ask(&mut self, number: usize, around: &mut Around<'_>) {
        let slot = &self.slots[number];
        if slot.doing.is_some() || slot.pausing {
            return;
        }
        if let Some(reads) = &mut self.final_reads {
            if let Some(read) = reads.pop_front() {
                self.begin(number, read, None, around);
            }
            return;
        }
        if self.quiet || (self.arrivals.is_some() && self.backlog.is_empty()) {
            return;
        }
        let context = Context { time_ns: around.now_us() * 1_000, process: slot.process };
        match around.generator.next(&context) {
            Ask::Invoke(invocation) => {
                let intended_ns = self.backlog.pop_front();
                self.begin(number, invocation, intended_ns, around);
            }
            Ask::Pending => self.pause(number, PENDING_PAUSE_US, around),
            Ask::Exhausted => {}
        }
    }

    fn begin(
        &mut self,
        number: usize,
        invocation: Invocation,
        intended_ns: Option<u64>,
        around: &mut Around<'_>,
    ) {
        let now_us = around.now_us();
        let slot = &mut self.slots[number];
        let doing = Doing {
            intended_ns,
            deadline_us: now_us + self.op_timeout_us,
            request_id: 0,
            connected: true,
            invocation,
        };
        let op = op(slot.process, &doing, OpType::Invoke, doing.invocation.value.clone(), around);
        around.record(op);
        if !is_up(around.world, slot.node) {
            let failed = op_failed(slot.process, &doing, slot.node, around);
            around.record(failed);
            self.again(doing);
            self.pause(number, REFUSED_PAUSE_US, around);
            self.move_on(number);
            return;
        }
        let next = slot.requests.begin(&doing.invocation, number as u64);
        slot.doing = Some(doing);
        self.go_on(number, next, around);
    }

    fn go_on(&mut self, number: usize, mut next: Next, around: &mut Around<'_>) {
        loop {
            let (request, share) = match next {
                Next::Over(outcome) => return self.over(number, outcome, around),
                Next::Send { request, share, elsewhere } => {
                    if elsewhere {
                        let node = self.slots[number].node.0 % self.nodes + 1;
                        self.slots[number].node = NodeId(node);
                        self.slots[number].connection += 1;
                    }
                    (request, share)
                }
            };
            let now_us = around.now_us();
            let slot = &mut self.slots[number];
            let Some(doing) = &mut slot.doing else { return };
            if !is_up(around.world, slot.node) {
                doing.connected = false;
                next = slot.requests.came(Attempt::Unsent(Reason::new("refused", "cannot connect")));
                continue;
            }
            doing.connected = true;
            doing.request_id = request.id;
            let patience_us = doing.deadline_us.saturating_sub(now_us) / u64::from(share.max(1));
            let token = ClientToken((number as u64) << 32 | u64::from(slot.connection));
            around.wires.client_asks(slot.node);
            around.world.request(SimNode(slot.node.0), token, request);
            self.set_alarm(number, patience_us.max(1), around);
            return;
        }
    }

    fn over(&mut self, number: usize, outcome: super::super::request::Outcome, around: &mut Around<'_>) {
        let slots = self.slots.len() as u64;
        let slot = &mut self.slots[number];
        let Some(doing) = slot.doing.take() else { return };
        slot.alarm += 1;
        let completion = outcome.completion(slot.node, doing.connected);
        let op_type = completion.op_type;
        let mut op = op(slot.process, &doing, op_type, completion.value, around);
        op.error = completion.error;
        op.extra = completion.extra;
        around.record(op);
        if !completion.usable {
            slot.connection += 1;
            slot.requests = Requests::new(self.retries);
        }
        if op_type == OpType::Info {
            slot.process += slots;
        }
        if op_type == OpType::Ok {
            self.reads_done += usize::from(self.final_reads.is_some());
            return self.ask(number, around);
        }
        if op_type == OpType::Fail {
            self.again(doing);
            self.move_on(number);
            return self.pause(number, FAILED_PAUSE_US, around);
        }
        self.again(doing);
        self.ask(number, around);
    }

    /// A final read that did not succeed is tried again.
    fn again(&mut self, doing: Doing) {
        if let Some(reads) = &mut self.final_reads {
            reads.push_back(doing.invocation);
        }
    }

    /// Final reads are asked of the next node then.
    fn move_on(&mut self, number: usize) {
        if self.final_reads.is_some() {
            let slot = &mut self.slots[number];
            slot.node = NodeId(slot.node.0 % self.nodes + 1);
            slot.connection += 1;
            slot.requests = Requests::new(self.retries);
        }
    }

    fn pause(&mut self, number: usize, us: u64, around: &mut Around<'_>) {
        self.slots[number].pausing = true;
        self.set_alarm(number, us, around);
    }

    fn set_alarm(&mut self, number: usize, us: u64, around: &mut Around<'_>) {
        let slot = &mut self.slots[number];
        slot.alarm = slot.alarm.wrapping_add(1);
        around.world.set_alarm(us, (number as u64) << 32 | u64::from(slot.alarm));
    }

    /// A client's alarm goes off.
    pub(super) fn on_alarm(&mut self, alarm: u64, around: &mut Around<'_>) {
        let number = (alarm >> 32) as usize;
        let Some(slot) = self.slots.get_mut(number).filter(|slot| slot.alarm == alarm as u32) else { return };
        if std::mem::take(&mut slot.pausing) {
            return self.ask(number, around);
        }
        let Some(doing) = &mut slot.doing else { return };
        doing.connected = false;
        let token = ClientToken((number as u64) << 32 | u64::from(slot.connection));
        around.world.hang_up(SimNode(slot.node.0), token);
        slot.connection += 1;
        let next = slot.requests.came(Attempt::Doubtful(Reason::new("timeout", "no answer in time")));
        self.go_on(number, next, around);
    }

    /// A node answered.
    pub(super) fn on_answer(&mut self, token: ClientToken, reply: &ClientReply, around: &mut Around<'_>) {
        let number = (token.0 >> 32) as usize;
        let Some(slot) = self.slots.get_mut(number).filter(|slot| slot.connection == token.0 as u32) else {
            return;
        };
        if slot.doing.as_ref().is_none_or(|doing| doing.request_id != reply.id) {
            return;
        }
        slot.alarm += 1;
        let next = slot.requests.came(Attempt::Replied(reply.clone()));
        self.go_on(number, next, around);
    }

    /// A node went down: its connections break.
    pub(super) fn on_down(&mut self, node: NodeId, around: &mut Around<'_>) {
        for number in 0..self.slots.len() {
            let slot = &mut self.slots[number];
            if slot.node != node {
                continue;
            }
            slot.connection += 1;
            match &mut slot.doing {
                Some(doing) => {
                    doing.connected = false;
                    slot.alarm += 1;
                    let lost = Reason::new("connection-lost", "the node closed the connection");
                    let next = slot.requests.came(Attempt::Doubtful(lost));
                    self.go_on(number, next, around);
                }
                // The next operation opens another, under another session.
                None => slot.requests = Requests::new(self.retries),
            }
        }
    }
}

fn is_up(world: &World, node: NodeId) -> bool {
    world.service(SimNode(node.0)).is_some()
}

fn op(process: u64, doing: &Doing, op_type: OpType, value: Value, around: &mut Around<'_>) -> Op {
    let time_ns = around.now_us() * 1_000;
    let index = around.tape.next_index();
    let mut op = Op::new(index, time_ns, op_type, Process::Client(process), doing.invocation.f, value);
    op.key = doing.invocation.key.map(Value::Int);
    op.intended_ns = doing.intended_ns;
    op
}

fn op_failed(process: u64, doing: &Doing, node: NodeId, around: &mut Around<'_>) -> Op {
    let mut op = op(process, doing, OpType::Fail, doing.invocation.value.clone(), around);
    op.error = Some(format!("no connection to {node}"));
    op.extra.insert("node".to_owned(), node.to_string().into());
    op
}
