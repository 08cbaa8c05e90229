//! The graph of dependencies: transactions, what made one come before another, and nodes in between.
//!
//! An edge says "this one comes before that one" and carries a [`Label`]: which kind of dependency, and
//! what the order of versions behind it rests on. Orders between many and many (everything that ended
//! before everything that began) go through nodes that are no transactions, so that the graph stays of
//! the size of the history: an edge *into* such a node carries the label, the edges out of it are
//! [`Kind::Pass`] and count for nothing. Whoever adds such a node promises that no transaction reaches
//! itself through it ([`Fan`] leaves a source's own place out).

use crate::budget::{Exhausted, Meter};

/// What a dependency is. Adya 1999, with the two orders that clients themselves see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dependency {
    /// The second replaced, or came after, a version that the first wrote.
    #[serde(rename = "ww")]
    WriteWrite,
    /// The second read what the first wrote.
    #[serde(rename = "wr")]
    WriteRead,
    /// The second replaced a version that the first read.
    #[serde(rename = "rw")]
    ReadWrite,
    /// One process did the first before the second.
    Process,
    /// The first was complete before the second began.
    RealTime,
}

/// A [`Dependency`], or nothing but the way out of a node in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Ww = 0,
    Wr = 1,
    Rw = 2,
    Process = 3,
    RealTime = 4,
    Pass = 5,
}

/// What the order of versions behind a dependency rests on. Each is sound only for a claim that
/// promises as much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Via {
    /// What the data say: one list is a prefix of another, nothing is before the first write.
    Data = 0,
    /// A transaction read one version and wrote the other. If it were the other way round, its write
    /// would be before what it read: a G1c. So it is sound wherever G1c is forbidden.
    ReadThenWrite = 1,
    /// Nobody ever read the second, so it came after all that was read, unless it was lost: sound
    /// wherever lost updates are forbidden.
    Unread = 2,
    /// A process saw one version and later the other: sound if snapshots keep the order of sessions.
    Session = 3,
    /// One version was done with before the other was last begun: sound if snapshots keep real time.
    Clock = 4,
}

/// Kind and ground of an edge, in six bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Label(u8);

/// A set of labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Labels(u64);

const LABEL_BITS: u32 = 6;
const LABEL_MASK: u32 = (1 << LABEL_BITS) - 1;

/// Nodes that fit beside a label.
pub(crate) const NODES_MAX: u32 = 1 << (32 - LABEL_BITS);

impl Label {
    pub(crate) fn new(kind: Kind, via: Via) -> Self {
        Self(kind as u8 | ((via as u8) << 3))
    }

    pub(crate) fn kind(self) -> Kind {
        match self.0 & 7 {
            0 => Kind::Ww,
            1 => Kind::Wr,
            2 => Kind::Rw,
            3 => Kind::Process,
            4 => Kind::RealTime,
            _ => Kind::Pass,
        }
    }

    pub(crate) fn via(self) -> Via {
        match self.0 >> 3 {
            0 => Via::Data,
            1 => Via::ReadThenWrite,
            2 => Via::Unread,
            3 => Via::Session,
            _ => Via::Clock,
        }
    }
}

impl Labels {
    pub(crate) const ALL: Labels = Labels(u64::MAX);

    #[must_use]
    pub(crate) fn and(self, kind: Kind, vias: &[Via]) -> Self {
        vias.iter().fold(self, |Labels(bits), via| Labels(bits | 1 << Label::new(kind, *via).0))
    }

    #[must_use]
    pub(crate) fn without(self, kind: Kind) -> Self {
        let of_kind = (0..1u8 << LABEL_BITS).filter(|bits| Label(*bits).kind() == kind);
        of_kind.fold(self, |Labels(bits), label| Labels(bits & !(1 << label)))
    }

    pub(crate) fn contains(self, label: Label) -> bool {
        self.0 >> label.0 & 1 == 1
    }
}

/// A graph being put together.
#[derive(Debug)]
pub(crate) struct Builder {
    transactions: u32,
    nodes: u32,
    /// From, and to with the label.
    edges: Vec<(u32, u32)>,
}

/// Edges of each node, side by side.
#[derive(Debug)]
pub(crate) struct Graph {
    /// Nodes below this are transactions.
    pub(crate) transactions: u32,
    first: Vec<u32>,
    targets: Vec<u32>,
}

impl Builder {
    pub(crate) fn new(transactions: u32) -> Self {
        Self { transactions, nodes: transactions, edges: Vec::new() }
    }

    /// A node in between.
    pub(crate) fn node(&mut self) -> u32 {
        self.nodes += 1;
        self.nodes - 1
    }

    pub(crate) fn edge(&mut self, from: u32, to: u32, label: Label) {
        debug_assert!(from != to, "a transaction does not depend on itself");
        self.edges.push((from, (to << LABEL_BITS) | u32::from(label.0)));
    }

    pub(crate) fn pass(&mut self, from: u32, to: u32) {
        self.edge(from, to, Label::new(Kind::Pass, Via::Data));
    }

    /// An edge from every source to every target but itself; targets are distinct and sorted.
    pub(crate) fn all_pairs(&mut self, sources: &[u32], targets: &[u32], label: Label) {
        if sources.len() * targets.len() <= 8 * (sources.len() + targets.len()) {
            for from in sources {
                for to in targets.iter().filter(|to| *to != from) {
                    self.edge(*from, *to, label);
                }
            }
            return;
        }
        let fan = Fan::new(self, targets);
        for from in sources {
            let own = targets.binary_search(from).ok();
            fan.connect(self, *from, label, 0..targets.len(), [own, None]);
        }
    }

    /// Bytes of it and of the graph that it will be.
    pub(crate) fn bytes(&self) -> u64 {
        12 * self.edges.len() as u64 + 4 * u64::from(self.nodes)
    }

    pub(crate) fn finish(self) -> Graph {
        assert!(self.nodes < NODES_MAX, "a history has fewer events than a node has numbers");
        let mut first = vec![0u32; self.nodes as usize + 1];
        for (from, _) in &self.edges {
            first[*from as usize + 1] += 1;
        }
        for node in 0..self.nodes as usize {
            first[node + 1] += first[node];
        }
        let mut place = first.clone();
        let mut targets = vec![0u32; self.edges.len()];
        for (from, target) in self.edges {
            targets[place[from as usize] as usize] = target;
            place[from as usize] += 1;
        }
        Graph { transactions: self.transactions, first, targets }
    }
}

impl Graph {
    pub(crate) fn nodes(&self) -> usize {
        self.first.len() - 1
    }

    pub(crate) fn out(&self, node: u32) -> impl Iterator<Item = (u32, Label)> {
        let edges = self.first[node as usize] as usize..self.first[node as usize + 1] as usize;
        self.targets[edges].iter().map(|packed| (packed >> LABEL_BITS, Label((packed & LABEL_MASK) as u8)))
    }

    /// The strongly connected components under these labels: Tarjan 1972, without recursion.
    ///
    /// Components are numbered so that an edge never leads to a greater number.
    pub(crate) fn components(&self, labels: Labels, meter: &Meter) -> Result<Components, Exhausted> {
        const UNSEEN: u32 = 0;
        let nodes = self.nodes();
        let mut of = vec![u32::MAX; nodes];
        let mut seen = vec![UNSEEN; nodes];
        let mut low = vec![0u32; nodes];
        let mut stack: Vec<u32> = Vec::new();
        // The node and how many of its edges are done.
        let mut path: Vec<(u32, u32)> = Vec::new();
        let (mut time, mut count) = (UNSEEN, 0);
        for root in 0..nodes as u32 {
            if root % 1024 == 0 {
                meter.check()?;
            }
            if seen[root as usize] != UNSEEN {
                continue;
            }
            path.push((root, self.first[root as usize]));
            while let Some((node, next)) = path.last_mut() {
                let at = *node as usize;
                if seen[at] == UNSEEN {
                    time += 1;
                    (seen[at], low[at]) = (time, time);
                    stack.push(*node);
                }
                let mut deeper = None;
                while *next < self.first[at + 1] {
                    let packed = self.targets[*next as usize];
                    *next += 1;
                    if !labels.contains(Label((packed & LABEL_MASK) as u8)) {
                        continue;
                    }
                    let to = (packed >> LABEL_BITS) as usize;
                    if seen[to] == UNSEEN {
                        deeper = Some(to as u32);
                        break;
                    }
                    if of[to] == u32::MAX {
                        low[at] = low[at].min(seen[to]);
                    }
                }
                if let Some(to) = deeper {
                    path.push((to, self.first[to as usize]));
                    continue;
                }
                if low[at] == seen[at] {
                    while let Some(member) = stack.pop() {
                        of[member as usize] = count;
                        if member as usize == at {
                            break;
                        }
                    }
                    count += 1;
                }
                path.pop();
                if let Some((parent, _)) = path.last() {
                    low[*parent as usize] = low[*parent as usize].min(low[at]);
                }
            }
        }
        Ok(Components { of, count })
    }

    /// The part of the graph between these nodes, which are sorted; nodes are numbered anew.
    pub(crate) fn part(&self, nodes: &[u32]) -> Graph {
        let mut first = Vec::with_capacity(nodes.len() + 1);
        let mut targets = Vec::new();
        first.push(0);
        for node in nodes {
            for (to, label) in self.out(*node) {
                if let Ok(local) = nodes.binary_search(&to) {
                    targets.push(((local as u32) << LABEL_BITS) | u32::from(label.0));
                }
            }
            first.push(targets.len() as u32);
        }
        let transactions = nodes.partition_point(|node| *node < self.transactions) as u32;
        Graph { transactions, first, targets }
    }

    /// The graph of walks on which no two read-write dependencies follow each other: node `2 v` is v
    /// reached by any other edge, `2 v + 1` is v reached by a read-write dependency.
    pub(crate) fn without_adjacent_rw(&self) -> Graph {
        let mut builder = Builder::new(2 * self.transactions);
        builder.nodes = 2 * self.nodes() as u32;
        for node in 0..self.nodes() as u32 {
            for (to, label) in self.out(node) {
                match label.kind() {
                    Kind::Rw => builder.edge(2 * node, 2 * to + 1, label),
                    Kind::Pass => {
                        builder.edge(2 * node, 2 * to, label);
                        builder.edge(2 * node + 1, 2 * to + 1, label);
                    }
                    Kind::Ww | Kind::Wr | Kind::Process | Kind::RealTime => {
                        builder.edge(2 * node, 2 * to, label);
                        builder.edge(2 * node + 1, 2 * to, label);
                    }
                }
            }
        }
        builder.finish()
    }
}

/// Which component each node is in.
#[derive(Debug)]
pub(crate) struct Components {
    pub(crate) of: Vec<u32>,
    count: u32,
}

impl Components {
    /// The components of two nodes and more, each sorted, in the order of their first nodes.
    pub(crate) fn cyclic(&self) -> Vec<Vec<u32>> {
        let mut sizes = vec![0u32; self.count as usize];
        self.of.iter().for_each(|component| sizes[*component as usize] += 1);
        let mut place = vec![u32::MAX; self.count as usize];
        let mut cyclic: Vec<Vec<u32>> = Vec::new();
        for (node, component) in self.of.iter().enumerate() {
            let component = *component as usize;
            if sizes[component] < 2 {
                continue;
            }
            if place[component] == u32::MAX {
                place[component] = cyclic.len() as u32;
                cyclic.push(Vec::with_capacity(sizes[component] as usize));
            }
            cyclic[place[component] as usize].push(node as u32);
        }
        cyclic
    }
}

/// A tree of nodes over a row of targets: a source reaches any stretch of them by few edges.
#[derive(Debug)]
pub(crate) struct Fan {
    base: u32,
    targets: usize,
}

impl Fan {
    pub(crate) fn new(builder: &mut Builder, targets: &[u32]) -> Self {
        let count = targets.len();
        let base = builder.nodes;
        // A segment tree in an array: the children of i are 2 i and 2 i + 1, leaves from `count` on.
        builder.nodes += 2 * count as u32;
        for inner in 1..count as u32 {
            builder.pass(base + inner, base + 2 * inner);
            builder.pass(base + inner, base + 2 * inner + 1);
        }
        for (place, target) in targets.iter().enumerate() {
            builder.pass(base + (count + place) as u32, *target);
        }
        Self { base, targets: count }
    }

    /// Edges from a source to the targets at these places, but for two of them.
    pub(crate) fn connect(
        &self,
        builder: &mut Builder,
        from: u32,
        label: Label,
        places: std::ops::Range<usize>,
        mut without: [Option<usize>; 2],
    ) {
        without.sort_unstable();
        let mut begin = places.start;
        for hole in without.into_iter().flatten().filter(|hole| places.contains(hole)) {
            self.stretch(builder, from, label, begin..hole);
            begin = hole + 1;
        }
        self.stretch(builder, from, label, begin..places.end);
    }

    fn stretch(&self, builder: &mut Builder, from: u32, label: Label, places: std::ops::Range<usize>) {
        let (mut low, mut high) = (places.start + self.targets, places.end.max(places.start) + self.targets);
        while low < high {
            if low & 1 == 1 {
                builder.edge(from, self.base + low as u32, label);
                low += 1;
            }
            if high & 1 == 1 {
                high -= 1;
                builder.edge(from, self.base + high as u32, label);
            }
            (low, high) = (low / 2, high / 2);
        }
    }
}
