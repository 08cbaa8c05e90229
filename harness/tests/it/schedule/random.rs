//! Random schedules that are valid: every kind of thing that a file can say, in any mixture.

use std::time::Duration;

use harness::schedule::limits::NODES_MAX;
use harness::schedule::{
    ActionSpec, Bandwidth, Body, Choice, Concurrency, Contract, Coverage, Dialect, Election, EventKind,
    Failure, Fault, Found, Guard, Lasts, LinkEffect, LinkEnd, LinkSpec, Mix, NetworkModel, Phase, ReadMode,
    Schedule, Shape, Share, Span, Start, Step, Target, Trigger, Way, What, Who, WorkloadSpec,
};
use harness::system::NodeId;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Draws one; what has been declared so far may be referred to.
struct Draw {
    rng: ChaCha8Rng,
    nodes: u16,
    model: NetworkModel,
    /// Ids of this phase, and of the phases before it.
    here: Vec<String>,
    before: Vec<String>,
    count: usize,
}

/// The schedule of this seed.
pub(super) fn schedule(seed: u64) -> Schedule {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let model = if rng.random() { NetworkModel::TcpLegal } else { NetworkModel::MessageLossy };
    let nodes = rng.random_range(3..=NODES_MAX);
    let mut draw = Draw { rng, nodes, model, here: Vec::new(), before: Vec::new(), count: 0 };
    let phases = (0..draw.rng.random_range(1..4)).map(|at| draw.phase(at)).collect();
    let stories = [
        "",
        "One line.",
        "Several lines,\nwith \"quotes\" and \\ and \"\"\" and \u{7f}.\n\nAnd a paragraph.",
    ];
    Schedule {
        name: format!("random-{}", draw.rng.random_range(0..100)),
        story: (*stories.choose(&mut draw.rng).unwrap()).to_owned(),
        nodes: Some(nodes),
        seed: draw.maybe(|draw| draw.rng.random()),
        snapshot_every_bytes: draw.maybe(|draw| draw.rng.random_range(4_096..=1 << 40)),
        read_mode: draw
            .maybe(|draw| [ReadMode::Barrier, ReadMode::Lease, ReadMode::Log][draw.rng.random_range(0..3)]),
        election: draw.maybe(|draw| {
            [Election::PreVote, Election::Randomised, Election::Fixed][draw.rng.random_range(0..3)]
        }),
        model,
        contract: if draw.rng.random() { Contract::Safety } else { Contract::SafetyAndLiveness },
        workload: draw.workload(),
        phases,
        settle_max: draw.maybe(|draw| draw.time(1, 20_000)),
        coverage: Coverage {
            leader_changes_min: draw.rng.random_range(0..3),
            ops_ok_min: draw.rng.random_range(0..3),
        },
        found: draw.maybe(|draw| Found {
            bug: "strict-accept".to_owned(),
            failure: if draw.rng.random() { Failure::Safety } else { Failure::Liveness },
            required: draw.rng.random(),
        }),
    }
}

impl Draw {
    fn maybe<T>(&mut self, draw: impl FnOnce(&mut Draw) -> T) -> Option<T> {
        if self.rng.random() { Some(draw(self)) } else { None }
    }

    fn time(&mut self, min_ms: u64, max_ms: u64) -> Duration {
        let millis = Duration::from_millis(self.rng.random_range(min_ms..=max_ms));
        if self.rng.random_ratio(1, 4) {
            millis + Duration::from_nanos(self.rng.random_range(0..1_000_000))
        } else {
            millis
        }
    }

    fn span(&mut self, min_ms: u64, max_ms: u64) -> Span {
        let (a, b) = (self.time(min_ms, max_ms), self.time(min_ms, max_ms));
        if self.rng.random() { Span::exactly(a) } else { Span::between(a.min(b), a.max(b)) }
    }

    fn share(&mut self) -> Share {
        let (a, b) = (self.rng.random_range(1..=1_000_000), self.rng.random_range(1..=1_000_000_u32));
        if self.rng.random() {
            Share { min_ppm: a, max_ppm: a }
        } else {
            Share { min_ppm: a.min(b), max_ppm: a.max(b) }
        }
    }

    fn workload(&mut self) -> WorkloadSpec {
        WorkloadSpec {
            name: self.maybe(|draw| (*workloads::names().choose(&mut draw.rng).unwrap()).to_owned()),
            concurrency: self.maybe(|draw| match draw.rng.random() {
                true => Concurrency::Clients(draw.rng.random_range(1..100)),
                false => Concurrency::PerNode(draw.rng.random_range(1..10)),
            }),
            rate: self.maybe(|draw| draw.rng.random_range(1..10_000) as f64 / 8.0),
            keys: self.maybe(|draw| draw.rng.random_range(1..100)),
            ops_per_key: self.maybe(|draw| draw.rng.random_range(1..1_000)),
            retries: self.maybe(|draw| draw.rng.random_range(0..5)),
            op_timeout: self.maybe(|draw| draw.time(1, 5_000)),
        }
    }

    fn phase(&mut self, at: usize) -> Phase {
        self.before.append(&mut self.here);
        let lasts = self.time(20_000, 60_000);
        let faults = (0..self.rng.random_range(0..5)).map(|_| self.fault(lasts)).collect();
        let mixes = (0..self.rng.random_range(0..3)).map(|_| self.mix(lasts)).collect();
        let ok_rate_min = self.maybe(|draw| draw.rng.random_range(1..1_000) as f64);
        Phase { name: format!("phase-{at}"), lasts, ok_rate_min, faults, mixes }
    }

    fn id(&mut self, sort: &str) -> String {
        self.count += 1;
        let form = *["", ":x", "-y.z", "+1_2"].choose(&mut self.rng).unwrap();
        format!("{sort}{}{form}", self.count)
    }

    fn fault(&mut self, phase: Duration) -> Fault {
        let id = self.id("fault");
        let start = match self.rng.random_range(0..3) {
            0 => Start::At(self.span(0, 25_000)),
            1 => Start::Every(self.span(10, 25_000)),
            _ => Start::When(self.trigger(None)),
        };
        let mut body = self.body(None);
        if body.lasts == Lasts::Phase && matches!(start, Start::Every(_)) {
            body.lasts = Lasts::For(Span::exactly(Duration::from_secs(1)));
        }
        let earliest = match &start {
            Start::At(span) | Start::Every(span) => span.min,
            Start::When(Trigger { what: What::Event { holds, .. }, plus, .. }) => *holds + *plus,
            Start::When(trigger) => trigger.plus,
        };
        let done = earliest + body.steps.iter().map(|step| step.after.min).sum::<Duration>();
        let required = self.rng.random() && done < phase;
        let times_max = self.maybe(|draw| draw.rng.random_range(1..4));
        let fault = Fault { id: id.clone(), start, times_max, guard: self.guard(&body), body, required };
        self.here.push(id);
        fault
    }

    fn guard(&mut self, body: &Body) -> Guard {
        let breaks = body.steps.iter().any(|step| {
            let (ActionSpec::Kill(target) | ActionSpec::Wipe(target) | ActionSpec::Pause(target)) =
                &step.action
            else {
                return false;
            };
            matches!(target.who, Who::All | Who::Majority)
        });
        let guards = [Guard::Any, Guard::BreakQuorum, Guard::KeepQuorum];
        *guards[..if breaks { 2 } else { 3 }].choose(&mut self.rng).unwrap()
    }

    fn mix(&mut self, phase: Duration) -> Mix {
        let id = self.id("mix");
        let mut choices: Vec<Choice> = Vec::new();
        for _ in 0..self.rng.random_range(1..5) {
            let id = self.id("choice");
            let body = self.body(Some(&id));
            let required = self.rng.random_ratio(1, 4);
            choices.push(Choice { id: id.clone(), weight: self.rng.random_range(1..9), body, required });
            self.here.push(id);
        }
        let spared = choices.iter().all(|choice| self.guard(&choice.body) != Guard::BreakQuorum);
        let every = self.time(2_000, phase.as_millis() as u64);
        Mix {
            id,
            gap: self.span(0, 5_000),
            overlap: self.rng.random_range(1..4),
            calm: self.maybe(|draw| (draw.time(1, 1_000), every)),
            swarm: self.rng.random(),
            guard: if spared { Guard::Any } else { Guard::BreakQuorum },
            extend: self.maybe(|draw| draw.time(0, 30_000)).unwrap_or_default(),
            choices,
        }
    }

    /// For a choice, which has an id already, it ends by itself.
    fn body(&mut self, choice: Option<&str>) -> Body {
        let count = if self.rng.random_ratio(1, 3) { self.rng.random_range(1..4) } else { 1 };
        let steps: Vec<Step> = (0..count)
            .map(|_| Step {
                after: self.maybe(|draw| draw.span(0, 900)).unwrap_or(Span::ZERO),
                action: self.action(),
            })
            .collect();
        let momentary = steps.iter().all(|step| step.action.is_momentary());
        let lasts = match self.rng.random_range(0..4) {
            0 if choice.is_none() => Lasts::Phase,
            1 => Lasts::Until(self.trigger(choice)),
            2 if momentary => Lasts::For(Span::ZERO),
            _ => Lasts::For(self.span(1, 8_000)),
        };
        Body { steps, lasts }
    }

    fn action(&mut self) -> ActionSpec {
        match self.rng.random_range(0..8) {
            0 => ActionSpec::Kill(self.target(true)),
            1 => ActionSpec::Wipe(self.target(false)),
            2 => ActionSpec::Pause(self.target(true)),
            3 => ActionSpec::Partition(self.shape()),
            4 => ActionSpec::Reset(self.links(None)),
            5 => ActionSpec::Swizzle(self.target(false)),
            _ => {
                let clients = self.rng.random_ratio(1, 4);
                let links = self.links(Some(clients));
                ActionSpec::Link(links, self.effect(clients))
            }
        }
    }

    fn shape(&mut self) -> Shape {
        match self.rng.random_range(0..8) {
            0 => Shape::Halves,
            1 => Shape::MajoritiesRing,
            2 => Shape::Isolate(self.some()),
            3 => Shape::OneWay(self.some(), *[Way::In, Way::Out, Way::Either].choose(&mut self.rng).unwrap()),
            4 => Shape::Bridge(self.one()),
            5 => Shape::Chain(self.one()),
            6 => Shape::QuorumLoss(self.one()),
            _ => Shape::Clients(self.target(false)),
        }
    }

    /// Exactly one node.
    fn one(&mut self) -> Target {
        let who = match self.rng.random_range(0..5) {
            0 => Who::Nodes(vec![NodeId(self.rng.random_range(1..=self.nodes))]),
            1 => Who::Follower(self.rng.random_range(0..usize::from(self.nodes) - 1)),
            2 => Who::MostAhead,
            3 => Who::One,
            _ => Who::Leader,
        };
        self.dated(who)
    }

    /// Not everybody.
    fn some(&mut self) -> Target {
        let who = match self.rng.random_range(0..6) {
            0 => Who::Followers,
            1 => Who::Minority,
            2 => Who::Majority,
            3 => {
                let mut nodes: Vec<NodeId> = (1..=self.nodes).map(NodeId).collect();
                nodes.shuffle(&mut self.rng);
                nodes.truncate(self.rng.random_range(1..usize::from(self.nodes)));
                Who::Nodes(nodes)
            }
            4 => Who::LastFaulted,
            _ => return self.one(),
        };
        self.dated(who)
    }

    fn target(&mut self, each: bool) -> Target {
        match self.rng.random_range(0..8) {
            0 if each => Target::now(Who::Each),
            1 => Target::now(Who::All),
            2 => self.dated(Who::Leaders),
            _ => self.some(),
        }
    }

    fn dated(&mut self, who: Who) -> Target {
        let ids: Vec<&String> = self.here.iter().chain(&self.before).collect();
        let as_of = match ids.choose(&mut self.rng) {
            Some(id) if self.rng.random_ratio(1, 5) && !matches!(who, Who::Nodes(_)) => Some((*id).clone()),
            _ => None,
        };
        Target { who, as_of }
    }

    fn links(&mut self, clients: Option<bool>) -> Vec<LinkSpec> {
        (0..self.rng.random_range(1..3)).map(|_| self.link(clients)).collect()
    }

    fn link(&mut self, clients: Option<bool>) -> LinkSpec {
        let clients = clients.unwrap_or_else(|| self.rng.random_ratio(1, 4));
        let to = if self.rng.random() { LinkEnd::Any } else { LinkEnd::Nodes(self.target(false)) };
        let from = match () {
            () if clients => LinkEnd::Clients,
            () if to == LinkEnd::Any => LinkEnd::Nodes(self.target(false)),
            () => LinkEnd::Any,
        };
        let both = !clients && self.rng.random();
        LinkSpec { from, to, both }
    }

    fn effect(&mut self, clients: bool) -> LinkEffect {
        let lossy = self.model == NetworkModel::MessageLossy;
        let mut effect = LinkEffect { delay: Some(self.span(0, 300)), ..LinkEffect::default() };
        if self.rng.random() {
            effect.jitter = Some(self.span(0, 300));
        }
        if lossy && self.rng.random() {
            effect.hold = self.rng.random();
            effect.drop = self.share();
            effect.duplicate = self.maybe(Draw::share).unwrap_or_default();
            effect.reorder = self.maybe(Draw::share).unwrap_or_default();
            effect.corrupt = self.maybe(Draw::share).unwrap_or_default();
        }
        if self.rng.random() {
            let mut kinds: Vec<String> = self.kinds(clients).iter().map(|kind| (*kind).to_owned()).collect();
            kinds.shuffle(&mut self.rng);
            kinds.truncate(2);
            effect.messages = kinds;
        } else {
            effect.cut = self.rng.random_ratio(1, 4);
            effect.half_open = self.rng.random_ratio(1, 4);
            effect.bandwidth =
                self.maybe(|draw| Bandwidth { bytes_per_s: draw.rng.random_range(1..1 << 22) });
        }
        effect
    }

    fn kinds(&self, clients: bool) -> &'static [&'static str] {
        if clients { Dialect::PAXOS.with_clients } else { Dialect::PAXOS.between_nodes }
    }

    /// For `until` a choice may name itself.
    fn trigger(&mut self, own: Option<&str>) -> Trigger {
        let events = [
            EventKind::LeaderElected,
            EventKind::LeaderStable,
            EventKind::LeaderLost,
            EventKind::NodeDown,
            EventKind::NodeUp,
        ];
        let came = self.here.choose(&mut self.rng).cloned();
        let what = match (self.rng.random_range(0..4), &came) {
            (0, _) => What::OpsOk(self.rng.random_range(1..1_000)),
            (1, _) => {
                let clients = self.rng.random_ratio(1, 4);
                let kind = (*self.kinds(clients).choose(&mut self.rng).unwrap()).to_owned();
                What::Message { kind, on: self.link(Some(clients)) }
            }
            (2, Some(_)) => What::Came,
            _ => What::Event {
                kind: *events.choose(&mut self.rng).unwrap(),
                holds: self.maybe(|draw| draw.time(0, 3_000)).unwrap_or_default(),
            },
        };
        let since: Vec<String> =
            self.here.iter().chain(&self.before).cloned().chain(own.map(str::to_owned)).collect();
        let after = match what {
            What::Came => came,
            _ => self.maybe(|draw| since.choose(&mut draw.rng).cloned()).flatten(),
        };
        let nth = if matches!(what, What::Event { kind: EventKind::LeaderStable, .. }) {
            1
        } else {
            self.rng.random_range(1..4)
        };
        Trigger { what, after, nth, plus: self.maybe(|draw| draw.time(0, 5_000)).unwrap_or_default() }
    }
}
