//! A worker for each file, several at once, and what becomes of them in order.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use checker::{KeyOrder, Report, Verdict};
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};

use super::super::reading::STDIN;
use super::super::{complain, interrupt, output};
use super::{Arguments, Said};
use crate::run::verdict::{Answer as Answered, HARNESS_FAILED};

/// After its own time is over a worker should have said so; this much later it is killed.
const GRACE: Duration = Duration::from_secs(5);
/// Of what a worker wrote to stderr this much is looked at.
const STDERR_BYTES_MAX: u64 = 64 << 10;

/// What is known of one file in the end.
struct Answer {
    /// How the file was understood: format and model.
    read_as: Option<(String, String)>,
    report: Report,
    orders: Vec<KeyOrder>,
    missing: Vec<String>,
    /// Whether the report was shown already.
    is_shown: bool,
}

impl Answer {
    fn unknown(reason: impl Into<String>) -> Self {
        Self {
            is_shown: false,
            read_as: None,
            report: Report::unknown("check", reason),
            orders: Vec::new(),
            missing: Vec::new(),
        }
    }
}

pub(super) fn main(arguments: &Arguments) -> u8 {
    let own = match std::env::current_exe() {
        Ok(own) => own,
        Err(error) => return complain(HARNESS_FAILED, &format!("cannot find this program again: {error}")),
    };
    // Whether anything told so far was invalid. Workers die with this process.
    let found = Arc::new(AtomicBool::new(false));
    let told_so_far = found.clone();
    let code = move || {
        if told_so_far.load(Ordering::Relaxed) { Answered::Invalid } else { Answered::Unknown }.code()
    };
    if let Err(error) = interrupt::ends_the_program(code) {
        return complain(HARNESS_FAILED, &format!("cannot listen for signals: {error}"));
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let bar = progress(arguments.files.len());
    let next = AtomicUsize::new(0);
    let (told, answers) = mpsc::channel();
    let exit = std::thread::scope(|scope| {
        for _ in 0..cores.min(arguments.files.len()) {
            let (told, next, own, bar) = (told.clone(), &next, &own, &bar);
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(file) = arguments.files.get(number) else { return };
                    let answer = judge(own, arguments, file, bar);
                    if told.send((number, answer)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(told);
        tell(arguments, answers, &bar, &found)
    });
    bar.finish_and_clear();
    exit
}

/// Tells the answers in the order of the files, each as soon as those before it are told.
fn tell(
    arguments: &Arguments,
    answers: mpsc::Receiver<(usize, Answer)>,
    bar: &ProgressBar,
    found: &AtomicBool,
) -> u8 {
    let mut waiting: Vec<Option<Answer>> = arguments.files.iter().map(|_| None).collect();
    let mut counts = [0usize; 3];
    let (mut verdict, mut next, mut no_page) = (Verdict::Valid, 0, false);
    for (number, answer) in answers {
        waiting[number] = Some(answer);
        while let Some(answer) = waiting.get_mut(next).and_then(Option::take) {
            let text = text(arguments, &arguments.files[next], &answer);
            counts[usize::from(answer.report.verdict.exit_code())] += 1;
            no_page |= arguments.html.is_some() && !answer.missing.is_empty();
            verdict = verdict.merge(answer.report.verdict);
            found.store(verdict.is_invalid(), Ordering::Relaxed);
            let heard = bar.suspend(|| output::answer(&text, verdict.exit_code()));
            if heard != verdict.exit_code() {
                return heard;
            }
            bar.inc(1);
            next += 1;
        }
    }
    let code = match verdict {
        // What was asked for is not there.
        Verdict::Valid if no_page => HARNESS_FAILED,
        _ => verdict.exit_code(),
    };
    if arguments.json || arguments.files.len() == 1 {
        return code;
    }
    let [valid, invalid, unknown] = counts;
    let files = arguments.files.len();
    let word = verdict.word();
    output::answer(
        &format!(
            "{files} histories: {valid} valid, {invalid} invalid, {unknown} unknown\nverdict: {word} (exit {code})\n"
        ),
        code,
    )
}

fn text(arguments: &Arguments, file: &Path, answer: &Answer) -> String {
    let Answer { read_as, report, orders, missing, is_shown } = answer;
    if arguments.json {
        let (format, model) = read_as.as_ref().map(|(format, model)| (format, model)).unzip();
        let mut line = serde_json::json!({ "file": file, "format": format, "model": model });
        if let (Some(line), Ok(serde_json::Value::Object(report))) =
            (line.as_object_mut(), serde_json::to_value(report))
        {
            line.extend(report);
            if arguments.explain {
                line.insert("orders".to_owned(), serde_json::json!(orders));
            }
            if !missing.is_empty() {
                line.insert("missing".to_owned(), serde_json::json!(missing));
            }
        }
        return format!("{line}\n");
    }
    let mut text = if *is_shown { String::new() } else { head(arguments, file, answer) };
    for order in orders {
        tell_order(&mut text, order);
    }
    for missing in missing {
        let _ = writeln!(text, "  {missing}");
    }
    if arguments.files.len() == 1 {
        let (word, code) = (report.verdict.word(), report.verdict.exit_code());
        let _ = writeln!(text, "verdict: {word} (exit {code})");
    }
    text
}

/// How the file was read, and the report.
fn head(arguments: &Arguments, file: &Path, Answer { read_as, report, .. }: &Answer) -> String {
    let mut text = String::new();
    match (read_as, &arguments.files[..]) {
        (Some((format, model)), [_]) => {
            let _ = writeln!(text, "read as {format}, judged as {model}");
        }
        (None, [_]) => {}
        (Some((format, _)), _) => {
            let _ = write!(text, "{} ({format}): ", file.display());
        }
        (None, _) => {
            let _ = write!(text, "{}: ", file.display());
        }
    }
    let _ = write!(text, "{report}");
    text
}

/// Operations of an order that are shown; JSON has all of them.
const ORDER_SHOWN_MAX: usize = 40;

fn tell_order(text: &mut String, KeyOrder { key, engine, order }: &KeyOrder) {
    let of_key = key.as_ref().map_or(String::new(), |key| format!(" of key {key}"));
    let shown: Vec<String> = order.iter().take(ORDER_SHOWN_MAX).map(ToString::to_string).collect();
    let more = match order.len().saturating_sub(ORDER_SHOWN_MAX) {
        0 => String::new(),
        more => format!(" … and {more} more (--json shows all)"),
    };
    let _ = writeln!(
        text,
        "  an order{of_key} that explains every answer ({engine}, verified), by the index of each invocation:\n    {}{more}",
        shown.join(" ")
    );
}

/// A bar on a terminal, nothing elsewhere: a check is silent until it has something to say.
fn progress(files: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(files as u64);
    let style = ProgressStyle::with_template("{spinner} {pos}/{len} {elapsed} {wide_msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn judge(own: &Path, arguments: &Arguments, file: &Path, bar: &ProgressBar) -> Answer {
    bar.set_message(format!("reading {}", file.display()));
    let mut child = match worker(own, arguments, file).spawn() {
        Ok(child) => child,
        Err(error) => return Answer::unknown(format!("cannot start a process for the check: {error}")),
    };
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        unreachable!("both were asked for");
    };
    let over = Mutex::new(false);
    let child = Mutex::new(child);
    let (done, finished) = mpsc::channel::<()>();
    let (heard, complaint) = std::thread::scope(|scope| {
        let (child, over) = (&child, &over);
        scope.spawn(move || {
            if finished.recv_timeout(arguments.timeout + GRACE) == Err(mpsc::RecvTimeoutError::Timeout) {
                *lock(over) = true;
                let _ = lock(child).kill();
            }
        });
        let complaint = scope.spawn(|| {
            let mut text = String::new();
            let _ = stderr.take(STDERR_BYTES_MAX).read_to_string(&mut text);
            text
        });
        let heard = Heard::from(stdout, arguments, file, bar);
        drop(done);
        (heard, complaint.join().unwrap_or_default())
    });
    let ended = lock(&child).wait();
    let over = *lock(&over);
    let no_page = || {
        let page = arguments.html.as_ref()?;
        Some(format!("no page was drawn, for want of a verdict: {} is not of this history", page.display()))
    };
    if let Some(mut answer) = heard.answer {
        if over {
            answer.missing.push("what else was asked for was not ready in time".to_owned());
        } else if !heard.judged {
            answer.missing.extend(no_page());
        }
        return answer;
    }
    let how_far = match &heard.read_as {
        Some((_, model, ops)) => format!("while the {ops} ops that were read were judged as {model}"),
        None => "while the file was read".to_owned(),
    };
    let why = match ended {
        _ if over => format!("the time limit of {:?} was met", arguments.timeout),
        Ok(_) if complaint.contains("memory allocation of") => {
            format!("the memory limit of {} MiB was met", arguments.memory)
        }
        Ok(status) => match status.signal() {
            Some(signal) => format!("the check was ended by signal {signal}: {}", complaint.trim()),
            None => format!("the check failed ({status}): {}", complaint.trim()),
        },
        Err(error) => format!("the check can't be waited for: {error}"),
    };
    let read_as = heard.read_as.map(|(format, model, _)| (format, model));
    let missing = no_page().into_iter().collect();
    Answer { read_as, missing, ..Answer::unknown(format!("{why} {how_far}")) }
}

/// What a worker said while it lived.
struct Heard {
    /// Format, model and number of ops, once the file was read.
    read_as: Option<(String, String, usize)>,
    answer: Option<Answer>,
    /// Whether that is a verdict.
    judged: bool,
}

impl Heard {
    /// Listens until the worker says no more.
    fn from(stdout: impl Read, arguments: &Arguments, file: &Path, bar: &ProgressBar) -> Self {
        let mut heard = Heard { read_as: None, answer: None, judged: false };
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let read_as = heard.read_as.clone().map(|(format, model, _)| (format, model));
            heard.answer = Some(match serde_json::from_str(&line) {
                Ok(Said::Judging { format, model, ops }) => {
                    bar.set_message(format!("judging {}: {ops} ops as {model}", file.display()));
                    heard.read_as = Some((format, model, ops));
                    continue;
                }
                Ok(Said::Refused(reason)) => Answer { read_as, ..Answer::unknown(reason) },
                Ok(Said::Judged(report)) => {
                    heard.judged = true;
                    let mut answer = Answer { read_as, report: *report, ..Answer::unknown("") };
                    // The rest may take long, and a verdict need not wait for it.
                    if arguments.files.len() == 1 && !arguments.json {
                        bar.suspend(|| output::show(&head(arguments, file, &answer)));
                        answer.is_shown = true;
                    }
                    answer
                }
                Ok(Said::Ordered(orders)) => {
                    heard.answer.iter_mut().for_each(|answer| answer.orders.clone_from(&orders));
                    continue;
                }
                Ok(Said::Missing(why)) => {
                    heard.answer.iter_mut().for_each(|answer| answer.missing.push(why.clone()));
                    continue;
                }
                Err(error) => {
                    let reason = format!("the check said something else than an answer: {error}");
                    Answer { read_as, ..Answer::unknown(reason) }
                }
            });
        }
        heard
    }
}

fn worker(own: &Path, arguments: &Arguments, file: &Path) -> Command {
    let mut command = Command::new(own);
    command.arg("check").arg("--worker-of").arg(std::process::id().to_string());
    command.arg("--timeout").arg(arguments.timeout.as_secs_f64().to_string());
    command.arg("--memory").arg(arguments.memory.to_string());
    let mut option = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            command.arg(format!("{name}={value}"));
        }
    };
    option("--model", arguments.model.clone());
    option("--initial", arguments.initial.clone());
    option("--nil-reads", arguments.nil_reads.and_then(name_of));
    option("--consistency", arguments.consistency.map(|level| level.name().to_owned()));
    option("--keys", arguments.keys.and_then(name_of));
    option("--failed-cas", arguments.failed_cas.and_then(name_of));
    if arguments.explain {
        command.arg("--explain");
    }
    if let Some(page) = &arguments.html {
        command.arg("--html").arg(page);
    }
    // What looks like a flag is a file all the same.
    command.arg("--").arg(file);
    let piped = file == Path::new(STDIN);
    command
        .stdin(if piped { Stdio::inherit() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// How a choice is spelt on the command line.
fn name_of(choice: impl ValueEnum) -> Option<String> {
    choice.to_possible_value().map(|value| value.get_name().to_owned())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
