//! The matrix as one self-contained page.

use std::fmt::Write as _;

use super::{Catch, Matrix, Row, Shrunk, Trial};
use crate::markup::escaped;
use crate::rate::Rate;

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8884;--yes:#1a7f37;--no:#c62828;--bar:#4a7dbf}\
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:90rem;padding:0 1rem}\
table{border-collapse:collapse;width:100%}\
th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}\
thead th{position:sticky;top:0;background:Canvas}\
.world{border-left:2px solid var(--line)}\
.yes{color:var(--yes);font-weight:600}.no{color:var(--no);font-weight:700}.none{opacity:.5}\
small{opacity:.75;font-weight:400}code{font-size:.85em;overflow-wrap:anywhere}\
.rate{display:inline-block;width:7rem;height:.7rem;border:1px solid var(--line);position:relative}\
.rate i{position:absolute;top:0;bottom:0;background:var(--bar);opacity:.35}\
.rate b{position:absolute;top:-.1rem;bottom:-.1rem;width:2px;background:var(--bar)}\
pre{font-size:.75rem;overflow-x:auto}.scroll{overflow-x:auto}details{max-width:22rem}";

impl Matrix {
    /// The page: the same facts as the table, with the intervals drawn.
    pub(super) fn page(&self) -> String {
        let mut body = String::new();
        for row in &self.rows {
            let _ = writeln!(
                body,
                "<tr><th scope=row><code>{}</code><br><small>{}</small></th>{}{}{}</tr>",
                escaped(&row.name),
                escaped(&row.rule),
                trial(row.real.as_ref()),
                trial(row.simulated.as_ref()),
                shrunk(row)
            );
        }
        let told: String = self.told().lines().map(|line| format!("{}<br>", escaped(line))).collect();
        format!(
            "<!doctype html>\n<html lang=en><meta charset=utf-8>\
             <meta name=viewport content=\"width=device-width,initial-scale=1\">\
             <title>Detection matrix</title>\n<style>{STYLE}</style>\n\
             <h1>Detection matrix</h1>\n<p>{told}\n<p><small>Bench: {}. Node: {}. Bars: the rate at which the \
             cell, or the shrunk schedule, shows the bug, with Wilson's interval of 95 %.</small>\n\
             <div class=scroll><table>\n<thead><tr><th>planted bug<th class=world>with processes\
             <th class=world>in virtual time<th class=world>shrunk</tr></thead>\n<tbody>\n{body}</tbody></table></div>\n</html>\n",
            escaped(&self.binaries.antipaxos),
            escaped(&self.binaries.node)
        )
    }
}

fn trial(trial: Option<&Trial>) -> String {
    let Some(trial) = trial else {
        return "<td class=\"world none\">not tried</td>".to_owned();
    };
    let Some(caught) = &trial.caught else {
        let place = trial.missed.as_deref().map(escaped).unwrap_or_default();
        return format!(
            "<td class=world><span class=no>missed</span> in {} runs<br><small>{place}</small></td>",
            trial.runs
        );
    };
    let alone = trial.by_clients.as_ref().map(|alone| format!("<br>clients alone: {}", told(alone)));
    format!("<td class=world>{}{}</td>", told(caught), alone.unwrap_or_default())
}

fn told(caught: &Catch) -> String {
    format!(
        "<span class=yes>{}</span> after {:.1} s<br>{}<details><summary><small>{}</small></summary>\
         <code>{}</code></details>",
        escaped(&caught.seen_by()),
        caught.seconds,
        bar(caught.rate),
        escaped(&caught.cell),
        escaped(&caught.command)
    )
}

fn shrunk(row: &Row) -> String {
    let Some(Shrunk { size, schedule, simulated, real, complete, .. }) = &row.shrunk else {
        return "<td class=\"world none\">–</td>".to_owned();
    };
    let real = real.map(|rate| format!("<br>processes {}", bar(rate))).unwrap_or_default();
    let more = if *complete { "" } else { "<br><small>the budget ended it</small>" };
    format!(
        "<td class=world>{}{more}<br>virtual {}{real}<details><summary><small>the schedule</small></summary>\
         <pre>{}</pre></details></td>",
        escaped(size),
        bar(*simulated),
        escaped(schedule)
    )
}

/// An interval and the share within it.
fn bar(rate: Rate) -> String {
    let (low, high) = rate.interval();
    let share = rate.hits as f64 / rate.tries.max(1) as f64;
    format!(
        "<span class=rate title=\"{rate}\"><i style=\"left:{:.1}%;width:{:.1}%\"></i><b style=\"left:{:.1}%\"></b></span> \
         <small>{}/{}</small>",
        low * 100.0,
        (high - low) * 100.0,
        share * 100.0,
        rate.hits,
        rate.tries
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;

    #[test]
    fn every_row_is_on_the_page_and_nothing_is_taken_for_markup() {
        let page = sample().page();
        for name in ["everywhere", "inside", "later", "missed", "not-tried"] {
            assert!(page.contains(&format!("<code>{name}</code>")), "{name}");
        }
        assert!(page.contains("a &lt;rule&gt;") && !page.contains("<rule>"));
        assert!(page.contains("<span class=no>missed</span> in 3 runs<br><small>mutants/the-last"));
        assert!(page.contains("clients alone: <span class=yes>append</span> after 31.5 s"));
        assert!(page.contains("1 faults") && page.contains("<pre>name = &quot;&lt;least&gt;&quot;"));
        assert!(!page.contains("http"), "self-contained");
    }
}
