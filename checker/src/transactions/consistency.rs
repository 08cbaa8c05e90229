//! Anomalies, consistency models, and which model forbids which anomaly.
//!
//! After Adya (1999), Adya, Liskov & O'Neil (2000), Bailis et al. (2013), Cerone et al. (2015), Daudjee &
//! Salem (2006), and the hierarchy that Kingsbury & Alvaro (2020) made of them. A stronger model forbids
//! whatever a weaker one does:
//!
//! | model | forbids, beside what weaker models do | stronger than |
//! |---|---|---|
//! | read-uncommitted | G0, duplicate-elements | |
//! | read-committed | G1a, G1b, G1c, dirty-update, incompatible-order, garbage-read, future-read, cyclic-versions | read-uncommitted |
//! | monotonic-atomic-view | | read-committed |
//! | read-atomic | internal | monotonic-atomic-view |
//! | cursor-stability | lost-update | read-committed |
//! | consistent-view | G-single | cursor-stability |
//! | parallel-snapshot-isolation | lost-update | read-atomic |
//! | repeatable-read | G2-item | cursor-stability, monotonic-atomic-view |
//! | snapshot-isolation | G-nonadjacent | consistent-view, parallel-snapshot-isolation |
//! | serializable | | repeatable-read, snapshot-isolation |
//! | strong-session-X | X's cycles with the orders of processes | X |
//! | strong-X, strict-serializable | X's cycles with real time | strong-session-X |
//!
//! That a G1c is ruled out by read-committed is Adya's reading. A cycle with process or real-time
//! dependencies says nothing against a model that does not promise those orders.

use std::fmt;

use super::cycles::{Class, Level};

/// What can be wrong with the transactions of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum TransactionAnomaly {
    /// One list holds an element twice.
    #[serde(rename = "duplicate-elements")]
    DuplicateElements,
    /// Versions of a register that were each read before the other was written.
    #[serde(rename = "cyclic-versions")]
    CyclicVersions,
    /// Two reads of a list, neither of which continues the other.
    #[serde(rename = "incompatible-order")]
    IncompatibleOrder,
    /// A value that no transaction wrote.
    #[serde(rename = "garbage-read")]
    GarbageRead,
    /// A value of a transaction that did not happen.
    #[serde(rename = "G1a")]
    G1a,
    /// A value that its own transaction had replaced before it was complete.
    #[serde(rename = "G1b")]
    G1b,
    /// A value of a transaction that did not happen, below one of a transaction that did.
    #[serde(rename = "dirty-update")]
    DirtyUpdate,
    /// A transaction saw what it wrote only later.
    #[serde(rename = "future-read")]
    FutureRead,
    /// A transaction contradicts what it read or wrote itself.
    #[serde(rename = "internal")]
    Internal,
    /// Two transactions read the same version and both replaced it.
    #[serde(rename = "lost-update")]
    LostUpdate,
    /// Writes in a circle.
    #[serde(rename = "G0")]
    G0,
    /// The same, with the order of a process in it.
    #[serde(rename = "G0-process")]
    G0Process,
    /// The same, with real time in it.
    #[serde(rename = "G0-realtime")]
    G0RealTime,
    /// Writes and reads in a circle.
    #[serde(rename = "G1c")]
    G1c,
    /// The same, with the order of a process in it.
    #[serde(rename = "G1c-process")]
    G1cProcess,
    /// The same, with real time in it.
    #[serde(rename = "G1c-realtime")]
    G1cRealTime,
    /// A circle with one anti-dependency: read skew.
    #[serde(rename = "G-single")]
    GSingle,
    /// The same, with the order of a process in it.
    #[serde(rename = "G-single-process")]
    GSingleProcess,
    /// The same, with real time in it.
    #[serde(rename = "G-single-realtime")]
    GSingleRealTime,
    /// A circle with several anti-dependencies, no two of them in a row: a long fork.
    #[serde(rename = "G-nonadjacent")]
    GNonadjacent,
    /// The same, with the order of a process in it.
    #[serde(rename = "G-nonadjacent-process")]
    GNonadjacentProcess,
    /// The same, with real time in it.
    #[serde(rename = "G-nonadjacent-realtime")]
    GNonadjacentRealTime,
    /// A circle with anti-dependencies: write skew.
    #[serde(rename = "G2-item")]
    G2Item,
    /// The same, with the order of a process in it.
    #[serde(rename = "G2-item-process")]
    G2ItemProcess,
    /// The same, with real time in it.
    #[serde(rename = "G2-item-realtime")]
    G2ItemRealTime,
}

use TransactionAnomaly as A;

/// Every cycle, by class and level.
const CYCLES: [[A; 3]; 5] = [
    [A::G0, A::G0Process, A::G0RealTime],
    [A::G1c, A::G1cProcess, A::G1cRealTime],
    [A::GSingle, A::GSingleProcess, A::GSingleRealTime],
    [A::GNonadjacent, A::GNonadjacentProcess, A::GNonadjacentRealTime],
    [A::G2Item, A::G2ItemProcess, A::G2ItemRealTime],
];

impl TransactionAnomaly {
    /// All of them, the worst first.
    pub const ALL: [TransactionAnomaly; 25] = [
        A::DuplicateElements,
        A::CyclicVersions,
        A::IncompatibleOrder,
        A::GarbageRead,
        A::G1a,
        A::G1b,
        A::DirtyUpdate,
        A::FutureRead,
        A::Internal,
        A::LostUpdate,
        A::G0,
        A::G0Process,
        A::G0RealTime,
        A::G1c,
        A::G1cProcess,
        A::G1cRealTime,
        A::GSingle,
        A::GSingleProcess,
        A::GSingleRealTime,
        A::GNonadjacent,
        A::GNonadjacentProcess,
        A::GNonadjacentRealTime,
        A::G2Item,
        A::G2ItemProcess,
        A::G2ItemRealTime,
    ];

    pub(crate) fn cycle(class: Class, level: Level) -> Self {
        CYCLES[class as usize][level as usize]
    }

    /// Its name in the literature, or the one Jepsen's users know.
    pub fn name(self) -> &'static str {
        match self {
            A::DuplicateElements => "duplicate-elements",
            A::CyclicVersions => "cyclic-versions",
            A::IncompatibleOrder => "incompatible-order",
            A::GarbageRead => "garbage-read",
            A::G1a => "G1a",
            A::G1b => "G1b",
            A::DirtyUpdate => "dirty-update",
            A::FutureRead => "future-read",
            A::Internal => "internal",
            A::LostUpdate => "lost-update",
            A::G0 => "G0",
            A::G0Process => "G0-process",
            A::G0RealTime => "G0-realtime",
            A::G1c => "G1c",
            A::G1cProcess => "G1c-process",
            A::G1cRealTime => "G1c-realtime",
            A::GSingle => "G-single",
            A::GSingleProcess => "G-single-process",
            A::GSingleRealTime => "G-single-realtime",
            A::GNonadjacent => "G-nonadjacent",
            A::GNonadjacentProcess => "G-nonadjacent-process",
            A::GNonadjacentRealTime => "G-nonadjacent-realtime",
            A::G2Item => "G2-item",
            A::G2ItemProcess => "G2-item-process",
            A::G2ItemRealTime => "G2-item-realtime",
        }
    }

    /// The anomalies that this one is a case of, in one step.
    fn implied(self) -> Vec<A> {
        let mut implied = match self {
            A::IncompatibleOrder | A::DirtyUpdate | A::GarbageRead => vec![A::G1a],
            A::FutureRead | A::CyclicVersions => vec![A::G1c],
            A::LostUpdate => vec![A::G2Item],
            _ => Vec::new(),
        };
        for (class, levels) in CYCLES.iter().enumerate() {
            let Some(level) = levels.iter().position(|cycle| *cycle == self) else { continue };
            implied.extend(levels.get(level + 1));
            // G1c and G-single are not cases of each other: one has no rw, the other has.
            let stronger_class = (class != Class::G1c as usize).then(|| CYCLES.get(class + 1)).flatten();
            implied.extend(stronger_class.map(|levels| levels[level]));
        }
        implied
    }
}

impl fmt::Display for TransactionAnomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a database can promise about transactions, weaker models first.
#[derive(
    Default, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum ConsistencyModel {
    /// PL-1: writes are in some order.
    ReadUncommitted,
    /// PL-1, in the order of each process.
    StrongSessionReadUncommitted,
    /// PL-1, in real time.
    StrongReadUncommitted,
    /// PL-2: only final values of what happened are read.
    ReadCommitted,
    /// PL-2, in the order of each process.
    StrongSessionReadCommitted,
    /// PL-2, in real time.
    StrongReadCommitted,
    /// Once an effect of a transaction is seen, all are.
    MonotonicAtomicView,
    /// Effects of a transaction are seen all or none.
    ReadAtomic,
    /// PL-CS: no lost update.
    CursorStability,
    /// PL-2+: no read skew.
    ConsistentView,
    /// Snapshot isolation that may fork.
    ParallelSnapshotIsolation,
    /// PL-2.99: serializable but for predicates.
    RepeatableRead,
    /// PL-SI: reads of one moment, first committer wins.
    SnapshotIsolation,
    /// Snapshot isolation, in the order of each process.
    StrongSessionSnapshotIsolation,
    /// Snapshot isolation, in real time.
    StrongSnapshotIsolation,
    /// PL-3: one after the other, in some order.
    Serializable,
    /// Serializable, in the order of each process.
    StrongSessionSerializable,
    /// PL-SS: one after the other, in real time.
    #[default]
    StrictSerializable,
}

use ConsistencyModel as M;

impl ConsistencyModel {
    /// All of them, weaker ones first.
    pub const ALL: [ConsistencyModel; 18] = [
        M::ReadUncommitted,
        M::StrongSessionReadUncommitted,
        M::StrongReadUncommitted,
        M::ReadCommitted,
        M::StrongSessionReadCommitted,
        M::StrongReadCommitted,
        M::MonotonicAtomicView,
        M::ReadAtomic,
        M::CursorStability,
        M::ConsistentView,
        M::ParallelSnapshotIsolation,
        M::RepeatableRead,
        M::SnapshotIsolation,
        M::StrongSessionSnapshotIsolation,
        M::StrongSnapshotIsolation,
        M::Serializable,
        M::StrongSessionSerializable,
        M::StrictSerializable,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            M::ReadUncommitted => "read-uncommitted",
            M::StrongSessionReadUncommitted => "strong-session-read-uncommitted",
            M::StrongReadUncommitted => "strong-read-uncommitted",
            M::ReadCommitted => "read-committed",
            M::StrongSessionReadCommitted => "strong-session-read-committed",
            M::StrongReadCommitted => "strong-read-committed",
            M::MonotonicAtomicView => "monotonic-atomic-view",
            M::ReadAtomic => "read-atomic",
            M::CursorStability => "cursor-stability",
            M::ConsistentView => "consistent-view",
            M::ParallelSnapshotIsolation => "parallel-snapshot-isolation",
            M::RepeatableRead => "repeatable-read",
            M::SnapshotIsolation => "snapshot-isolation",
            M::StrongSessionSnapshotIsolation => "strong-session-snapshot-isolation",
            M::StrongSnapshotIsolation => "strong-snapshot-isolation",
            M::Serializable => "serializable",
            M::StrongSessionSerializable => "strong-session-serializable",
            M::StrictSerializable => "strict-serializable",
        }
    }

    /// The model of this name; Adya's names and "strong-serializable" are understood, too.
    pub fn by_name(name: &str) -> Option<Self> {
        let other = match name {
            "PL-1" => M::ReadUncommitted,
            "PL-2" => M::ReadCommitted,
            "PL-CS" => M::CursorStability,
            "PL-2+" => M::ConsistentView,
            "PL-2.99" => M::RepeatableRead,
            "PL-SI" => M::SnapshotIsolation,
            "PL-3" => M::Serializable,
            "PL-SS" | "strong-serializable" => M::StrictSerializable,
            _ => return M::ALL.into_iter().find(|model| model.name() == name),
        };
        Some(other)
    }

    /// The models that it is the next stronger one of.
    fn weaker(self) -> &'static [M] {
        match self {
            M::ReadUncommitted => &[],
            M::StrongSessionReadUncommitted => &[M::ReadUncommitted],
            M::StrongReadUncommitted => &[M::StrongSessionReadUncommitted],
            M::ReadCommitted => &[M::ReadUncommitted],
            M::StrongSessionReadCommitted => &[M::ReadCommitted, M::StrongSessionReadUncommitted],
            M::StrongReadCommitted => &[M::StrongSessionReadCommitted, M::StrongReadUncommitted],
            M::MonotonicAtomicView => &[M::ReadCommitted],
            M::ReadAtomic => &[M::MonotonicAtomicView],
            M::CursorStability => &[M::ReadCommitted],
            M::ConsistentView => &[M::CursorStability],
            M::ParallelSnapshotIsolation => &[M::ReadAtomic],
            M::RepeatableRead => &[M::CursorStability, M::MonotonicAtomicView],
            M::SnapshotIsolation => &[M::ConsistentView, M::ParallelSnapshotIsolation],
            M::StrongSessionSnapshotIsolation => &[M::SnapshotIsolation, M::StrongSessionReadCommitted],
            M::StrongSnapshotIsolation => &[M::StrongSessionSnapshotIsolation, M::StrongReadCommitted],
            M::Serializable => &[M::RepeatableRead, M::SnapshotIsolation],
            M::StrongSessionSerializable => &[M::Serializable, M::StrongSessionSnapshotIsolation],
            M::StrictSerializable => &[M::StrongSessionSerializable, M::StrongSnapshotIsolation],
        }
    }

    /// What it forbids beside what weaker models do.
    fn forbids_itself(self) -> &'static [A] {
        match self {
            M::ReadUncommitted => &[A::G0, A::DuplicateElements],
            M::StrongSessionReadUncommitted => &[A::G0Process],
            M::StrongReadUncommitted => &[A::G0RealTime],
            M::ReadCommitted => &[A::G1a, A::G1b, A::G1c],
            M::StrongSessionReadCommitted => &[A::G1cProcess],
            M::StrongReadCommitted => &[A::G1cRealTime],
            M::MonotonicAtomicView | M::Serializable => &[],
            M::ReadAtomic => &[A::Internal],
            M::CursorStability | M::ParallelSnapshotIsolation => &[A::LostUpdate],
            M::ConsistentView => &[A::GSingle],
            M::RepeatableRead => &[A::G2Item],
            M::SnapshotIsolation => &[A::GNonadjacent],
            M::StrongSessionSnapshotIsolation => &[A::GNonadjacentProcess],
            M::StrongSnapshotIsolation => &[A::GNonadjacentRealTime],
            M::StrongSessionSerializable => &[A::G2ItemProcess],
            M::StrictSerializable => &[A::G2ItemRealTime],
        }
    }

    /// Whether what satisfies this model satisfies the other.
    pub fn is_at_least(self, other: ConsistencyModel) -> bool {
        self == other || self.weaker().iter().any(|weaker| weaker.is_at_least(other))
    }

    /// Whether a history with this anomaly can't be one of this model.
    pub fn forbids(self, anomaly: TransactionAnomaly) -> bool {
        let directly = |model: &M| model.forbids_itself().contains(&anomaly);
        M::ALL.iter().any(|model| self.is_at_least(*model) && directly(model))
            || anomaly.implied().into_iter().any(|implied| self.forbids(implied))
    }
}

impl fmt::Display for ConsistencyModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What these anomalies rule out: the weakest such models, and then all stronger ones.
pub fn ruled_out(anomalies: &[TransactionAnomaly]) -> (Vec<ConsistencyModel>, Vec<ConsistencyModel>) {
    let out = |model: &M| anomalies.iter().any(|anomaly| model.forbids(*anomaly));
    let weakest =
        |model: &M| !M::ALL.iter().any(|other| other != model && model.is_at_least(*other) && out(other));
    M::ALL.into_iter().filter(out).partition(weakest)
}
