//! What is done to whom, with every choice made: the normal form that both worlds carry out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::proxy::{Endpoint, Link, LinkPolicy, Links};
use crate::system::NodeId;

/// One thing to do; nothing is left to chance between here and its undoing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// SIGKILL to these nodes, together; undone by starting them on their data.
    Kill(Vec<NodeId>),
    /// The same, and their data folders are removed before they start again.
    Wipe(Vec<NodeId>),
    /// SIGSTOP to these nodes, together; undone by SIGCONT.
    Pause(Vec<NodeId>),
    /// These links behave like this; undone by taking that back.
    Links(BTreeSet<Link>, LinkPolicy),
    /// Connections on these links are reset, once.
    Reset(BTreeSet<Link>),
}

impl Action {
    /// These links carry nothing.
    #[must_use]
    pub fn cut(links: BTreeSet<Link>) -> Action {
        Action::Links(links, LinkPolicy::cut())
    }

    /// The nodes whose processes it concerns.
    #[must_use]
    pub fn nodes(&self) -> &[NodeId] {
        match self {
            Action::Kill(nodes) | Action::Wipe(nodes) | Action::Pause(nodes) => nodes,
            Action::Links(..) | Action::Reset(_) => &[],
        }
    }

    /// The links it concerns.
    #[must_use]
    pub fn links(&self) -> Option<&BTreeSet<Link>> {
        match self {
            Action::Links(links, _) | Action::Reset(links) => Some(links),
            Action::Kill(_) | Action::Wipe(_) | Action::Pause(_) => None,
        }
    }

    /// One line for people: `kill n1 n3`, `cut n1→n2 n2→n1`, `drop 20 % on n2↔others`.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Action::Kill(nodes) => format!("kill {}", list(nodes)),
            Action::Wipe(nodes) => format!("wipe {}", list(nodes)),
            Action::Pause(nodes) => format!("pause {}", list(nodes)),
            Action::Links(links, policy) if policy.cut => format!("cut {}", links_in_words(links)),
            Action::Links(links, policy) => format!("{} on {}", policy.describe(), links_in_words(links)),
            Action::Reset(links) => format!("reset {}", links_in_words(links)),
        }
    }
}

/// The policies that these actions ask for together; where they meet on a link, all of them apply.
pub fn policies<'a>(actions: impl IntoIterator<Item = &'a Action>) -> Links {
    let mut together = Links::new();
    for action in actions {
        if let Action::Links(links, policy) = action {
            for &link in links {
                together
                    .entry(link)
                    .and_modify(|both: &mut LinkPolicy| both.add(policy))
                    .or_insert_with(|| policy.clone());
            }
        }
    }
    together
}

pub(super) fn list(nodes: &[NodeId]) -> String {
    nodes.iter().map(NodeId::to_string).collect::<Vec<_>>().join(" ")
}

/// Every directed link between two groups of nodes, one way.
pub(super) fn one_way(from: &[NodeId], to: &[NodeId]) -> BTreeSet<Link> {
    from.iter()
        .flat_map(|&a| to.iter().filter(move |&&b| a != b).map(move |&b| Link::between(a, b)))
        .collect()
}

/// The same, both ways.
pub(super) fn both_ways(left: &[NodeId], right: &[NodeId]) -> BTreeSet<Link> {
    let mut links = one_way(left, right);
    links.extend(one_way(right, left));
    links
}

/// The links in as few words as the set allows.
fn links_in_words(links: &BTreeSet<Link>) -> String {
    let mut words = String::new();
    let clients: Vec<NodeId> =
        links.iter().filter(|link| link.from == Endpoint::Clients).map(|link| link.to).collect();
    if !clients.is_empty() {
        words = format!("clients→{}", list(&clients));
    }
    let between: BTreeMap<NodeId, BTreeSet<NodeId>> = links.iter().fold(BTreeMap::new(), |mut map, link| {
        if let Endpoint::Node(from) = link.from {
            map.entry(from).or_insert_with(BTreeSet::new).insert(link.to);
        }
        map
    });
    if !between.is_empty() {
        if !words.is_empty() {
            words.push(' ');
        }
        // Writing to a string does not fail.
        let _ = write!(words, "{}", node_links_in_words(&between));
    }
    words
}

fn node_links_in_words(between: &BTreeMap<NodeId, BTreeSet<NodeId>>) -> String {
    let links: BTreeSet<Link> =
        between.iter().flat_map(|(&from, to)| to.iter().map(move |&to| Link::between(from, to))).collect();
    let nodes: BTreeSet<NodeId> =
        between.iter().flat_map(|(&from, to)| to.iter().copied().chain([from])).collect();
    let all: Vec<NodeId> = nodes.iter().copied().collect();
    if all.len() > 2 && links == one_way(&all, &all) {
        return format!("every link among {}", list(&all));
    }
    for &node in &all {
        let others: Vec<NodeId> = all.iter().copied().filter(|&other| other != node).collect();
        if others.len() < 2 {
            continue;
        }
        if links == one_way(&[node], &others) {
            return format!("{node}→others");
        }
        if links == one_way(&others, &[node]) {
            return format!("others→{node}");
        }
        if links == both_ways(&[node], &others) {
            return format!("{node}↔others");
        }
    }
    // Two groups: whom the first node still reaches is its group.
    let reaches =
        |node: &NodeId| all.first().is_some_and(|&first| !links.contains(&Link::between(first, *node)));
    let (near, far): (Vec<NodeId>, Vec<NodeId>) = all.iter().copied().partition(reaches);
    if links == both_ways(&near, &far) {
        return format!("{} | {}", list(&near), list(&far));
    }
    let pair = |(from, to): (&NodeId, &BTreeSet<NodeId>)| {
        format!("{from}→{}", to.iter().map(NodeId::to_string).collect::<Vec<_>>().join(","))
    };
    between.iter().map(pair).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(pairs: &[(u16, u16)]) -> String {
        links_in_words(&pairs.iter().map(|&(a, b)| Link::between(NodeId(a), NodeId(b))).collect())
    }

    #[test]
    fn links_are_told_in_as_few_words_as_possible() {
        assert_eq!(words(&[(1, 2), (1, 3)]), "n1→others");
        assert_eq!(words(&[(2, 1), (3, 1)]), "others→n1");
        assert_eq!(words(&[(2, 1), (3, 1), (1, 2), (1, 3)]), "n1↔others");
        assert_eq!(words(&[(1, 2), (2, 1), (1, 3), (3, 1), (2, 3), (3, 2)]), "every link among n1 n2 n3");
        let halves = [(1, 2), (1, 4), (3, 2), (3, 4), (2, 1), (4, 1), (2, 3), (4, 3)];
        assert_eq!(words(&halves), "n1 n3 | n2 n4");
        assert_eq!(words(&[(1, 2), (3, 4)]), "n1→n2 n3→n4");
        let with_clients = BTreeSet::from([Link::clients(NodeId(2)), Link::between(NodeId(1), NodeId(2))]);
        assert_eq!(links_in_words(&with_clients), "clients→n2 n1→n2");
    }

    #[test]
    fn policies_that_meet_on_a_link_all_apply() {
        let (a, b) = (NodeId(1), NodeId(2));
        let slow = LinkPolicy { delay_us: 30_000, jitter_us: 40_000, ..LinkPolicy::default() };
        let slow = Action::Links(both_ways(&[a], &[b]), slow);
        let cut = Action::cut(one_way(&[a], &[b]));
        let links = policies([&slow, &cut, &Action::Kill(vec![a])]);
        assert_eq!(links.len(), 2);
        let both = &links[&Link::between(a, b)];
        assert!(both.cut && both.delay_us == 30_000);
        assert_eq!(links[&Link::between(b, a)].jitter_us, 40_000);
        assert!(!links[&Link::between(b, a)].cut);
    }
}
