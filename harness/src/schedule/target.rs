//! Whom a fault concerns, in words that are bound when it comes.

use crate::system::NodeId;

/// Some nodes: `leader`, `follower[0]`, `n3`, `leader@starve`, `["n1", "n2"]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Who.
    pub who: Who,
    /// As it was when the fault of this id last came, not as it is now.
    pub as_of: Option<String>,
}

impl Target {
    /// As it is when the fault comes.
    #[must_use]
    pub const fn now(who: Who) -> Target {
        Target { who, as_of: None }
    }
}

/// Who. Whoever is chosen at random is drawn among the nodes that run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// `leader`: whoever leads by its own fresh word, in the highest ballot.
    Leader,
    /// `leaders`: everybody who says that it leads.
    Leaders,
    /// `followers`: everybody but the leader.
    Followers,
    /// `follower[0]`: the followers are shuffled once per occurrence, this is the one at that place.
    Follower(usize),
    /// `one`: any one.
    One,
    /// `minority`: as many as the cluster can lose and go on.
    Minority,
    /// `majority`: one more than that.
    Majority,
    /// `all`.
    All,
    /// `each`: all, one after the other. For `kill` and `pause` alone.
    Each,
    /// `n3`, or a list of such.
    Nodes(Vec<NodeId>),
    /// `most-behind`: who has applied least, by its own last word.
    MostBehind,
    /// `most-ahead`: who has applied most.
    MostAhead,
    /// `last-faulted`: whom the last fault that named nodes was done to.
    LastFaulted,
}

/// Directed links: `leader->follower[0]`, `*<->*`, `clients->leader`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkSpec {
    /// Who speaks (dials).
    pub from: LinkEnd,
    /// Who hears.
    pub to: LinkEnd,
    /// The other direction as well. Never with clients: they alone dial.
    pub both: bool,
}

/// An end of links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEnd {
    /// `*`: every node (but the other end itself).
    Any,
    /// `clients`: only in front of `->`.
    Clients,
    /// These nodes.
    Nodes(Target),
}
