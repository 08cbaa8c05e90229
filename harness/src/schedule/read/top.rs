//! The top of a file, its phases, and what stands beside them.

use std::time::Duration;

use super::Reader;
use super::remark::quoted;
use super::table::{Table, Value};
use crate::schedule::limits::{
    CLIENTS_MAX, DURATION_MAX, FAULTS_MAX, INSTANT, KEYS_MAX, LATENESS_MAX, NODES_MAX, PHASES_MAX, RATE_MAX,
    RETRIES_MAX, SNAPSHOT_EVERY_BYTES_MIN,
};
use crate::schedule::words::{CONTRACTS, ELECTIONS, FAILURES, MODELS, READ_MODES, Time};
use crate::schedule::{Concurrency, Coverage, Found, NoConcurrency, Phase, SCHEMA, Schedule, WorkloadSpec};

/// The phase of a file that names none.
const ONLY_PHASE: &str = "faults";

impl<'a> Reader<'a> {
    pub(super) fn schedule(&mut self, mut table: Table<'a>) -> Option<Schedule> {
        self.schema(&mut table);
        // Everything else is judged by these two.
        self.nodes = self.integer(&mut table, "nodes", 1..=u64::from(NODES_MAX)).map(|nodes| nodes as u16);
        self.model = self.word(&mut table, "model", MODELS).unwrap_or_default();
        let name = self.name(&mut table, "name").map(|(name, _)| name.to_owned());
        if table.get("name").is_none() {
            self.refuse_with(
                0..1,
                "a schedule needs a `name`".to_owned(),
                vec!["such as name = \"leader-frozen\"".into()],
            );
        }
        let story =
            table.get("story").and_then(|value| self.string(value, "story", "a few sentences for people"));
        let seed = self.integer(&mut table, "seed", 0..=u64::MAX);
        let snapshot_every_bytes =
            self.integer(&mut table, "snapshot-every-bytes", SNAPSHOT_EVERY_BYTES_MIN..=u64::MAX);
        let election = self.word(&mut table, "election", ELECTIONS);
        let read_mode = self.word(&mut table, "read-mode", READ_MODES);
        let contract = self.contract(&mut table);
        let workload = self.workload(&mut table);
        let phases = self.phases(&mut table);
        let settle_max = self.settle(&mut table);
        let coverage = self.coverage(&mut table);
        let found = self.found(&mut table);
        self.check_ids();
        table.finish(self);
        Some(Schedule {
            name: name?,
            story: story.unwrap_or_default().trim().to_owned(),
            nodes: self.nodes,
            seed,
            snapshot_every_bytes,
            election,
            read_mode,
            model: self.model,
            contract,
            workload,
            phases,
            settle_max,
            coverage,
            found,
        })
    }

    fn schema(&mut self, table: &mut Table<'a>) {
        let Some(value) = table.get("schema") else {
            let hint = format!("write `schema = {SCHEMA}` at the top");
            return self.refuse_with(0..1, "a schedule needs its `schema`".to_owned(), vec![hint]);
        };
        if let Some(number) = self.integer_of(value, "schema", 0..=u64::MAX)
            && number != SCHEMA
        {
            let what =
                format!("this is written for version {number} of the format, and here is version {SCHEMA}");
            self.refuse(value.span(), what);
        }
    }

    fn contract(&mut self, table: &mut Table<'a>) -> crate::schedule::Contract {
        if let Some(value) = table.get("contract")
            && value.get_ref().as_str() == Some("none")
        {
            let hint =
                "a run that demands nothing shows nothing: \"safety\", or \"safety+liveness\"".to_owned();
            self.refuse_with(value.span(), "\"none\" is not part of this version".to_owned(), vec![hint]);
            return Default::default();
        }
        self.word(table, "contract", CONTRACTS).unwrap_or_default()
    }

    fn workload(&mut self, table: &mut Table<'a>) -> WorkloadSpec {
        let Some(value) = table.get("workload") else { return WorkloadSpec::default() };
        let Some(mut table) = self.table(value, "workload", "[workload]") else {
            return WorkloadSpec::default();
        };
        let name = table.get("name").and_then(|value| {
            let name = self.string(value, "name", "the name of a workload")?;
            let names = workloads::names();
            if !names.contains(&name) {
                self.unknown_word(value.span(), "the workload", name, names);
            }
            Some(name.to_owned())
        });
        let workload = WorkloadSpec {
            name,
            concurrency: table.get("concurrency").and_then(|value| self.concurrency(value)),
            rate: self.rate(&mut table, "rate", RATE_MAX),
            keys: self.integer(&mut table, "keys", 1..=KEYS_MAX),
            ops_per_key: self.integer(&mut table, "ops-per-key", 1..=u64::MAX),
            retries: self
                .integer(&mut table, "retries", 0..=u64::from(RETRIES_MAX))
                .map(|retries| retries as u32),
            op_timeout: self.duration(&mut table, "op-timeout", INSTANT..=LATENESS_MAX),
        };
        table.finish(self);
        workload
    }

    /// `10`, or `"2n"`.
    fn concurrency(&mut self, value: Value<'a>) -> Option<Concurrency> {
        let Some(text) = value.get_ref().as_str() else {
            let clients = self.integer_of(value, "concurrency", 1..=CLIENTS_MAX as u64)?;
            return Some(Concurrency::Clients(clients as usize));
        };
        match text.parse() {
            Ok(each @ Concurrency::PerNode(_)) => Some(each),
            // A plain number is none in quotes either.
            Ok(Concurrency::Clients(_)) | Err(NoConcurrency) => {
                let what = format!("{} is no number of clients", quoted(text));
                self.refuse_with(value.span(), what, vec![NoConcurrency.to_string()]);
                None
            }
        }
    }

    fn phases(&mut self, table: &mut Table<'a>) -> Vec<Phase> {
        let phases = if table.get("phase").is_some() {
            for key in table.present(&["time-limit", "require", "fault", "mix"]) {
                let hint = match key {
                    "time-limit" => "each phase says how long it lasts: `for`".to_owned(),
                    "require" => "write it into a [[phase]]".to_owned(),
                    other => format!("in a file with phases it stands in one: [[phase.{other}]]"),
                };
                self.refuse_with(table.key_span(key), format!("`{key}` beside [[phase]]"), vec![hint]);
            }
            self.listed_phases(table)
        } else {
            vec![self.only_phase(table)]
        };
        let whole: Duration = phases.iter().map(|phase| phase.lasts).sum();
        if whole > DURATION_MAX {
            let what = format!(
                "the phases last {} together, and a schedule {} at most",
                Time(whole),
                Time(DURATION_MAX)
            );
            self.refuse(table.key_span("phase"), what);
        }
        let faults = phases.iter().flat_map(|phase| &phase.faults).count();
        let mixes = phases.iter().flat_map(|phase| &phase.mixes);
        let drawn: usize = mixes.map(|mix| 1 + mix.choices.len()).sum();
        if faults + drawn > FAULTS_MAX {
            let what = format!(
                "a schedule has at most {FAULTS_MAX} faults, mixes and choices, and this has {}",
                faults + drawn
            );
            self.refuse(0..1, what);
        }
        phases
    }

    /// A file without phases is one: it lasts for `time-limit`.
    fn only_phase(&mut self, table: &mut Table<'a>) -> Phase {
        let lasts = self.duration(table, "time-limit", INSTANT..=DURATION_MAX);
        if table.get("time-limit").is_none() {
            let hint = "write time-limit = \"30s\" at the top, or use [[phase]]".to_owned();
            self.refuse_with(0..1, "a schedule must say how long it lasts".to_owned(), vec![hint]);
        }
        self.phase_of(table, ONLY_PHASE.to_owned(), lasts)
    }

    fn listed_phases(&mut self, table: &mut Table<'a>) -> Vec<Phase> {
        let refused = self.refused();
        let tables = self.tables(table, "phase", "a phase");
        if tables.len() > PHASES_MAX {
            self.refuse(
                tables[PHASES_MAX].span.clone(),
                format!("a schedule has at most {PHASES_MAX} phases"),
            );
        } else if tables.is_empty() && refused == self.refused() {
            self.refuse(table.key_span("phase"), "a schedule needs a phase".to_owned());
        }
        let mut phases: Vec<Phase> = Vec::new();
        for (at, mut table) in tables.into_iter().take(PHASES_MAX).enumerate() {
            self.phase = at;
            let name = self.name(&mut table, "name");
            if table.get("name").is_none() {
                let hint = "such as name = \"chaos\"".to_owned();
                self.refuse_with(table.span.clone(), "a phase needs a `name`".to_owned(), vec![hint]);
            }
            if let Some((name, span)) = &name
                && phases.iter().any(|phase| phase.name == *name)
            {
                self.refuse(span.clone(), format!("two phases are called {}", quoted(name)));
            }
            let lasts = self.duration(&mut table, "for", INSTANT..=DURATION_MAX);
            if table.get("for").is_none() {
                let hint = "such as for = \"30s\"".to_owned();
                self.refuse_with(
                    table.span.clone(),
                    "a phase must say how long it lasts".to_owned(),
                    vec![hint],
                );
            }
            let name = name.map(|(name, _)| name.to_owned()).unwrap_or_default();
            phases.push(self.phase_of(&mut table, name, lasts));
            table.finish(self);
        }
        phases
    }

    /// What stands in a phase, or in a file that is one.
    fn phase_of(&mut self, table: &mut Table<'a>, name: String, lasts: Option<Duration>) -> Phase {
        // Nothing is too long for a phase whose length is not known.
        let known = lasts.unwrap_or(DURATION_MAX * 100);
        let ok_rate_min = table.get("require").and_then(|value| {
            let mut require = self.table(value, "require", "`require`")?;
            let rate = self.rate(&mut require, "ok-rate-min", RATE_MAX);
            require.finish(self);
            rate
        });
        let mut faults = Vec::new();
        for fault in self.tables(table, "fault", "a fault") {
            faults.extend(self.fault(fault, known));
        }
        let mut mixes = Vec::new();
        for mix in self.tables(table, "mix", "a mix") {
            mixes.push(self.mix(mix, known));
        }
        Phase { name, lasts: lasts.unwrap_or_default(), ok_rate_min, faults, mixes }
    }

    fn settle(&mut self, table: &mut Table<'a>) -> Option<Duration> {
        let value = table.get("final")?;
        let mut table = self.table(value, "final", "[final]")?;
        let settle = self.duration(&mut table, "settle", INSTANT..=DURATION_MAX);
        table.finish(self);
        settle
    }

    /// What a schedule of the corpus once showed.
    fn found(&mut self, table: &mut Table<'a>) -> Option<Found> {
        let value = table.get("found")?;
        let mut table = self.table(value, "found", "[found]")?;
        let bug = self.name(&mut table, "bug").map(|(bug, _)| bug.to_owned());
        let failure = self.word(&mut table, "failure", FAILURES);
        for (key, hint) in [
            ("bug", "the name of a planted bug, or the commit that had it"),
            ("failure", "\"safety\" or \"liveness\""),
        ] {
            if table.get(key).is_none() {
                self.refuse_with(table.span.clone(), format!("[found] needs `{key}`"), vec![hint.to_owned()]);
            }
        }
        let required = self.boolean(&mut table, "required", false);
        table.finish(self);
        Some(Found { bug: bug?, failure: failure?, required })
    }

    fn coverage(&mut self, table: &mut Table<'a>) -> Coverage {
        let Some(value) = table.get("coverage") else { return Coverage::default() };
        let Some(mut table) = self.table(value, "coverage", "[coverage]") else { return Coverage::default() };
        let coverage = Coverage {
            leader_changes_min: self.integer(&mut table, "leader-changes-min", 0..=u64::MAX).unwrap_or(0),
            ops_ok_min: self.integer(&mut table, "ops-ok-min", 0..=u64::MAX).unwrap_or(0),
        };
        table.finish(self);
        coverage
    }
}
