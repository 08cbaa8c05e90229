//! The schedules that come with the bench, compiled in: a campaign needs no sources beside it.

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// As the schedule calls itself, and its file.
    pub name: &'static str,
    /// The file, from the top of the sources.
    pub file: &'static str,
    /// What it says.
    pub text: &'static str,
}

macro_rules! library {
    ($($name:literal),+ $(,)?) => {
        &[$(Entry {
            name: $name,
            file: concat!("harness/schedules/", $name, ".toml"),
            text: include_str!(concat!("../../schedules/", $name, ".toml")),
        }),+]
    };
}

/// All of them, by name.
pub const LIBRARY: &[Entry] = library![
    "accepted-by-a-minority",
    "answers-of-an-earlier-reign",
    "blackouts-under-load",
    "bridge",
    "chain",
    "ci-mix",
    "clients-cut-off",
    "duelling-proposers",
    "emptied-disk",
    "everything-at-once",
    "far-apart",
    "far-behind",
    "flapping-links",
    "frozen-follower",
    "holes-in-the-log",
    "laggard-leads",
    "late-answers",
    "leader-blinks",
    "leader-frozen-then-woken",
    "majorities-ring",
    "message-starvation",
    "minority-leader",
    "missed-prepare",
    "old-accepts-released",
    "one-way-loss",
    "promised-then-crashed",
    "promises-late",
    "quorum-loss",
    "refusals-lost",
    "restart-storm",
    "rolling-restarts",
    "slow-and-half-open",
    "snapshots",
    "swizzle",
    "tail-of-its-own",
    "two-candidates-one-voter",
    "two-leaders-lost",
    "votes-doubled",
    "votes-of-an-earlier-reign",
];

/// The schedule of that name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Entry> {
    LIBRARY.iter().find(|entry| entry.name == name)
}
