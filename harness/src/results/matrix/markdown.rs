//! The matrix as a table in Markdown, which reads well on a terminal too.

use std::fmt::Write as _;

use super::{Catch, Matrix, Row, Trial};

/// What a row tells of one world.
type TrialOf = fn(&Row) -> &Option<Trial>;

impl Matrix {
    /// The table; what was missed stands first, in plain sight.
    pub(super) fn markdown(&self) -> String {
        let mut text = format!("# Detection matrix\n\n{}\n", self.told().replace('\n', "  \n").trim_end());
        // Writing to a string does not fail.
        let _ = writeln!(text, "\nBench: {}. Node: {}.", self.binaries.antipaxos, self.binaries.node);
        self.missed(&mut text);
        self.table(&mut text);
        self.again(&mut text);
        text
    }

    fn missed(&self, text: &mut String) {
        let worlds: [(&str, TrialOf); 2] =
            [("with processes", |row| &row.real), ("in virtual time", |row| &row.simulated)];
        for (world, trial) in worlds {
            let missed = |row: &&Row| trial(row).as_ref().is_some_and(|trial| trial.caught.is_none());
            let names: Vec<String> =
                self.rows.iter().filter(missed).map(|row| format!("`{}`", row.name)).collect();
            if !names.is_empty() {
                let _ = writeln!(text, "\n**Missed {world}:** {}", names.join(", "));
            }
        }
    }

    fn table(&self, text: &mut String) {
        let head = [
            "planted bug",
            "processes",
            "seen by",
            "s",
            "rate",
            "clients alone",
            "s",
            "rate",
            "virtual time",
            "seen by",
            "s",
            "rate",
            "shrunk to",
            "rate, virtual",
            "rate, processes",
        ];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        rows.extend(self.rows.iter().map(cells));
        let widths: Vec<usize> = (0..head.len())
            .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
            .collect();
        text.push('\n');
        for (number, row) in rows.iter().enumerate() {
            for (cell, width) in row.iter().zip(&widths) {
                let _ = write!(text, "| {cell:<width$} ");
            }
            text.push_str("|\n");
            if number == 0 {
                for width in &widths {
                    let _ = write!(text, "|{:-<1$}", "", width + 2);
                }
                text.push_str("|\n");
            }
        }
    }

    /// The commands, below the table: they are long.
    fn again(&self, text: &mut String) {
        text.push_str("\n## To see one again\n\n");
        for row in &self.rows {
            let caught =
                [&row.real, &row.simulated].into_iter().find_map(|trial| Row::caught(trial.as_ref()));
            if let Some(caught) = caught {
                let _ = writeln!(text, "- `{}`: {}  \n  `{}`", row.name, row.rule, caught.command);
            }
        }
    }
}

fn cells(row: &Row) -> Vec<String> {
    let mut cells = vec![row.name.clone()];
    cells.extend(trial_cells(row.real.as_ref()));
    cells.extend(client_cells(row.real.as_ref()));
    cells.extend(trial_cells(row.simulated.as_ref()));
    cells.extend(match &row.shrunk {
        None => ["", "", ""].map(str::to_owned),
        Some(shrunk) => [
            format!("{} faults", shrunk.faults),
            shrunk.simulated.short(),
            shrunk.real.map(|rate| rate.short()).unwrap_or_default(),
        ],
    });
    cells
}

fn trial_cells(trial: Option<&Trial>) -> [String; 4] {
    match trial {
        None => ["", "", "", ""].map(str::to_owned),
        Some(Trial { caught: None, runs, .. }) => {
            ["MISSED".to_owned(), format!("{runs} runs"), String::new(), String::new()]
        }
        Some(Trial { caught: Some(caught), .. }) => told(caught),
    }
}

/// How it was caught without a look inside, where that took runs of its own.
fn client_cells(trial: Option<&Trial>) -> [String; 3] {
    match (trial.and_then(Trial::black_box), trial.and_then(|trial| trial.by_clients.as_ref())) {
        (_, Some(alone)) => [alone.seen_by(), format!("{:.1}", alone.seconds), alone.rate.short()],
        (Some(_), None) => ["as well", "", ""].map(str::to_owned),
        (None, None) => ["", "", ""].map(str::to_owned),
    }
}

fn told(caught: &Catch) -> [String; 4] {
    ["caught".to_owned(), caught.seen_by(), format!("{:.1}", caught.seconds), caught.rate.short()]
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;

    #[test]
    fn what_was_missed_stands_above_the_table() {
        let text = sample().markdown();
        let missed = text.find("**Missed with processes:** `missed`").expect("told");
        let table = text.find("| planted bug").expect("a table");
        assert!(missed < table, "{text}");
        assert!(!text.contains("Missed in virtual time"), "{text}");
        assert!(text.contains("| caught    | append + nodes | 1.5  | 3/5 (23–88 %) | as well "), "{text}");
        assert!(text.contains("| 12.0 | 3/5 (23–88 %) | append        | 31.5 | 3/5 (23–88 %) |"), "{text}");
        assert!(text.contains("| 1 faults  | 20/20 (84–100 %) | 4/5 (38–96 %)   |"), "{text}");
        assert!(text.contains("- `inside`: a <rule>  \n  `antipaxos test -w append --seed 7`"), "{text}");
    }
}
