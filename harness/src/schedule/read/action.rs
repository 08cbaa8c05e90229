//! Actions: the word after `do`, and the keys that go with it.

use std::ops::Range;

use super::Reader;
use super::remark::quoted;
use super::table::{Table, Value};
use crate::schedule::limits::LATENESS_MAX;
use crate::schedule::words::{ACTIONS, EFFECTS, LOSSY, OF_STREAMS, SHAPES, WAYS};
use crate::schedule::{ActionSpec, LinkEffect, LinkEnd, LinkSpec, NetworkModel, Shape, Target, Who};

/// What earlier drafts could do and this version can't.
const LATER: &[(&str, &str)] = &[
    ("disk", "disks can't be faulted yet"),
    ("power-loss", "a kill keeps what was written; `wipe` loses all of it"),
    ("clock", "clocks can't be faulted yet"),
    ("upgrade", "a run has one binary"),
    ("downgrade", "a run has one binary"),
    ("start", "what was killed comes back when its fault ends: see `for` and `until`"),
    ("resume", "what was paused goes on when its fault ends: see `for` and `until`"),
    ("heal", "what was cut is mended when its fault ends: see `for` and `until`"),
];

/// What goes with one action or the other. Where it can't be told what is done, none of them is wrong.
const KEYS: &[&str] = &["target", "shape", "way", "on", "messages"];

impl<'a> Reader<'a> {
    /// What a table says is done; `None` if that was refused.
    pub(super) fn action(&mut self, table: &mut Table<'a>) -> Option<ActionSpec> {
        let Some(value) = table.get("do") else {
            let what = format!("{} does not say what to `do`", table.what);
            self.refuse_with(table.span.clone(), what, vec![format!("there are: {}", ACTIONS.join(", "))]);
            return None;
        };
        let word = self.string(value, "do", "what is done, such as \"kill\"")?;
        if let Some((_, reason)) = LATER.iter().find(|(later, _)| *later == word) {
            let what = format!("{} is not part of this version", quoted(word));
            self.refuse_with(value.span(), what, vec![(*reason).to_owned()]);
            table.spare(KEYS);
            return None;
        }
        if ACTIONS.contains(&word) {
            table.what = format!("`do = \"{word}\"`");
        }
        let action = match word {
            "kill" => ActionSpec::Kill(self.target(table, None)),
            "wipe" => ActionSpec::Wipe(self.target(table, None)),
            "pause" => ActionSpec::Pause(self.target(table, None)),
            "swizzle" => ActionSpec::Swizzle(self.target(table, Some(Who::All))),
            "partition" => ActionSpec::Partition(self.shape(table)?),
            "reset" => ActionSpec::Reset(self.links(table)),
            "link" => {
                let on = self.links(table);
                let effect = self.effect(table, &on);
                ActionSpec::Link(on, effect)
            }
            unknown => {
                self.unknown_word(value.span(), "`do`", unknown, ACTIONS);
                table.spare(KEYS);
                return None;
            }
        };
        self.check_each(&action, table);
        self.check_between_nodes(&action, value.span());
        Some(action)
    }

    fn shape(&mut self, table: &mut Table<'a>) -> Option<Shape> {
        let Some(value) = table.get("shape") else {
            let what = "a partition needs a `shape`".to_owned();
            self.refuse_with(table.span.clone(), what, vec![format!("there are: {}", SHAPES.join(", "))]);
            table.spare(KEYS);
            return None;
        };
        let word = self.string(value, "shape", "a shape, such as \"halves\"")?;
        if SHAPES.contains(&word) {
            table.what = format!("a partition of the shape `{word}`");
        }
        let shape = match word {
            "halves" => Shape::Halves,
            "majorities-ring" => Shape::MajoritiesRing,
            "isolate" => Shape::Isolate(self.target(table, None)),
            "one-way" => {
                let target = self.target(table, None);
                Shape::OneWay(target, self.word(table, "way", WAYS).unwrap_or_default())
            }
            "bridge" => Shape::Bridge(self.target(table, Some(Who::One))),
            "chain" => Shape::Chain(self.target(table, Some(Who::One))),
            "quorum-loss" => Shape::QuorumLoss(self.target(table, Some(Who::One))),
            "clients" => Shape::Clients(self.target(table, None)),
            unknown => {
                self.unknown_word(value.span(), "`shape`", unknown, SHAPES);
                table.spare(KEYS);
                return None;
            }
        };
        self.check_shape(&shape, value, table);
        Some(shape)
    }

    /// Whether there are nodes enough for a shape, and somebody on either side of it.
    fn check_shape(&mut self, shape: &Shape, value: Value<'a>, table: &Table<'a>) {
        let needed = match shape {
            Shape::Clients(_) => 1,
            Shape::Halves | Shape::Isolate(_) | Shape::OneWay(..) => 2,
            Shape::Bridge(_) | Shape::MajoritiesRing | Shape::Chain(_) | Shape::QuorumLoss(_) => 3,
        };
        if let Some(count) = self.nodes.filter(|count| *count < needed) {
            let what =
                format!("the shape `{}` needs {needed} nodes or more, and there are {count}", shape.word());
            self.refuse(value.span(), what);
            return;
        }
        let around = table.key_span("target");
        let one = matches!(shape, Shape::Bridge(_) | Shape::Chain(_) | Shape::QuorumLoss(_));
        let Some(Target { who, .. }) = shape.target() else { return };
        if one && !is_one(who) {
            let what =
                format!("the shape `{}` is drawn around one node, and `{who}` may be several", shape.word());
            self.refuse_with(around, what, vec!["such as `one`, `leader`, `follower[0]`, `n3`".to_owned()]);
        } else if matches!(shape, Shape::Isolate(_) | Shape::OneWay(..)) && self.is_everybody(who) {
            let what = format!("`{who}` leaves nobody to be cut off from");
            self.refuse(around, what);
        }
    }

    fn is_everybody(&self, who: &Who) -> bool {
        match who {
            Who::All => true,
            Who::Nodes(nodes) => self.nodes.is_some_and(|count| nodes.len() >= usize::from(count)),
            _ => false,
        }
    }

    fn effect(&mut self, table: &mut Table<'a>, on: &[LinkSpec]) -> LinkEffect {
        let refused = self.refused();
        let mut effect = LinkEffect {
            cut: self.boolean(table, "cut", false),
            delay: self.span(table, "delay", LATENESS_MAX),
            jitter: self.span(table, "jitter", LATENESS_MAX),
            bandwidth: self.bandwidth(table),
            half_open: self.boolean(table, "half-open", false),
            hold: self.boolean(table, "hold", false),
            drop: self.share(table, "drop"),
            duplicate: self.share(table, "duplicate"),
            reorder: self.share(table, "reorder"),
            corrupt: self.share(table, "corrupt"),
            messages: Vec::new(),
        };
        if let Some(value) = table.get("messages") {
            for (_, entry) in self.strings(value, "messages", "kinds of frames, such as [\"accept\"]") {
                let Some(kind) = self.message_kind(entry, "messages") else { continue };
                self.check_passes(&kind, on, entry);
                if effect.messages.contains(&kind) {
                    self.refuse(entry.span(), format!("`{kind}` stands here twice"));
                }
                effect.messages.push(kind);
            }
            if value.get_ref().as_array().is_some_and(|list| list.is_empty()) {
                let hint = "leave `messages` out if all are meant".to_owned();
                self.refuse_with(value.span(), "no frames are concerned".to_owned(), vec![hint]);
            }
        }
        // What was written and refused is no sign that nothing was wanted.
        if effect.words().is_empty() && self.refused() == refused {
            let hint = format!("say what is: {}", EFFECTS.join(", "));
            self.refuse_with(table.span.clone(), "nothing is wrong with these links".to_owned(), vec![hint]);
        }
        self.check_effect(&effect, table);
        effect
    }

    fn check_effect(&mut self, effect: &LinkEffect, table: &Table<'a>) {
        let words = effect.words();
        for word in &words {
            if self.model == NetworkModel::TcpLegal && LOSSY.contains(word) {
                let what = format!("`{word}` is nothing that TCP shows, and the model is \"tcp-legal\"");
                let hint = "write `model = \"message-lossy\"` at the top, or use cut, delay, jitter, bandwidth, half-open";
                self.refuse_with(table.key_span(word), what, vec![hint.to_owned()]);
            }
            if !effect.messages.is_empty() && OF_STREAMS.contains(word) {
                let what = format!("`{word}` concerns whole streams, not some of their frames");
                let hint = match *word {
                    "cut" => "to lose these frames say `drop = \"100%\"`, or leave `messages` out",
                    _ => "leave `messages` out",
                };
                self.refuse_with(table.key_span(word), what, vec![hint.to_owned()]);
            }
        }
        if effect.cut && words.len() > 1 {
            let what =
                format!("nothing passes a link that is cut: `{}` never shows", words[1..].join("`, `"));
            self.warn_with(table.key_span("cut"), what, Vec::new());
        }
    }

    /// A kind of frame, as the system's proxies name it.
    pub(super) fn message_kind(&mut self, value: Value<'a>, key: &str) -> Option<String> {
        let word = self.string(value, key, "a kind of frame, such as \"accept\"")?;
        let found = self.dialect.kind(word);
        if found.is_none() {
            let kinds: Vec<&str> = self.dialect.kinds().collect();
            self.unknown_word(value.span(), &format!("`{key}`"), word, &kinds);
        }
        found.map(str::to_owned)
    }

    /// Frames between nodes never pass a client's link, nor the other way round.
    pub(super) fn check_passes(&mut self, kind: &str, on: &[LinkSpec], value: Value<'a>) {
        let clients = self.dialect.with_clients.contains(&kind);
        if on.is_empty() || on.iter().any(|link| (link.from == LinkEnd::Clients) == clients) {
            return;
        }
        let (where_not, hint) = match clients {
            true => ("between nodes", "it passes `clients->*`"),
            false => ("between clients and nodes", "it passes `*->*`"),
        };
        self.refuse_with(value.span(), format!("`{kind}` never passes {where_not}"), vec![hint.to_owned()]);
    }

    /// `each` is one node after the other: only what is done to single nodes can be.
    fn check_each(&mut self, action: &ActionSpec, table: &Table<'a>) {
        let target = match action {
            ActionSpec::Wipe(target) | ActionSpec::Swizzle(target) => Some(target),
            ActionSpec::Partition(shape) => shape.target(),
            _ => None,
        };
        if target.is_some_and(|target| target.who == Who::Each) && !is_drawn_around_one(action) {
            let what = "`each` goes with kill and pause alone".to_owned();
            self.refuse_with(table.key_span("target"), what, vec!["all at once are `all`".to_owned()]);
        }
    }

    fn check_between_nodes(&mut self, action: &ActionSpec, span: Range<usize>) {
        if self.nodes == Some(1) && matches!(action, ActionSpec::Swizzle(_)) {
            self.refuse(span, "a cluster of one has no links between nodes".to_owned());
        }
    }
}

/// Whether `each` was refused already, as more than one node.
fn is_drawn_around_one(action: &ActionSpec) -> bool {
    matches!(action, ActionSpec::Partition(Shape::Bridge(_) | Shape::Chain(_) | Shape::QuorumLoss(_)))
}

/// Whether it is always one node alone.
fn is_one(who: &Who) -> bool {
    match who {
        Who::Leader | Who::Follower(_) | Who::One | Who::MostBehind | Who::MostAhead => true,
        Who::Nodes(nodes) => nodes.len() == 1,
        Who::Leaders | Who::Followers | Who::LastFaulted => false,
        Who::Minority | Who::Majority | Who::All | Who::Each => false,
    }
}
