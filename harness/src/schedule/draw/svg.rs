//! The timeline as a picture: one file that needs nothing else.

use crate::markup::escaped;
use std::fmt::Write;
use std::time::Duration;

use super::{Lane, Timeline, tick};
use crate::schedule::phrase::time;
use crate::schedule::words::Time;

const WIDTH: f64 = 1_000.0;
/// Left of it stand the ids.
const LEFT: f64 = 216.0;
const RIGHT: f64 = 24.0;
/// Above it stand the title, the axis and the names of the phases.
const TOP: f64 = 92.0;
const LANE: f64 = 46.0;
const CHOICE: f64 = 22.0;
const BAR: f64 = 16.0;
/// Characters that fit: of an id, of a note below a bar, of a note beside a choice.
const ID_CHARS: usize = 27;
const NOTE_CHARS: usize = 122;

const STYLE: &str = "\
:root{--page:#fff;--ink:#1b1f24;--soft:#57606a;--line:#d5dae0;--band:#f5f7f9;--sure:#b3421f;--maybe:#f0b49f;--arrow:#5b3fa6}
@media(prefers-color-scheme:dark){:root{--page:#14171b;--ink:#e7eaee;--soft:#9aa4af;--line:#343b43;--band:#1b2026;--sure:#ff8a5c;--maybe:#6e3a26;--arrow:#b7a1ff}}
text{font:13px system-ui,-apple-system,'Segoe UI',sans-serif;fill:var(--ink)}
.title{font-size:17px;font-weight:600}.soft{fill:var(--soft);font-size:12px;font-weight:400}.id{font-weight:600}
.page{fill:var(--page)}.band{fill:var(--band)}.line{stroke:var(--line)}.sure{fill:var(--sure)}.maybe{fill:var(--maybe)}.arrow{fill:var(--arrow)}";

pub(super) fn draw(timeline: &Timeline) -> String {
    let lanes: f64 = timeline.lanes.iter().map(height).sum();
    let bottom = TOP + lanes;
    let whole = bottom + 40.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {whole}\" width=\"{WIDTH}\" height=\"{whole}\" \
         role=\"img\">\n<title>{}</title>\n<style>{STYLE}</style>\n\
         <rect class=\"page\" width=\"{WIDTH}\" height=\"{whole}\"/>\n",
        escaped(&format!("The schedule {}", timeline.name)),
    );
    let _ = writeln!(
        out,
        "<text class=\"title\" x=\"16\" y=\"30\">{}<tspan class=\"soft\" dx=\"10\">{}</tspan></text>",
        escaped(&timeline.name),
        timeline.length
    );
    frame(timeline, bottom, &mut out);
    let mut y = TOP;
    for lane in &timeline.lanes {
        draw_lane(lane, y, timeline.whole, &mut out);
        y += height(lane);
    }
    legend(bottom + 26.0, &mut out);
    out.push_str("</svg>\n");
    out
}

fn height(lane: &Lane) -> f64 {
    if lane.is_choice { CHOICE } else { LANE }
}

/// The place of a time.
fn x(at: Duration, whole: Duration) -> f64 {
    let share = at.as_secs_f64() / whole.as_secs_f64().max(f64::MIN_POSITIVE);
    LEFT + share * (WIDTH - LEFT - RIGHT)
}

/// Phases as bands, and the axis.
fn frame(timeline: &Timeline, bottom: f64, out: &mut String) {
    let whole = timeline.whole;
    for (at, (name, from, to)) in timeline.phases.iter().enumerate() {
        let (left, right) = (x(*from, whole), x(*to, whole));
        if at % 2 == 0 {
            let _ = writeln!(
                out,
                "<rect class=\"band\" x=\"{left:.1}\" y=\"62\" width=\"{:.1}\" height=\"{:.1}\"/>",
                right - left,
                bottom - 62.0
            );
        }
        let fits = ((right - left - 8.0) / 9.0).max(0.0) as usize;
        let _ = writeln!(
            out,
            "<text class=\"id\" x=\"{:.1}\" y=\"79\">{}<title>{}</title></text>",
            left + 6.0,
            escaped(&shortened(name, fits)),
            escaped(&format!("{name}, {}", time(*to - *from)))
        );
    }
    let tick = tick(whole, 14);
    let mut at = Duration::ZERO;
    while at <= whole {
        let place = x(at, whole);
        let _ = writeln!(
            out,
            "<path class=\"line\" d=\"M{place:.1} 62V{bottom:.1}\"/>\
             <text class=\"soft\" x=\"{place:.1}\" y=\"55\" text-anchor=\"middle\">{}</text>",
            Time(at)
        );
        at += tick;
    }
}

fn draw_lane(lane: &Lane, y: f64, whole: Duration, out: &mut String) {
    if lane.is_choice {
        let _ = writeln!(
            out,
            "<text class=\"soft\" x=\"30\" y=\"{:.1}\">{}</text><text class=\"soft\" x=\"{:.1}\" y=\"{:.1}\">{}<title>{}</title></text>",
            y + 13.0,
            escaped(&shortened(&lane.id, ID_CHARS - 3)),
            LEFT + 6.0,
            y + 13.0,
            escaped(&shortened(&lane.note, NOTE_CHARS)),
            escaped(&lane.note),
        );
        return;
    }
    let _ = writeln!(
        out,
        "<path class=\"line\" d=\"M16 {y:.1}H{:.1}\"/><text class=\"id\" x=\"16\" y=\"{:.1}\">{}<title>{}</title></text>",
        WIDTH - RIGHT,
        y + 18.0,
        escaped(&shortened(&lane.id, ID_CHARS)),
        escaped(&lane.id),
    );
    for sure in [false, true] {
        for bar in lane.bars.iter().filter(|bar| bar.sure == sure) {
            let (left, right) = (x(bar.from, whole), x(bar.to, whole));
            let _ = writeln!(
                out,
                "<rect class=\"{}\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{BAR}\" rx=\"3\"/>",
                if sure { "sure" } else { "maybe" },
                y + 6.0,
                (right - left).max(2.0)
            );
        }
    }
    for arrow in &lane.arrows {
        let (left, top) = (x(*arrow, whole), y + 4.0);
        let _ = writeln!(out, "<path class=\"arrow\" d=\"M{left:.1} {top:.1}v20l13 -10z\"/>");
    }
    let _ = writeln!(
        out,
        "<text class=\"soft\" x=\"{:.1}\" y=\"{:.1}\">{}<title>{}</title></text>",
        LEFT + 6.0,
        y + 38.0,
        escaped(&shortened(&lane.note, NOTE_CHARS)),
        escaped(&lane.note)
    );
}

fn legend(y: f64, out: &mut String) {
    let _ = writeln!(
        out,
        "<rect class=\"sure\" x=\"{LEFT}\" y=\"{0:.1}\" width=\"18\" height=\"11\" rx=\"3\"/>\
         <text class=\"soft\" x=\"{1}\" y=\"{y:.1}\">at its earliest and shortest</text>\
         <rect class=\"maybe\" x=\"{2}\" y=\"{0:.1}\" width=\"18\" height=\"11\" rx=\"3\"/>\
         <text class=\"soft\" x=\"{3}\" y=\"{y:.1}\">as far as it may reach</text>\
         <path class=\"arrow\" d=\"M{4} {0:.1}v11l9 -5.5z\"/>\
         <text class=\"soft\" x=\"{5}\" y=\"{y:.1}\">waits for something, which comes here at the earliest</text>",
        y - 10.0,
        LEFT + 24.0,
        LEFT + 200.0,
        LEFT + 224.0,
        LEFT + 372.0,
        LEFT + 388.0,
    );
}

fn shortened(text: &str, chars: usize) -> String {
    if text.chars().count() <= chars {
        return text.to_owned();
    }
    text.chars().take(chars.saturating_sub(1)).chain(['…']).collect()
}
