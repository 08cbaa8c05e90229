//! Logical clients: each asks for one thing at a time, in a session, and repeats what it got no
//! certain answer to, under the same request id, on whatever node comes to its mind.

use super::dice::{Dice, Ppm};
use super::history::{History, Told};
use super::world::{Happening, World};
use crate::kv::{
    ClientReply, ClientRequest, ClientResult, Command, DefiniteError, Reply, RequestId, SessionId, Txn, TxnOp,
};
use crate::paxos::NodeId;
use crate::service::ClientToken;
use bytes::Bytes;

/// Alarms below this number belong to clients; the driver of a world may use the others.
pub const CLIENT_ALARMS: u64 = 1 << 48;

/// What clients do, and how patient they are.
#[derive(Clone, Debug)]
pub struct Habits {
    /// How many clients.
    pub clients: u32,
    /// How many keys of each type (list, register, counter) they share.
    pub keys: u64,
    /// Weights of: append, put, cas, add, several at once, read.
    pub mix: [u32; 6],
    /// Pause between an answer and the next question, in microseconds: at least, at most.
    pub think_us: (u64, u64),
    /// How long to wait for an answer, in microseconds: at least, at most.
    pub patience_us: (u64, u64),
    /// How often to try in all before giving up.
    pub attempts_max: u64,
    /// Chance to take a definite failure for an answer, and not to try again.
    pub resigns: Ppm,
    /// Chance to try again at the same node.
    pub loyalty: Ppm,
    /// Chance to ask the next thing of any node, not of the one that answered last.
    pub roam: Ppm,
    /// Chance that a read is content with what the node has that is asked.
    pub local: Ppm,
    /// Chance that a put has no request id. Its client never repeats it.
    pub anonymous: Ppm,
    /// How many calls there are in all, before the final ones: bounds a simulation's work.
    pub calls_max: usize,
    /// Chance that a register gets a large value.
    pub large: Ppm,
    /// How many large values there are in all: bounds a simulation's memory.
    pub large_max: u32,
    /// How large that is, in bytes.
    pub large_bytes: usize,
}

/// All clients of a world.
pub struct Clients {
    habits: Habits,
    clients: Vec<Client>,
    history: History,
    dice: Dice,
    /// A stream of its own: with or without such reads, the rest of the story stays.
    read_dice: Dice,
    nodes: Vec<NodeId>,
    next_value: u64,
    /// No new calls, and nobody gives up: what is under way is seen through.
    finishing: bool,
}

#[derive(Debug)]
struct Client {
    index: u32,
    session: Option<SessionId>,
    sequence: u64,
    call: Option<Ongoing>,
    node: NodeId,
    /// The connection in use; a new number for each, so that it tells the node as well.
    connection: u32,
    attempt: u64,
    /// Alarms set before this one was are void.
    alarm: u32,
}

/// What a client waits for.
#[derive(Debug)]
struct Ongoing {
    /// Index in the history; `None`: opening a session.
    call: Option<usize>,
    command: Command,
    local: bool,
    first_attempt: u64,
    /// The connection of the first attempt.
    first_connection: u32,
    /// An attempt is or may be under way whose end is not known: nothing is certain any more.
    in_doubt: bool,
}

impl Client {
    fn turn_to(&mut self, node: NodeId) {
        if self.node != node {
            self.node = node;
            self.connection += 1;
        }
    }
}

impl Clients {
    /// Clients that start at once.
    pub fn new(habits: Habits, world: &mut World, dice: Dice, read_dice: Dice) -> Clients {
        let nodes: Vec<NodeId> = world.conditions().ids().collect();
        let client = |index| Client {
            index,
            session: None,
            sequence: 0,
            call: None,
            node: NodeId(1),
            connection: 0,
            attempt: 0,
            alarm: 0,
        };
        let mut clients = Clients {
            clients: (0..habits.clients).map(client).collect(),
            habits,
            history: History::default(),
            dice,
            read_dice,
            nodes,
            next_value: 0,
            finishing: false,
        };
        for index in 0..clients.clients.len() {
            clients.clients[index].node = *clients.dice.pick(&clients.nodes);
            clients.think(index, world);
        }
        clients
    }

    /// What they asked and were told.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// These are the nodes now; who is stuck to another will try one of them.
    pub fn know(&mut self, nodes: Vec<NodeId>) {
        self.nodes = nodes;
    }

    /// From now on no new questions, and no giving up.
    pub fn finish(&mut self) {
        self.finishing = true;
    }

    /// What all of them together may have under way in large values, in bytes: each as often as its client
    /// asks for it.
    #[must_use]
    pub fn in_flight_bytes_max(&self) -> usize {
        let copies = self.clients.len() * usize::try_from(self.habits.attempts_max).unwrap_or(usize::MAX);
        if self.habits.large == 0 { 0 } else { self.habits.large_bytes * copies }
    }

    /// Whether nobody waits for anything.
    #[must_use]
    pub fn are_done(&self) -> bool {
        self.clients.iter().all(|client| client.call.is_none())
    }

    /// One client, stuck to one node, asks one thing more; for after [`finish`](Self::finish).
    pub fn ask(&mut self, client: usize, node: NodeId, txn: Txn, world: &mut World) {
        self.clients[client].turn_to(node);
        self.habits.loyalty = 1_000_000;
        self.begin(client, txn, world);
    }

    /// A list, register or counter, as the clients call their keys.
    #[must_use]
    pub fn keys(&self) -> Vec<Bytes> {
        let named =
            |kind: &str| (0..self.habits.keys).map(move |number| key(kind, number)).collect::<Vec<_>>();
        [named("list"), named("register"), named("counter")].concat()
    }

    /// A value that nobody has used.
    pub fn fresh_value(&mut self) -> Bytes {
        self.next_value += 1;
        Bytes::from(format!("v{}", self.next_value))
    }

    /// Lets the clients know what happened.
    ///
    /// # Errors
    /// If a node's answer makes no sense.
    pub fn on(&mut self, happening: &Happening, world: &mut World) -> Result<(), String> {
        match happening {
            Happening::Nothing => {}
            Happening::Answered(token, reply) => self.on_answer(*token, reply, world)?,
            Happening::Alarm(alarm) if *alarm < CLIENT_ALARMS => {
                let (index, alarm) = ((alarm >> 32) as usize, *alarm as u32);
                if self.clients[index].alarm == alarm {
                    self.on_alarm(index, world);
                }
            }
            Happening::Alarm(_) => {}
            Happening::Down(node) => {
                for index in 0..self.clients.len() {
                    let client = &mut self.clients[index];
                    if client.node != *node {
                        continue;
                    }
                    client.connection += 1;
                    // That it broke is noticed at once, or (the packet was lost) not before time.
                    if client.call.is_some() && self.dice.coin() {
                        self.set_alarm(index, 100, world);
                    }
                }
            }
        }
        Ok(())
    }

    fn on_alarm(&mut self, index: usize, world: &mut World) {
        if self.clients[index].call.is_some() {
            self.on_timeout(index, world);
        } else if !self.finishing && self.history.calls().len() < self.habits.calls_max {
            let txn = self.next_txn();
            if self.dice.chance(self.habits.roam) {
                let node = *self.dice.pick(&self.nodes);
                self.clients[index].turn_to(node);
            }
            self.begin(index, txn, world);
        }
    }

    // ---- One call ----------------------------------------------------------------------------

    fn begin(&mut self, index: usize, txn: Txn, world: &mut World) {
        let client = &mut self.clients[index];
        let (first_attempt, first_connection) = (client.attempt + 1, client.connection);
        let Some(session) = client.session else {
            let command = Command::OpenSession { nonce: u64::from(client.index) << 32 | client.attempt };
            client.call = Some(Ongoing {
                call: None,
                command,
                local: false,
                first_attempt,
                first_connection,
                in_doubt: false,
            });
            self.attempt(index, world);
            return;
        };
        // Without an id every copy executes, so only what may be repeated goes without.
        let may_repeat = matches!(txn.ops.as_slice(), [TxnOp::Put { .. }]);
        let is_read = txn.is_read_only();
        let is_anonymous = is_read || (may_repeat && self.dice.chance(self.habits.anonymous));
        let request = (!is_anonymous).then(|| {
            client.sequence += 1;
            RequestId { session, sequence: client.sequence }
        });
        let call = Some(self.history.invoke(client.index, txn.clone(), request));
        let command = Command::Execute { request, txn };
        let local = !self.finishing && is_read && self.read_dice.chance(self.habits.local);
        let client = &mut self.clients[index];
        client.call =
            Some(Ongoing { call, command, local, first_attempt, first_connection, in_doubt: false });
        self.attempt(index, world);
    }

    fn attempt(&mut self, index: usize, world: &mut World) {
        let client = &mut self.clients[index];
        let Some(ongoing) = &client.call else { return };
        client.attempt += 1;
        let token = ClientToken(u64::from(client.index) << 32 | u64::from(client.connection));
        let request =
            ClientRequest { id: client.attempt, command: ongoing.command.clone(), local: ongoing.local };
        world.request(client.node, token, request);
        let patience_us = self.dice.within(self.habits.patience_us.0..=self.habits.patience_us.1);
        self.set_alarm(index, patience_us, world);
    }

    fn on_answer(
        &mut self,
        token: ClientToken,
        reply: &ClientReply,
        world: &mut World,
    ) -> Result<(), String> {
        let index = (token.0 >> 32) as usize;
        let Some(client) = self.clients.get_mut(index) else { return Ok(()) };
        let Some(ongoing) = &mut client.call else { return Ok(()) };
        if reply.id < ongoing.first_attempt {
            return Ok(());
        }
        let is_latest = reply.id == client.attempt;
        match &reply.result {
            ClientResult::Reply(Reply::SessionOpened(session)) => {
                client.session = Some(*session);
                client.sequence = 0;
                self.end(index, Told::Unknown, world);
            }
            ClientResult::Reply(Reply::Outcome(outcome)) => {
                self.end(index, Told::Ok(reply.slot, outcome.clone()), world);
            }
            ClientResult::Reply(reply @ (Reply::SessionExpired | Reply::Superseded)) => {
                return Err(format!(
                    "sessions: client {index} was told {reply:?} with one request under way in a session in use"
                ));
            }
            ClientResult::Stale(outcome) if ongoing.local => {
                self.end(index, Told::Stale(reply.slot, outcome.clone()), world);
            }
            ClientResult::Stale(_) => {
                return Err(format!(
                    "reads: client {index} was told what may be stale, and had asked for more"
                ));
            }
            ClientResult::Unknown(_) => {
                ongoing.in_doubt = true;
                if is_latest {
                    self.try_again(index, None, world);
                }
            }
            ClientResult::Failed(_) if !is_latest => {}
            ClientResult::Failed(error) => {
                // What a node says of a request, it says of all copies that came to it. So if none
                // went elsewhere, or to an earlier life, even those unanswered have come to nothing.
                if ongoing.first_connection == client.connection {
                    ongoing.in_doubt = false;
                }
                let hint = match error {
                    DefiniteError::NotLeader { hint } => *hint,
                    DefiniteError::NoLeader
                    | DefiniteError::Overloaded
                    | DefiniteError::TooLarge
                    | DefiniteError::Malformed => None,
                };
                if !ongoing.in_doubt && !self.finishing && self.dice.chance(self.habits.resigns) {
                    self.end(index, Told::Failed, world);
                } else {
                    self.try_again(index, hint, world);
                }
            }
        }
        Ok(())
    }

    fn on_timeout(&mut self, index: usize, world: &mut World) {
        let client = &mut self.clients[index];
        if let Some(ongoing) = &mut client.call {
            ongoing.in_doubt = true;
        }
        if self.dice.coin() {
            let token = ClientToken(u64::from(client.index) << 32 | u64::from(client.connection));
            world.hang_up(client.node, token);
            client.connection += 1;
        }
        self.try_again(index, None, world);
    }

    /// The last attempt came to nothing: try another node, the same one, or give up.
    fn try_again(&mut self, index: usize, hint: Option<NodeId>, world: &mut World) {
        let client = &mut self.clients[index];
        let Some(ongoing) = &client.call else { return };
        let tried = client.attempt - ongoing.first_attempt + 1;
        let is_anonymous =
            matches!(&ongoing.command, Command::Execute { request: None, txn } if !txn.is_read_only());
        let is_tired = tried >= self.habits.attempts_max && !self.finishing;
        if is_tired || (is_anonymous && (ongoing.in_doubt || !self.finishing)) {
            let told = if ongoing.in_doubt { Told::Unknown } else { Told::Failed };
            self.end(index, told, world);
            return;
        }
        if let Some(hint) = hint.filter(|_| self.dice.coin()) {
            client.turn_to(hint);
        } else if !self.nodes.contains(&client.node) || !self.dice.chance(self.habits.loyalty) {
            client.turn_to(*self.dice.pick(&self.nodes));
        }
        self.attempt(index, world);
    }

    fn end(&mut self, index: usize, told: Told, world: &mut World) {
        let Some(ongoing) = self.clients[index].call.take() else { return };
        if let Some(call) = ongoing.call {
            world.note(format_args!("client {index}: call {call} ends: {told}"));
            self.history.complete(call, told);
        }
        self.think(index, world);
    }

    fn think(&mut self, index: usize, world: &mut World) {
        let us = self.dice.within(self.habits.think_us.0..=self.habits.think_us.1);
        self.set_alarm(index, us, world);
    }

    fn set_alarm(&mut self, index: usize, us: u64, world: &mut World) {
        let client = &mut self.clients[index];
        client.alarm = client.alarm.wrapping_add(1);
        world.set_alarm(us, u64::from(client.index) << 32 | u64::from(client.alarm));
    }

    // ---- What to ask -------------------------------------------------------------------------

    fn next_txn(&mut self) -> Txn {
        let [append, put, cas, add, several, read] = self.habits.mix;
        let ops =
            match self.dice.weighted(&[(0, append), (1, put), (2, cas), (3, add), (4, several), (5, read)]) {
                0 => vec![self.append()],
                1 => vec![self.put()],
                2 => vec![self.cas()],
                3 => vec![self.add()],
                4 => {
                    let (append, add) = (self.append(), self.add());
                    let get = TxnOp::Get { key: append.key().clone() };
                    vec![add, append, get]
                }
                _ => {
                    let keys = self.keys();
                    vec![TxnOp::Get { key: self.dice.pick(&keys).clone() }]
                }
            };
        Txn { ops }
    }

    fn append(&mut self) -> TxnOp {
        TxnOp::Append { key: self.any("list"), value: self.fresh_value() }
    }

    fn put(&mut self) -> TxnOp {
        TxnOp::Put { key: self.any("register"), value: self.fresh_register_value() }
    }

    fn fresh_register_value(&mut self) -> Bytes {
        let value = self.fresh_value();
        if self.habits.large_max == 0 || !self.dice.chance(self.habits.large) {
            return value;
        }
        self.habits.large_max -= 1;
        let mut large = value.to_vec();
        large.resize(self.habits.large_bytes.max(value.len()), b'.');
        Bytes::from(large)
    }

    /// Expects some earlier value, most likely a recent one.
    fn cas(&mut self) -> TxnOp {
        let newest = self.next_value;
        let expect = self.dice.within(newest.saturating_sub(6)..=newest);
        let expect = (expect > 0).then(|| Bytes::from(format!("v{expect}")));
        TxnOp::Cas { key: self.any("register"), expect, value: self.fresh_register_value() }
    }

    fn add(&mut self) -> TxnOp {
        TxnOp::Add { key: self.any("counter"), delta: i64::from(self.dice.within(1..=9) as u8) }
    }

    fn any(&mut self, kind: &str) -> Bytes {
        key(kind, self.dice.within(0..=self.habits.keys - 1))
    }
}

fn key(kind: &str, number: u64) -> Bytes {
    Bytes::from(format!("{kind}{number}"))
}
