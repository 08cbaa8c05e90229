//! A history by name: what the tables print, what the command line takes.

use std::fmt;
use std::str::FromStr;

use checker::simulate::{Object, Pace, Plan, Spoil};

/// A plan that can be written down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spec {
    pub(crate) plan: Plan,
}

impl Spec {
    /// The object's name: `register`, `cas`, `cas5`, `queue`, …
    pub(crate) fn object(&self) -> String {
        match self.plan.object {
            Object::Register => "register".to_owned(),
            Object::UniqueCas => "cas".to_owned(),
            Object::CasRegister { values } => format!("cas{values}"),
            Object::Queue => "queue".to_owned(),
            Object::Stack => "stack".to_owned(),
            Object::PriorityQueue => "priority-queue".to_owned(),
            Object::Set { elements } => format!("set{elements}"),
            Object::List { appends } => format!("list{appends}"),
            Object::ListTransactions { appends } => format!("txn{appends}"),
            Object::Mutex => "mutex".to_owned(),
            Object::Counter => "counter".to_owned(),
        }
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan { keys, operations, clients, unknown, pace, spoil, seed, .. } = self.plan;
        write!(f, "{} ops={operations} clients={clients}", self.object())?;
        if keys > 1 {
            write!(f, " keys={keys}")?;
        }
        if unknown > 0.0 {
            write!(f, " unknown={unknown}")?;
        }
        if pace == Pace::Irregular {
            write!(f, " pace=irregular")?;
        }
        match spoil {
            None => {}
            Some(Spoil::Stale) => write!(f, " spoil=stale")?,
            Some(Spoil::Phantom) => write!(f, " spoil=phantom")?,
            Some(Spoil::Lost) => write!(f, " spoil=lost")?,
        }
        write!(f, " seed={seed}")
    }
}

impl FromStr for Spec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let object = object(words.next().unwrap_or_default())?;
        let mut plan = Plan::of(object);
        for word in words {
            let (name, value) = word.split_once('=').ok_or_else(|| format!("{word:?} is no name=value"))?;
            let wrong = || format!("{value:?} is no value for {name}");
            match name {
                "ops" => plan.operations = value.parse().map_err(|_| wrong())?,
                "clients" => plan.clients = value.parse().map_err(|_| wrong())?,
                "keys" => plan.keys = value.parse().map_err(|_| wrong())?,
                "unknown" => plan.unknown = value.parse().map_err(|_| wrong())?,
                "seed" => plan.seed = value.parse().map_err(|_| wrong())?,
                "pace" if value == "irregular" => plan.pace = Pace::Irregular,
                "pace" if value == "busy" => plan.pace = Pace::Busy,
                "spoil" if value == "stale" => plan.spoil = Some(Spoil::Stale),
                "spoil" if value == "phantom" => plan.spoil = Some(Spoil::Phantom),
                "spoil" if value == "lost" => plan.spoil = Some(Spoil::Lost),
                _ => return Err(wrong()),
            }
        }
        Ok(Self { plan })
    }
}

fn object(name: &str) -> Result<Object, String> {
    let letters = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = || name[letters.len()..].parse().map_err(|_| format!("{name:?} needs a number at its end"));
    Ok(match letters {
        "register" => Object::Register,
        "cas" if name == "cas" => Object::UniqueCas,
        "cas" => Object::CasRegister { values: number()? },
        "queue" => Object::Queue,
        "stack" => Object::Stack,
        "priority-queue" => Object::PriorityQueue,
        "set" => Object::Set { elements: number()? },
        "list" => Object::List { appends: number()? },
        "txn" => Object::ListTransactions { appends: number()? },
        "mutex" => Object::Mutex,
        "counter" => Object::Counter,
        _ => return Err(format!("no object is called {name:?}")),
    })
}
