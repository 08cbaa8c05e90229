//! `antipaxos check`: judges recorded histories, ours or anybody's.
//!
//! Each file is read and judged by a process of its own, held to its limits by the kernel: a history
//! that takes all the memory there is, or a model that loops, costs that file its verdict, which is
//! then *unknown* with the reason, and nothing else. Several files are judged at once.

mod supervise;
mod worker;

use std::path::{Path, PathBuf};
use std::time::Duration;

use checker::catalogue::{self, Entry, Rule, Rules};
use checker::format::keys::Independent;
use checker::transactions::ConsistencyModel;
use checker::{KeyOrder, Report, Value};
use clap::Args;

use super::{complain, seconds};
use crate::run::verdict::USAGE;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Recorded histories, such as results/latest/history.jsonl; - for what is piped in
    #[arg(required_unless_present = "models", value_name = "FILE")]
    files: Vec<PathBuf>,

    /// What they must be histories of; found out from the file where it is plain
    #[arg(short, long, value_name = "MODEL", value_parser = model)]
    model: Option<String>,

    /// Shows the models there are
    #[arg(long)]
    models: bool,

    /// Seconds each may take, reading included; after that its verdict is unknown
    #[arg(long, visible_alias = "time-limit", value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    timeout: Duration,

    /// MiB each may take, the history included; after that its verdict is unknown
    #[arg(long, value_name = "MIB", default_value_t = 2_048, value_parser = clap::value_parser!(u64).range(16..=1_048_576))]
    memory: u64,

    /// What registers hold before their first write, or a counter at first: a whole number, or text
    #[arg(long, value_name = "VALUE")]
    initial: Option<String>,

    /// Whether a read of nil says that there is nothing, or nothing at all (as in Knossos)
    #[arg(long, value_name = "MEANING")]
    nil_reads: Option<NilReads>,

    /// Whether a failed cas only did not happen, or also found another value (as in Porcupine's etcd)
    #[arg(long, value_name = "MEANING")]
    failed_cas: Option<FailedCas>,

    /// Whether values are [key value], where the format does not say: found out from the values unless told
    #[arg(long, value_name = "YES_OR_NO")]
    keys: Option<Keys>,

    /// What transactions are expected to be, such as serializable: strict-serializable unless told
    #[arg(long, value_name = "LEVEL", value_parser = consistency)]
    consistency: Option<ConsistencyModel>,

    /// Shows an order that explains a valid history too
    #[arg(long)]
    explain: bool,

    /// Draws the operations, with the verdict and its reason, into this page (of one history)
    #[arg(long, value_name = "PAGE")]
    html: Option<PathBuf>,

    /// Prints one line of JSON per file
    #[arg(long)]
    json: bool,

    /// Judges one file in this process, which ends with the one that has this number: what the command runs
    /// for each
    #[arg(long, hide = true, value_name = "PID")]
    worker_of: Option<i32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum NilReads {
    /// The register was empty
    Empty,
    /// No answer: the read could have found anything
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Keys {
    /// Each value is [key value], as jepsen.independent writes them
    Yes,
    /// Values are values
    No,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum FailedCas {
    /// It did not happen, whatever was there
    DidNotHappen,
    /// It found another value than the one it expected
    FoundAnother,
}

impl Arguments {
    fn independent(&self) -> Independent {
        match self.keys {
            None => Independent::Auto,
            Some(Keys::Yes) => Independent::Yes,
            Some(Keys::No) => Independent::No,
        }
    }

    /// A rule that was given but means nothing to this check: ignored, it would make for a wrong verdict.
    fn meaningless(&self, entry: &Entry) -> Option<&'static str> {
        let given = [
            ("--initial", self.initial.is_some(), Rule::Initial),
            ("--nil-reads", self.nil_reads.is_some(), Rule::NilReads),
            ("--failed-cas", self.failed_cas.is_some(), Rule::FailedCas),
            ("--consistency", self.consistency.is_some(), Rule::Consistency),
        ];
        given.into_iter().find(|(_, given, rule)| *given && !entry.takes(*rule)).map(|(flag, _, _)| flag)
    }

    /// What fails and nils mean here, where the command line says so; else what the format suggests.
    fn rules(&self, suggested: Rules) -> Rules {
        Rules {
            initial: self.initial.as_deref().map_or(suggested.initial, initial),
            nil_read_says_nothing: self
                .nil_reads
                .map_or(suggested.nil_read_says_nothing, |meaning| meaning == NilReads::Unknown),
            failed_cas_is_read: self
                .failed_cas
                .map_or(suggested.failed_cas_is_read, |meaning| meaning == FailedCas::FoundAnother),
            consistency: self.consistency.unwrap_or_default(),
        }
    }
}

fn model(name: &str) -> Result<String, String> {
    match catalogue::by_name(name) {
        Some(entry) => Ok(entry.name.to_owned()),
        None => {
            let names: Vec<&str> = catalogue::entries().iter().map(|entry| entry.name).collect();
            Err(format!("there is no such model; there are: {}", names.join(", ")))
        }
    }
}

fn is_same(page: &Path, file: &Path) -> bool {
    matches!((page.canonicalize(), file.canonicalize()), (Ok(page), Ok(file)) if page == file)
}

fn consistency(name: &str) -> Result<ConsistencyModel, String> {
    ConsistencyModel::by_name(name).ok_or_else(|| {
        let names: Vec<&str> = ConsistencyModel::ALL.iter().map(|model| model.name()).collect();
        format!("there is no such consistency model; there are: {}", names.join(", "))
    })
}

fn initial(text: &str) -> Value {
    match text {
        "nil" | "null" => Value::Nil,
        _ => text.parse().map_or_else(|_| Value::from(text), Value::Int),
    }
}

/// What a worker says, a line of JSON each.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Said {
    /// The history was read; now it is judged.
    Judging {
        /// How the file was understood.
        format: String,
        /// As a history of what.
        model: String,
        /// Ops in it, those of the nemesis included.
        ops: usize,
    },
    /// The last word: why the file can't be judged.
    Refused(String),
    /// The verdict; what else was asked for follows, and may take longer than there is time for.
    Judged(Box<Report>),
    /// Orders that explain a valid history.
    Ordered(Vec<KeyOrder>),
    /// What could not be shown of what was asked for, and why.
    Missing(String),
}

pub(super) fn main(arguments: &Arguments) -> u8 {
    if arguments.models {
        return super::output::answer(&models(), 0);
    }
    match (arguments.worker_of, &arguments.files[..]) {
        (_, [_, _, ..]) if arguments.html.is_some() => {
            complain(USAGE, "--html draws one history: give one file")
        }
        (_, [file]) if arguments.html.as_ref().is_some_and(|page| is_same(page, file)) => {
            complain(USAGE, "--html would write the page over the history itself")
        }
        (Some(parent), [file]) => worker::main(arguments, parent, file),
        _ => supervise::main(arguments),
    }
}

fn models() -> String {
    let entries = catalogue::entries();
    let width = entries.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    entries.iter().map(|entry| format!("{:<width$}  {}\n", entry.name, entry.about)).collect()
}
