//! Every mutant: the rule removed, what exposes it, what should see it, who had it.
//!
//! Names and numbers are those of the list that this table was planned from; numbers that are
//! missing belong to mutants not planted (yet). Where this node's design makes the rule of that
//! name redundant, the nearest rule that is not has been removed instead, and a note says so.
//!
//! What should see a mutant is named in these words, separated by `; `: *lost write*, *stale read*,
//! *applied twice*, *aborted operation visible*, *a change undone* (of the members) and
//! *linearizability* are what clients can tell;
//! *divergence* and *a node that stops itself* what nodes can; *no progress* and *clients that
//! wait* what a clock can; *memory* what the system can; *trace* what only an observer of the
//! protocol's steps can, mostly sooner.

#![cfg(feature = "mutants")]

macro_rules! mutants {
    ($($(#[doc = $note:literal])* $ident:ident {
        number: $number:literal,
        name: $name:literal,
        rule: $rule:literal,
        exposed_by: $exposed_by:literal,
        seen_by: $seen_by:literal,
        precedent: $precedent:literal,
    })+) => {
        /// A rule removed.
        #[derive(Copy, Clone, Eq, PartialEq, Hash, Debug)]
        pub enum Mutant {
            $(#[doc = $rule] #[doc = "."] $(#[doc = $note])* $ident,)+
        }

        impl Mutant {
            /// Every mutant, by number.
            pub const ALL: &'static [Mutant] = &[$(Mutant::$ident,)+];

            /// The name on the command line.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Mutant::$ident => $name,)+ }
            }

            /// Its number in the list.
            #[must_use]
            pub fn number(self) -> u32 {
                match self { $(Mutant::$ident => $number,)+ }
            }

            /// What is removed, in words.
            #[must_use]
            pub fn rule(self) -> &'static str {
                match self { $(Mutant::$ident => $rule,)+ }
            }

            /// The faults that expose it.
            #[must_use]
            pub fn exposed_by(self) -> &'static str {
                match self { $(Mutant::$ident => $exposed_by,)+ }
            }

            /// The checks that should see it.
            #[must_use]
            pub fn seen_by(self) -> &'static str {
                match self { $(Mutant::$ident => $seen_by,)+ }
            }

            /// The same bug in real systems; `-`: none known.
            #[must_use]
            pub fn precedent(self) -> &'static str {
                match self { $(Mutant::$ident => $precedent,)+ }
            }
        }
    };
}

mutants! {
    /// The leader's own vote is another matter: it counts only once durable, here too.
    AckBeforeFsync {
        number: 1,
        name: "ack-before-fsync",
        rule: "`Accepted` leaves before the acceptance is on disk",
        exposed_by: "power loss at a majority, or at one after the other",
        seen_by: "lost write; trace",
        precedent: "summerset and NATS: no fsync by default; etcd #14370",
    }
    PromiseBeforeFsync {
        number: 2,
        name: "promise-before-fsync",
        rule: "`Promise` leaves before the promise is on disk",
        exposed_by: "power loss of an acceptor between its promise and an older leader's Accept",
        seen_by: "lost write; trace",
        precedent: "-",
    }
    ForgetPromiseOnRestart {
        number: 3,
        name: "forget-promise-on-restart",
        rule: "replay passes over the records of promises",
        exposed_by: "kill and restart of an acceptor, with an older leader's Accept under way",
        seen_by: "lost write; trace",
        precedent: "raft.tla's restart that keeps too little",
    }
    ForgetAcceptedOnRestart {
        number: 4,
        name: "forget-accepted-on-restart",
        rule: "replay ends at the last chosen mark: what was accepted or promised after it is gone",
        exposed_by: "kill and restart of two nodes",
        seen_by: "lost write; trace",
        precedent: "atlasdb timelock #1504: restarts that forget",
    }
    AcceptLowerBallot {
        number: 5,
        name: "accept-lower-ballot",
        rule: "an acceptor compares with the ballot it accepted in that slot, not with its promise",
        exposed_by: "an older leader frozen, cut off or delayed, then heard again",
        seen_by: "lost write; trace",
        precedent: "-",
    }
    /// The acceptor asserts that it never holds anything above its promise, so mostly the node stops
    /// itself.
    AcceptDoesNotRaisePromise {
        number: 6,
        name: "accept-does-not-raise-promise",
        rule: "accepting is no promise of that ballot",
        exposed_by: "an acceptor that missed a Prepare, then an older leader's Accept",
        seen_by: "a node that stops itself; trace",
        precedent: "scylladb #6139, Cassandra 17162",
    }
    BallotRoundOnly {
        number: 7,
        name: "ballot-round-only",
        rule: "the node is left out of the order of ballots: two may lead in one round",
        exposed_by: "simultaneous elections on two sides of a cut",
        seen_by: "lost write; divergence; trace",
        precedent: "-",
    }
    /// Removed where the acceptor reports: the ballot accepted in is kept, and not told.
    OneBallotVariable {
        number: 8,
        name: "one-ballot-variable",
        rule: "a promise reports what was accepted under the ballot promised, not the one accepted in",
        exposed_by: "three leaders in turn, five nodes",
        seen_by: "lost write; trace",
        precedent: "EPaxos (Sutra 2019)",
    }
    PromiseOmitsChosen {
        number: 9,
        name: "promise-omits-chosen",
        rule: "a promise reports only slots that are not known to be chosen",
        exposed_by: "a node that lagged stands, while the others know different amounts",
        seen_by: "lost write; divergence; trace",
        precedent: "paxi HandleP1a; paxos-rs prepare",
    }
    PromiseOmitsCompacted {
        number: 10,
        name: "promise-omits-compacted",
        rule: "a promise over a trimmed range does not say so",
        exposed_by: "a node cut off while the others take snapshots, that then stands for leader",
        seen_by: "divergence; a node that stops itself; trace",
        precedent: "RedisLabs/raft #49: snapshot index arithmetic; and those of promise-omits-chosen",
    }
    PromiseFirstChunkCounts {
        number: 11,
        name: "promise-first-chunk-counts",
        rule: "an acceptor counts as promised with the first chunk of its answer",
        exposed_by: "a leader lost with much in flight",
        seen_by: "lost write; trace",
        precedent: "-",
    }
    StalePromiseCounted {
        number: 12,
        name: "stale-promise-counted",
        rule: "a promise is matched by its node, not by its ballot",
        exposed_by: "promises delayed over several elections",
        seen_by: "lost write; trace",
        precedent: "MyPaxos #18",
    }
    DuplicateVoteCounted {
        number: 13,
        name: "duplicate-vote-counted",
        rule: "a vote that arrives twice counts twice",
        exposed_by: "duplicated messages, then the loss of those who voted",
        seen_by: "lost write; trace",
        precedent: "booth #47",
    }
    /// A leadership that ends takes the completions it waits for with it. What can be mistaken for the new
    /// ballot's is the record of the same value in an older one.
    StaleDiskCompletion {
        number: 14,
        name: "stale-disk-completion",
        rule: "a new leader's vote for a value that it had accepted before counts when that record is durable",
        exposed_by: "power loss of a new leader just after its take-over",
        seen_by: "lost write; trace",
        precedent: "etcd raft: MsgStorageAppendResp of an older term",
    }
    StrictAccept {
        number: 16,
        name: "strict-accept",
        rule: "an Accept above the promise is rejected",
        exposed_by: "a lost Prepare, then the loss of those who got it",
        seen_by: "no progress",
        precedent: "MyPaxos #19",
    }
    Phase1OwnValue {
        number: 17,
        name: "phase1-own-value",
        rule: "a new leader ignores the values that acceptors report",
        exposed_by: "kill of a leader with operations in flight",
        seen_by: "lost write; trace",
        precedent: "-",
    }
    Phase1LowestBallot {
        number: 18,
        name: "phase1-lowest-ballot",
        rule: "a new leader takes the value of the lowest ballot reported",
        exposed_by: "two leaders lost in turn, five nodes",
        seen_by: "lost write; trace",
        precedent: "-",
    }
    NoopOverwritesAccepted {
        number: 19,
        name: "noop-overwrites-accepted",
        rule: "a reported value becomes a no-op unless a majority reported it",
        exposed_by: "kill of the leader right after a value was chosen",
        seen_by: "lost write; trace",
        precedent: "-",
    }
    /// Leaving out the record of the ballot used would do nothing here: the candidate's own promise of
    /// that ballot, durable before its Prepare leaves, says as much. So what is removed is the step above
    /// it.
    BallotReuseAfterRestart {
        number: 20,
        name: "ballot-reuse-after-restart",
        rule: "a restarted node stands in its last ballot again, not above it",
        exposed_by: "kill and fast restart of a leader whose Accepts are still under way",
        seen_by: "divergence; a node that stops itself; trace",
        precedent: "phxpaxos #145",
    }
    MajorityOffByOne {
        number: 22,
        name: "majority-off-by-one",
        rule: "a quorum is half of the nodes, not more than half",
        exposed_by: "a partition into halves",
        seen_by: "lost write; trace",
        precedent: "paxos-rs: 2 of 4, 3 of 6",
    }
    SelfVoteBeforeDurable {
        number: 24,
        name: "self-vote-before-durable",
        rule: "a leader counts its own vote when it proposes, not when its disk has it",
        exposed_by: "power loss of the leader, one follower not reached",
        seen_by: "lost write; trace",
        precedent: "openraft #1125",
    }
    /// Votes for other leaders' ballots never reach this leader.
    LearnedAcrossBallots {
        number: 25,
        name: "learned-across-ballots",
        rule: "votes for an older ballot of the leader's own count for the current one",
        exposed_by: "a leader that loses power and is elected again, with votes delayed",
        seen_by: "lost write; trace",
        precedent: "-",
    }
    ResumeLeadership {
        number: 26,
        name: "resume-leadership",
        rule: "a restarted leader goes on in its ballot without phase 1",
        exposed_by: "power loss and restart of the leader",
        seen_by: "divergence; a node that stops itself; trace",
        precedent: "-",
    }
    /// A leader also notices its successor's own messages, and that no quorum answers; so refusals only
    /// make it notice sooner.
    IgnoreNack {
        number: 27,
        name: "ignore-nack",
        rule: "a refusal that names a higher ballot is ignored: the deposed leader keeps its clients waiting",
        exposed_by: "a leader frozen, or not reached by its successor",
        seen_by: "clients that wait; trace",
        precedent: "-",
    }
    ReadBeforeBarrier {
        number: 28,
        name: "read-before-barrier",
        rule: "a new leader serves reads before what it took over is chosen",
        exposed_by: "kill of the leader, then a read at once",
        seen_by: "stale read",
        precedent: "etcd #7331, tikv #6340, redisraft #22",
    }
    ReadWithoutQuorum {
        number: 29,
        name: "read-without-quorum",
        rule: "the leader answers reads from its own state without asking a quorum",
        exposed_by: "the leader cut off or frozen",
        seen_by: "stale read",
        precedent: "-",
    }
    /// There are no tokens on the wire here but one counter; the same mistake is to let a read wait for a
    /// value that was sent before the read came.
    ReadTokenReuse {
        number: 30,
        name: "read-token-reuse",
        rule: "a read that comes while a barrier is under way joins that barrier: late answers confirm it",
        exposed_by: "the leader frozen or cut off, with answers delayed or duplicated",
        seen_by: "stale read",
        precedent: "etcd #20418",
    }
    ReadAckAnyBallot {
        number: 31,
        name: "read-ack-any-ballot",
        rule: "answers to heartbeats of an older ballot confirm reads",
        exposed_by: "a leader elected again, with answers delayed",
        seen_by: "stale read",
        precedent: "etcd #20418",
    }
    LeaseNoClockBound {
        number: 32,
        name: "lease-no-clock-bound",
        rule: "a leader uses its lease for as long as it was granted, as if all clocks ran alike",
        exposed_by: "clocks of different rates; the leader cut off or frozen",
        seen_by: "stale read",
        precedent: "CockroachDB, YugabyteDB (Jepsen)",
    }
    FollowerReadLocal {
        number: 33,
        name: "follower-read-local",
        rule: "a follower answers reads from its own state",
        exposed_by: "any lag: delay, partition",
        seen_by: "stale read",
        precedent: "etcd before 2014",
    }
    ReplyOnAccept {
        number: 35,
        name: "reply-on-accept",
        rule: "the client is answered after the leader's own accept, before a quorum has accepted",
        exposed_by: "kill or isolation of the leader",
        seen_by: "lost write",
        precedent: "-",
    }
    DefiniteErrorForInFlight {
        number: 36,
        name: "definite-error-for-in-flight",
        rule: "a deposed leader tells the clients of proposed operations that they failed",
        exposed_by: "the leader cut off or frozen",
        seen_by: "aborted operation visible",
        precedent: "Redis-Raft (Jepsen 2020)",
    }
    CasAtPropose {
        number: 37,
        name: "cas-at-propose",
        rule: "a compare-and-swap is evaluated on the leader's state when it is proposed, and logged as a put",
        exposed_by: "concurrent compare-and-swaps",
        seen_by: "linearizability",
        precedent: "-",
    }
    OutOfWindowPropose {
        number: 38,
        name: "out-of-window-propose",
        rule: "A leader proposes only as far as it knows who governs: α slots beyond what is chosen",
        exposed_by: "a change of the members while much is in flight, then the leader's death",
        seen_by: "lost write; divergence; trace",
        precedent: "-",
    }
    /// The state machine refuses a slot out of order, so the gap is passed off as a no-op.
    ApplyPastGap {
        number: 39,
        name: "apply-past-gap",
        rule: "what is chosen behind a gap is applied at once, the gap as if it were a no-op",
        exposed_by: "loss or delay of one Accept",
        seen_by: "divergence; linearizability; trace",
        precedent: "-",
    }
    WatermarkWithoutBallotCheck {
        number: 40,
        name: "watermark-without-ballot-check",
        rule: "a follower takes what it accepted below the leader's mark for chosen, whatever the ballot",
        exposed_by: "a leader with a tail of its own cut off, then healed",
        seen_by: "divergence; lost write; trace",
        precedent: "Raft §5.3, the consistency check left out",
    }
    NoGapFill {
        number: 41,
        name: "no-gap-fill",
        rule: "a new leader does not fill the slots that nobody reported",
        exposed_by: "kill of a leader with several slots in flight and an Accept lost",
        seen_by: "no progress",
        precedent: "paxi: \"nil gap?\"",
    }
    DuplicateApply {
        number: 42,
        name: "duplicate-apply",
        rule: "a retried request is executed again",
        exposed_by: "kill of a leader between choosing and answering, and a retry",
        seen_by: "applied twice",
        precedent: "iggy #3934, curvine #676",
    }
    /// Every replica forgets at the new leader's no-op: what a table in the leader's memory comes to,
    /// without making replicas differ.
    DedupInLeaderMemory {
        number: 43,
        name: "dedup-in-leader-memory",
        rule: "what was executed is forgotten when the leader changes, as if only leaders remembered",
        exposed_by: "failover and a retry",
        seen_by: "applied twice",
        precedent: "curvine #676",
    }
    /// A request is never executed twice for it: who finds no session says so. But whoever began with
    /// the snapshot answers otherwise than the others, and the state's hash covers answers.
    SessionsNotInSnapshot {
        number: 44,
        name: "sessions-not-in-snapshot",
        rule: "a snapshot leaves out the sessions",
        exposed_by: "restart from a snapshot, or a fetched one, then a request in an old session",
        seen_by: "divergence; a node that stops itself; trace",
        precedent: "iggy #3934, curvine #676: a dedup table that is lost",
    }
    SessionExpiryByLocalClock {
        number: 45,
        name: "session-expiry-by-local-clock",
        rule: "each replica also expires sessions by its own clock",
        exposed_by: "clocks of different rates, or a restart, and a session long idle",
        seen_by: "divergence; trace",
        precedent: "-",
    }
    /// To answer only *earlier* numbers with the last reply would harm nobody here: a session has one
    /// request under way at a time, so nobody waits for those. So the number is not looked at.
    CachedReplyOfWrongSeq {
        number: 46,
        name: "cached-reply-of-wrong-seq",
        rule: "a session's next request is answered with the reply of its last, and not executed",
        exposed_by: "any session with two requests",
        seen_by: "lost write; linearizability",
        precedent: "Viewstamped Replication Revisited, client table",
    }
    /// The stamp decides when sessions expire.
    NondeterministicApply {
        number: 47,
        name: "nondeterministic-apply",
        rule: "each replica stamps a batch with its own clock when it applies it",
        exposed_by: "nothing but time",
        seen_by: "divergence; trace",
        precedent: "-",
    }
    AppliedIndexNotAtomic {
        number: 48,
        name: "applied-index-not-atomic",
        rule: "a snapshot under way sees what is applied meanwhile, and says that it does not",
        exposed_by: "restart from a snapshot that was taken under load",
        seen_by: "applied twice; divergence",
        precedent: "etcd 3.5 (#13766): applied index and state persisted apart",
    }
    ForwardedOpDroppedAcked {
        number: 49,
        name: "forwarded-op-dropped-acked",
        rule: "a follower answers what it forwards, before anybody has proposed it",
        exposed_by: "partition of a follower",
        seen_by: "lost write",
        precedent: "omnipaxos #136",
    }
    /// Where zeros stand the batch is no batch whatever its checksum, so the node mostly refuses to start.
    CrcIgnored {
        number: 51,
        name: "crc-ignored",
        rule: "a batch's checksum over its records is not looked at",
        exposed_by: "power loss while a large batch is written",
        seen_by: "a node that stops itself",
        precedent: "NATS 2.12.1 (Jepsen 2025)",
    }
    CorruptMiddleTruncates {
        number: 52,
        name: "corrupt-middle-truncates",
        rule: "the first damaged batch of the last segment ends the log, whatever was written after it",
        exposed_by: "rot in one node's log, then that node and a laggard form a quorum",
        seen_by: "lost write; trace",
        precedent: "NATS 2.12.1 (Jepsen 2025); memgraph #4528; pebble #453",
    }
    AppendAfterGarbage {
        number: 53,
        name: "append-after-garbage",
        rule: "a torn tail is not cut: what comes next is written behind its header",
        exposed_by: "power loss while a large batch is written, restart, and a second restart",
        seen_by: "a node that stops itself",
        precedent: "cqlite #1390, amelie #17",
    }
    /// What an older segment holds comes in no order that continues the log, so nothing is replayed; but it
    /// passes for proof that something is lost.
    RecycledRecordsReplayed {
        number: 54,
        name: "recycled-records-replayed",
        rule: "checksums don't know their segment: what a recycled one held before passes for its own",
        exposed_by: "restart after the log was trimmed and has grown again",
        seen_by: "a node that stops itself",
        precedent: "SmartBFT #101",
    }
    NoDirFsync {
        number: 56,
        name: "no-dir-fsync",
        rule: "a new segment's name is not made durable",
        exposed_by: "power loss",
        seen_by: "a node that stops itself",
        precedent: "OSDI'14: rename and creation without fsync of the directory",
    }
    LogCutBeforeSnapshotDurable {
        number: 58,
        name: "log-cut-before-snapshot-durable",
        rule: "the log is trimmed when a snapshot is begun, not when it is durable",
        exposed_by: "power loss or kill while a snapshot is written",
        seen_by: "a node that stops itself",
        precedent: "-",
    }
    SnapshotOffByOne {
        number: 59,
        name: "snapshot-off-by-one",
        rule: "a snapshot says that it covers one slot more than it does",
        exposed_by: "restart from a snapshot, or a fetched one",
        seen_by: "divergence; trace",
        precedent: "RedisLabs/raft #49: snapshot index arithmetic",
    }
    /// The replica itself does not go back; the state machine under it does, and the next thing to
    /// apply does not follow.
    InstallOlderSnapshot {
        number: 60,
        name: "install-older-snapshot",
        rule: "a fetched state is installed although the node has come further meanwhile",
        exposed_by: "a slow fetch beside a catch-up by the log",
        seen_by: "a node that stops itself",
        precedent: "openraft 674e78aa",
    }
    InstallResetsPromise {
        number: 61,
        name: "install-resets-promise",
        rule: "a node that installs a snapshot forgets what it promised and accepted",
        exposed_by: "a laggard that votes while it fetches, with an older leader's Accept under way",
        seen_by: "divergence; a node that stops itself; trace",
        precedent: "-",
    }
    /// There is no second file here that could come in another order. But the checkpoint takes the
    /// place of everything before it, and is as good a place to forget the promise.
    PromiseAfterAcceptOrder {
        number: 62,
        name: "promise-after-accept-order",
        rule: "what is said again before the log is trimmed are the values accepted, not the promise",
        exposed_by: "kill and restart of an acceptor that has trimmed, with an older leader's Accept under way",
        seen_by: "divergence; a node that stops itself; trace",
        precedent: "openraft io_ordering: vote and log written out of order",
    }
    AmnesiaRejoin {
        number: 64,
        name: "amnesia-rejoin",
        rule: "a disk that lost its memory is let in under the id of the one that promised",
        exposed_by: "a follower's disk wiped, then a leader that the others did not all follow lost",
        seen_by: "lost write; trace",
        precedent: "atlasdb timelock #1504, #1508: wiped, started again, and time went back to 0",
    }
    ConfigAtLearn {
        number: 66,
        name: "config-at-learn",
        rule: "A configuration governs from α slots behind its own on, not from when a node learns of it",
        exposed_by: "a change of the members, messages delayed, then the leader's death",
        seen_by: "divergence; a node that stops itself; trace",
        precedent: "-",
    }
    /// That rule keeps a change from undoing another. Quorums don't hang on it here: each slot has its own.
    TwoChangesAtOnce {
        number: 67,
        name: "two-changes-at-once",
        rule: "A change of the members is refused, or void, until the one before it is in force",
        exposed_by: "two changes in quick succession",
        seen_by: "a change undone; trace",
        precedent: "Raft's single-server changes (Ongaro 2015)",
    }
    RemovedNodeVotes {
        number: 68,
        name: "removed-node-votes",
        rule: "Who is gone is not asked for votes, and has none",
        exposed_by: "a node removed, then messages lost",
        seen_by: "lost write; trace",
        precedent: "-",
    }
    /// Equal timeouts alone do not duel for ever here: of two ballots of one round the higher node's
    /// wins. Without back-off, a network slower than half the timeout does it.
    TimeoutDrawnOnce {
        number: 69,
        name: "timeout-drawn-once",
        rule: "the election timeout is drawn once in a life, without back-off",
        exposed_by: "kill of the leader on a network nearly as slow as the timeout",
        seen_by: "no progress",
        precedent: "openraft #1838, fluree #1845",
    }
    TimerResetByAnything {
        number: 70,
        name: "timer-reset-by-anything",
        rule: "a client's request puts the election off, as if the leader had spoken",
        exposed_by: "kill of the leader under load",
        seen_by: "no progress",
        precedent: "paxos-rs liveness.rs",
    }
    HeartbeatBehindFsync {
        number: 71,
        name: "heartbeat-behind-fsync",
        rule: "a heartbeat leaves when the leader's disk has caught up",
        exposed_by: "a slow disk at the leader",
        seen_by: "no progress",
        precedent: "redpanda #30817; etcd under slow disks",
    }
    /// Lives in the shell, which the simulation does not run.
    UnboundedPeerQueue {
        number: 72,
        name: "unbounded-peer-queue",
        rule: "what waits for a peer is not bounded",
        exposed_by: "a frozen peer under load",
        seen_by: "memory",
        precedent: "-",
    }
}
