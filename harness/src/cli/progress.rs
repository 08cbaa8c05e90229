//! Progress: a moving bar on a terminal, plain lines elsewhere. On stderr; results go to stdout.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::remark;
use crate::run::progress::{Moment, Progress};

/// Between two lines of status where no bar can move.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// The display that suits stderr.
pub(super) fn suitable() -> std::sync::Arc<dyn Progress> {
    if std::io::stderr().is_terminal() {
        std::sync::Arc::new(Bar::new())
    } else {
        std::sync::Arc::new(Lines { began: Instant::now(), last: Mutex::new(Instant::now()) })
    }
}

/// No display at all: for one of many runs, whose sum is told.
pub(super) fn quiet() -> std::sync::Arc<dyn Progress> {
    std::sync::Arc::new(Quiet)
}

struct Quiet;

impl Progress for Quiet {
    fn say(&self, _line: &str) {}

    fn show(&self, _moment: &Moment) {}

    fn done(&self) {}
}

/// Lines with their time.
struct Lines {
    began: Instant,
    last: Mutex<Instant>,
}

impl Progress for Lines {
    fn say(&self, line: &str) {
        remark(&format!("[{:>6.1}s] {line}", self.began.elapsed().as_secs_f64()));
    }

    fn show(&self, moment: &Moment) {
        let Ok(mut last) = self.last.lock() else { return };
        if last.elapsed() >= LINE_INTERVAL {
            *last = Instant::now();
            self.say(&status(moment));
        }
    }

    fn done(&self) {}
}

/// A bar over the time limit.
struct Bar {
    bar: ProgressBar,
}

impl Bar {
    fn new() -> Bar {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{elapsed:>4} {bar:30.cyan/dim} {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Bar { bar }
    }
}

impl Progress for Bar {
    fn say(&self, line: &str) {
        self.bar.println(format!("[{:>6.1}s] {line}", self.bar.elapsed().as_secs_f64()));
    }

    fn show(&self, moment: &Moment) {
        self.bar.set_length(moment.time_limit.as_millis() as u64);
        self.bar.set_position(moment.elapsed.min(moment.time_limit).as_millis() as u64);
        self.bar.set_message(status(moment));
    }

    fn done(&self) {
        self.bar.finish_and_clear();
    }
}

fn status(moment: &Moment) -> String {
    let fault = moment.fault.as_ref().map(|fault| format!(" [{fault}]")).unwrap_or_default();
    let counts = moment.counts;
    format!(
        "{}{fault}: {} ok, {} failed, {} unknown; leader {}",
        moment.phase, counts.ok, counts.failed, counts.unknown, moment.leader
    )
}
