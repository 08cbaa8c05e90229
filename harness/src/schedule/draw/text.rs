//! The timeline in a terminal.

use std::time::Duration;

use super::{Lane, Timeline, tick};
use crate::schedule::words::Time;

/// Narrower than that nothing can be seen.
const WIDTH_MIN: usize = 40;
/// The widest id that is shown in full.
const LABEL_MAX: usize = 28;
/// Room for a mark on the axis with its label.
const MARK_WIDTH: usize = 8;

const SURE: char = '█';
const MAYBE: char = '░';
const ARROW: char = '▶';

pub(super) fn draw(timeline: &Timeline, width: usize) -> String {
    let labels = timeline.lanes.iter().map(|lane| label(lane).chars().count());
    let label_width = labels.max().unwrap_or(0).clamp(8, LABEL_MAX) + 1;
    let scale = Scale { columns: width.max(WIDTH_MIN) - label_width, whole: timeline.whole };
    let mut out = format!("{}, {}\n\n", timeline.name, timeline.length);
    let margin = " ".repeat(label_width);
    out.push_str(&format!("{margin}{}\n", axis(&scale)));
    out.push_str(&format!("{margin}{}\n", phases(timeline, &scale)));
    for lane in &timeline.lanes {
        if lane.is_choice {
            let note = cut(&lane.note, scale.columns);
            out.push_str(&format!("{:<label_width$}{note}\n", cut(&label(lane), label_width - 1)));
            continue;
        }
        let bars = row(lane, &scale);
        out.push_str(&format!("{:<label_width$}{}\n", cut(&label(lane), label_width - 1), bars.trim_end()));
        out.push_str(&format!("{margin}{}\n", cut(&lane.note, scale.columns)));
    }
    let bars = timeline.lanes.iter().flat_map(|lane| &lane.bars);
    if bars.clone().any(|bar| bar.sure) {
        out.push_str(&format!("\n{SURE} at its earliest and shortest"));
    }
    if bars.clone().any(|bar| !bar.sure) {
        out.push_str(&format!("\n{MAYBE} as far as it may reach"));
    }
    if timeline.lanes.iter().any(|lane| !lane.arrows.is_empty()) {
        out.push_str(&format!("\n{ARROW} waits for something, which comes here at the earliest"));
    }
    out.trim_end().to_owned() + "\n"
}

fn label(lane: &Lane) -> String {
    format!("{}{}", if lane.is_choice { "  " } else { "" }, lane.id)
}

/// At most so many characters.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

struct Scale {
    columns: usize,
    whole: Duration,
}

impl Scale {
    /// The column of a time.
    fn column(&self, at: Duration) -> usize {
        let share = at.as_secs_f64() / self.whole.as_secs_f64().max(f64::MIN_POSITIVE);
        ((share * self.columns as f64).round() as usize).min(self.columns)
    }
}

fn axis(scale: &Scale) -> String {
    let tick = tick(scale.whole, (scale.columns / MARK_WIDTH) as u32);
    let mut cells = vec![' '; scale.columns + MARK_WIDTH];
    let mut at = Duration::ZERO;
    while at <= scale.whole {
        for (offset, letter) in Time(at).to_string().chars().enumerate() {
            if let Some(cell) = cells.get_mut(scale.column(at) + offset) {
                *cell = letter;
            }
        }
        at += tick;
    }
    cells.into_iter().collect::<String>().trim_end().to_owned()
}

/// `├─ warm-up ──┼─ chaos ─────`
fn phases(timeline: &Timeline, scale: &Scale) -> String {
    let mut out = String::new();
    for (at, (name, from, to)) in timeline.phases.iter().enumerate() {
        let width = scale.column(*to) - scale.column(*from);
        let edge = if at == 0 { '├' } else { '┼' };
        let text =
            if name.chars().count() + 5 <= width { format!("{edge}─ {name} ") } else { edge.to_string() };
        let shown: String = text.chars().chain(std::iter::repeat('─')).take(width).collect();
        out.push_str(&shown);
    }
    out
}

fn row(lane: &Lane, scale: &Scale) -> String {
    let mut cells = vec![' '; scale.columns];
    let last = scale.columns.saturating_sub(1);
    // What is sure stands above what may be, and the arrow above both.
    for sure in [false, true] {
        for bar in lane.bars.iter().filter(|bar| bar.sure == sure) {
            let from = scale.column(bar.from).min(last);
            let to = scale.column(bar.to).max(from + 1);
            let mark = if sure { SURE } else { MAYBE };
            cells.iter_mut().take(to).skip(from).for_each(|cell| *cell = mark);
        }
    }
    for arrow in &lane.arrows {
        if let Some(cell) = cells.get_mut(scale.column(*arrow).min(last)) {
            *cell = ARROW;
        }
    }
    cells.into_iter().collect()
}
