//! Whom a fault concerns: `leader`, `follower[0]`, `n1,n2`, `leader@starve`; and which links:
//! `leader->followers`, `*<->*`, `clients->leader`.

use std::ops::Range;

use super::references::Role;
use super::remark::quoted;
use super::table::{Table, Value};
use super::value::is_name;
use super::{Reader, nearest::nearest};
use crate::schedule::limits::NODES_MAX;
use crate::schedule::words::{WHO, meaning};
use crate::schedule::{LinkEnd, LinkSpec, Target, Who};
use crate::system::NodeId;

const TARGET_WANTED: &str = "nodes, such as \"leader\", \"follower[0]\", \"n3\" or [\"n1\", \"n2\"]";
const LINKS_WANTED: &str = "links, such as \"leader->followers\", \"*<->*\" or \"clients->leader\"";

/// What stands for a target that was refused.
const NOBODY: Target = Target::now(Who::One);

/// What is wrong with a target, and where in its text.
struct Wrong {
    part: Range<usize>,
    what: String,
    hints: Vec<String>,
}

impl Wrong {
    fn new(part: Range<usize>, what: String, hints: Vec<String>) -> Wrong {
        Wrong { part, what, hints }
    }
}

impl<'a> Reader<'a> {
    /// The target of an action; `usual` if it may be left out.
    pub(super) fn target(&mut self, table: &mut Table<'a>, usual: Option<Who>) -> Target {
        let Some(value) = table.get("target") else {
            return match usual {
                Some(who) => Target::now(who),
                None => {
                    let what = format!("{} needs a `target`", table.what);
                    self.refuse_with(table.span.clone(), what, vec![format!("it is {TARGET_WANTED}")]);
                    NOBODY
                }
            };
        };
        if value.get_ref().as_array().is_some() {
            return self.listed(value);
        }
        let Some(text) = self.string(value, "target", TARGET_WANTED) else { return NOBODY };
        let target = self.target_of(value, text, 0);
        target.unwrap_or(NOBODY)
    }

    /// `["n1", "n2"]`.
    fn listed(&mut self, value: Value<'a>) -> Target {
        let texts = self.strings(value, "target", TARGET_WANTED);
        if texts.is_empty() {
            self.refuse(value.span(), "a fault must concern somebody".to_owned());
            return NOBODY;
        }
        let mut nodes = Vec::new();
        for (text, entry) in texts {
            match self.target_of(entry, text, 0) {
                Some(Target { who: Who::Nodes(more), as_of: None }) => {
                    for node in more {
                        if nodes.contains(&node) {
                            self.refuse(entry.span(), format!("n{} stands here twice", node.0));
                        }
                        nodes.push(node);
                    }
                }
                Some(_) => {
                    let what = format!("{} can't stand in a list", quoted(text));
                    self.refuse_with(entry.span(), what, vec!["a list names nodes: [\"n1\", \"n2\"]".into()]);
                }
                None => {}
            }
        }
        Target::now(Who::Nodes(nodes))
    }

    /// A target that is (part of) a string; `at` is where in the string it begins.
    fn target_of(&mut self, value: Value<'a>, text: &str, at: usize) -> Option<Target> {
        match parse(text, self.nodes) {
            Ok(target) => {
                if let Some(id) = &target.as_of {
                    let start = at + text.rfind('@').map_or(0, |found| found + 1);
                    let place = self.within(value, start..at + text.len());
                    self.refer(id, place, Role::AsOf);
                }
                self.highest_node(&target.who, value);
                Some(target)
            }
            Err(wrong) => {
                let place = self.within(value, at + wrong.part.start..at + wrong.part.end);
                self.refuse_with(place, wrong.what, wrong.hints);
                None
            }
        }
    }

    /// A run with fewer nodes than a schedule names could not carry it out.
    fn highest_node(&mut self, who: &Who, value: Value<'_>) {
        if self.nodes.is_some() {
            return;
        }
        let needed = match who {
            Who::Nodes(nodes) => nodes.iter().map(|node| node.0).max().unwrap_or(0),
            Who::Follower(place) => u16::try_from(*place).unwrap_or(u16::MAX).saturating_add(2),
            _ => return,
        };
        if needed > 1 {
            let what = format!("`nodes` is not given, and this needs {needed} of them");
            self.warn_with(value.span(), what, vec![format!("write `nodes = {needed}` or more at the top")]);
        }
    }

    /// The links under `on`; at least one, unless something was refused.
    pub(super) fn links(&mut self, table: &mut Table<'a>) -> Vec<LinkSpec> {
        let Some(value) = table.get("on") else {
            let what = format!("{} needs `on`", table.what);
            self.refuse_with(table.span.clone(), what, vec![format!("it names {LINKS_WANTED}")]);
            return Vec::new();
        };
        let texts = self.strings(value, "on", LINKS_WANTED);
        if texts.is_empty() && value.get_ref().as_array().is_some_and(|list| list.is_empty()) {
            self.refuse(value.span(), "a fault must concern some links".to_owned());
        }
        texts.into_iter().filter_map(|(text, entry)| self.link_of(entry, text)).collect()
    }

    /// One link spec that is a whole string.
    pub(super) fn link_of(&mut self, value: Value<'a>, text: &str) -> Option<LinkSpec> {
        let (arrow, both) = match (text.find("<->"), text.find("->")) {
            (Some(at), _) => (at, true),
            (None, Some(at)) => (at, false),
            (None, None) => {
                let what = format!("{} names no links", quoted(text));
                self.refuse_with(value.span(), what, vec![format!("it must be {LINKS_WANTED}")]);
                return None;
            }
        };
        let width = if both { 3 } else { 2 };
        let from = self.end_of(value, &text[..arrow], 0)?;
        let to = self.end_of(value, &text[arrow + width..], arrow + width)?;
        let spec = LinkSpec { from, to, both };
        let wrong = match (&spec.from, &spec.to) {
            (_, LinkEnd::Clients) => Some("clients are only in front of `->`: they dial, the nodes answer"),
            (LinkEnd::Clients, _) if both => {
                Some("clients dial, and nodes answer on the same link: write `->`")
            }
            (from, to) if from == to && is_one_node(from) => Some("a node has no link to itself"),
            (from, to) if self.nodes == Some(1) && *from != LinkEnd::Clients && *to != LinkEnd::Clients => {
                Some("a cluster of one has no links between nodes")
            }
            _ => None,
        };
        if let Some(wrong) = wrong {
            self.refuse(value.span(), wrong.to_owned());
            return None;
        }
        Some(spec)
    }

    fn end_of(&mut self, value: Value<'a>, text: &str, at: usize) -> Option<LinkEnd> {
        let at = at + (text.len() - text.trim_start().len());
        match text.trim() {
            "*" => return Some(LinkEnd::Any),
            "clients" => return Some(LinkEnd::Clients),
            "" => {
                let what = "a link has two ends".to_owned();
                self.refuse_with(value.span(), what, vec![format!("it must be {LINKS_WANTED}")]);
                return None;
            }
            _ => {}
        }
        let target = self.target_of(value, text.trim(), at)?;
        if target.who == Who::Each {
            let what = "`each` goes with kill and pause alone".to_owned();
            self.refuse_with(self.within(value, at..at + 4), what, vec!["every node is `*`".to_owned()]);
            return None;
        }
        Some(LinkEnd::Nodes(target))
    }
}

fn is_one_node(end: &LinkEnd) -> bool {
    matches!(end, LinkEnd::Nodes(Target { who: Who::Nodes(nodes), .. }) if nodes.len() == 1)
        || matches!(end, LinkEnd::Nodes(Target { who: Who::Leader | Who::Follower(_), .. }))
}

/// Reads a target in a cluster of so many nodes.
fn parse(text: &str, nodes: Option<u16>) -> Result<Target, Wrong> {
    let (who_text, as_of) = match text.split_once('@') {
        Some((who, id)) => (who, Some(id)),
        None => (text, None),
    };
    let who = who(who_text, nodes)?;
    let Some(id) = as_of else { return Ok(Target { who, as_of: None }) };
    let part = who_text.len() + 1..text.len();
    if !is_name(id) {
        let hints = vec!["behind @ stands the id of a fault: `leader@starve`".to_owned()];
        return Err(Wrong::new(part, format!("{} is no id", quoted(id)), hints));
    }
    if matches!(who, Who::Nodes(_) | Who::All | Who::Each) {
        let what = format!("{} is the same at all times: without @", quoted(who_text));
        return Err(Wrong::new(part, what, Vec::new()));
    }
    Ok(Target { who, as_of: Some(id.to_owned()) })
}

fn who(text: &str, nodes: Option<u16>) -> Result<Who, Wrong> {
    let whole = 0..text.len();
    if let Some(who) = meaning(WHO, text) {
        return match (&who, nodes) {
            (Who::Followers, Some(1)) => {
                Err(Wrong::new(whole, "a cluster of one has no followers".to_owned(), Vec::new()))
            }
            (Who::Minority, Some(count @ 1..=2)) => {
                let what = format!("a cluster of {count} can lose nobody: its minority is empty");
                Err(Wrong::new(whole, what, vec!["`one` is any one node".to_owned()]))
            }
            _ => Ok(who),
        };
    }
    if let Some(place) = text.strip_prefix("follower[").and_then(|rest| rest.strip_suffix(']')) {
        return follower(place, nodes).map_err(|what| Wrong::new(whole, what, Vec::new()));
    }
    let is_node = |word: &str| {
        word.trim().strip_prefix('n').is_some_and(|number| number.starts_with(|c: char| c.is_ascii_digit()))
    };
    if !text.is_empty() && text.split(',').all(is_node) {
        return nodes_of(text, nodes);
    }
    let mut hints = Vec::new();
    let known = WHO.iter().map(|(word, _)| *word);
    if text == "follower" {
        hints.push("did you mean `follower[0]`, or `followers`?".to_owned());
    } else if text == "any" || text == "random" {
        hints.push("any one node is `one`".to_owned());
    } else if let Some(meant) = nearest(text, known.clone()) {
        hints.push(format!("did you mean `{meant}`?"));
    }
    hints.push(format!("there are: {}, follower[0], n1", known.collect::<Vec<_>>().join(", ")));
    Err(Wrong::new(whole, format!("nobody is called {}", quoted(text)), hints))
}

fn follower(place: &str, nodes: Option<u16>) -> Result<Who, String> {
    let number = place.parse::<u16>().ok().filter(|_| place.chars().all(|c| c.is_ascii_digit()));
    let Some(number) = number else {
        return Err(format!("{}: a whole number from 0 is needed", quoted(&format!("follower[{place}]"))));
    };
    let count = nodes.unwrap_or(NODES_MAX);
    if number >= count.saturating_sub(1) {
        let last = count.saturating_sub(2);
        return Err(match count {
            1 => "a cluster of one has no followers".to_owned(),
            _ => format!("`follower[{number}]`: of {count} nodes the last is `follower[{last}]`"),
        });
    }
    Ok(Who::Follower(usize::from(number)))
}

fn nodes_of(text: &str, nodes: Option<u16>) -> Result<Who, Wrong> {
    let count = nodes.unwrap_or(NODES_MAX);
    let mut found: Vec<NodeId> = Vec::new();
    let mut at = 0;
    for word in text.split(',') {
        let part = at..at + word.len();
        at += word.len() + 1;
        let number = word.trim()[1..].parse::<u16>().ok().filter(|number| (1..=count).contains(number));
        let Some(number) = number else {
            let what = format!("there is no {}: the nodes are n1 to n{count}", quoted(word.trim()));
            return Err(Wrong::new(part, what, Vec::new()));
        };
        if found.contains(&NodeId(number)) {
            return Err(Wrong::new(part, format!("n{number} stands here twice"), Vec::new()));
        }
        found.push(NodeId(number));
    }
    Ok(Who::Nodes(found))
}
