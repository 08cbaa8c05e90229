//! A long fuzz: seeds without end over many targets, on all cores, until the time is up.
//!
//! A target is a name and a function of a seed that says what went wrong, or panics with it. The driver is
//! compiled into both test binaries, that of the crate (where targets see the engines) and that of its
//! public face, and each lists its own targets. What it does depends on the environment:
//!
//! | variable | meaning |
//! |---|---|
//! | none | a few seeds of each target: a part of `make test` |
//! | `CHECKER_FUZZ_SECONDS` | so long; `make fuzz-checker TIME=…` sets it |
//! | `CHECKER_FUZZ_SEED` | the first seed, and without seconds the only one; else it is drawn from the clock |
//! | `CHECKER_FUZZ_TARGET` | only targets with this text in their names |

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A name, and what tries a seed.
pub(crate) type Target = (&'static str, fn(u64) -> Result<(), String>);

/// After so many disagreements there is enough to look at.
const FAILURES_MAX: usize = 5;
/// How often the rate is told.
const TELL: Duration = Duration::from_secs(10);

thread_local! {
    /// The last panic of this thread, and where, while it tries a seed.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Panics of a thread that tries a seed are kept for the report; those of other tests are shown as ever.
fn keep_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| match PANIC.take() {
            Some(_) => PANIC.set(Some(panic.to_string())),
            None => usual(panic),
        }));
    });
}

/// What the environment asks for.
struct Asked {
    seconds: Option<u64>,
    seed: Option<u64>,
    target: String,
}

impl Asked {
    fn from_environment() -> Self {
        let text = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let number = |name: &str| {
            text(name).map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
        };
        Self {
            seconds: number("CHECKER_FUZZ_SECONDS"),
            seed: number("CHECKER_FUZZ_SEED"),
            target: text("CHECKER_FUZZ_TARGET").unwrap_or_default(),
        }
    }
}

/// Fuzzes the targets as the environment asks, by default so many seeds of each. Panics if anything went
/// wrong.
pub(crate) fn run(targets: &[Target], usual: u64) {
    let asked = Asked::from_environment();
    let targets: Vec<Target> =
        targets.iter().copied().filter(|(name, _)| name.contains(&*asked.target)).collect();
    if targets.is_empty() {
        return;
    }
    let failures = match (asked.seconds, asked.seed) {
        (Some(seconds), first) => long(&targets, seconds, first),
        (None, Some(seed)) => targets.iter().filter_map(|target| attempt(*target, seed)).collect(),
        (None, None) => {
            let seeds = targets.iter().flat_map(|target| (0..usual).map(|seed| (*target, seed)));
            seeds.filter_map(|(target, seed)| attempt(target, seed)).take(FAILURES_MAX).collect()
        }
    };
    assert!(failures.is_empty(), "{} disagreements:\n{}", failures.len(), failures.join("\n"));
}

fn long(targets: &[Target], seconds: u64, first: Option<u64>) -> Vec<String> {
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    // Far apart from one start to the next, and short enough to be typed.
    let first = first.unwrap_or_else(|| clock().wrapping_mul(1_000_003) % 1_000_000_000_000);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{seconds} s on {cores} cores, first seed {first}, {} targets", targets.len());
    let (began, next) = (Instant::now(), AtomicU64::new(0));
    let tried: Vec<AtomicU64> = targets.iter().map(|_| AtomicU64::new(0)).collect();
    let failures = Mutex::new(Vec::new());
    let failed = || failures.lock().map_or(FAILURES_MAX, |failures| failures.len());
    let over = || began.elapsed().as_secs() >= seconds || failed() >= FAILURES_MAX;
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while !over() {
                    let turn = next.fetch_add(1, Ordering::Relaxed);
                    let which = (turn % targets.len() as u64) as usize;
                    let seed = first.wrapping_add(turn / targets.len() as u64);
                    let failure = attempt(targets[which], seed);
                    tried[which].fetch_add(1, Ordering::Relaxed);
                    if let (Some(failure), Ok(mut failures)) = (failure, failures.lock()) {
                        println!("{failure}");
                        failures.push(failure);
                    }
                }
            });
        }
        let mut told = Instant::now();
        while !over() {
            std::thread::sleep(Duration::from_millis(100));
            if told.elapsed() >= TELL {
                told = Instant::now();
                let done: u64 = tried.iter().map(|tried| tried.load(Ordering::Relaxed)).sum();
                let rate = done as f64 / began.elapsed().as_secs_f64();
                println!("{:>6} s: {done} seeds, {rate:.0}/s", began.elapsed().as_secs());
            }
        }
    });
    for ((name, _), tried) in targets.iter().zip(&tried) {
        println!("{name:<40} {:>12} seeds", tried.load(Ordering::Relaxed));
    }
    failures.into_inner().unwrap_or_default()
}

/// Tries one seed; a disagreement is written down, and how to repeat it.
fn attempt((name, target): Target, seed: u64) -> Option<String> {
    keep_panics();
    PANIC.set(Some(String::new()));
    let result = catch_unwind(AssertUnwindSafe(|| target(seed)));
    let panic = PANIC.take();
    let what = match result {
        Ok(Ok(())) => return None,
        Ok(Err(what)) => what,
        Err(_) => panic.unwrap_or_default(),
    };
    let repeat = format!("make fuzz-checker TARGET={name} SEED={seed} TIME=0");
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/fuzz");
    let file = folder.join(format!("{name}-{seed}.txt"));
    let written = std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(&file, format!("{repeat}\n\n{what}\n")));
    let place = match written {
        Ok(()) => format!("written to {}", file.display()),
        Err(error) => format!("not written: {error}"),
    };
    Some(format!("{name}, seed {seed}: {what}\nagain: {repeat}\n{place}\n"))
}

/// The fewest items, taken one by one out of the given ones, of which the same is still true.
#[allow(dead_code, reason = "each of the two test binaries uses what it needs")]
pub(crate) fn shrink<T: Clone>(items: &[T], still: impl Fn(&[T]) -> bool) -> Vec<T> {
    let mut left = items.to_vec();
    let mut size = left.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < left.len() {
            let end = (at + size).min(left.len());
            let fewer: Vec<T> = left[..at].iter().chain(&left[end..]).cloned().collect();
            if still(&fewer) {
                left = fewer;
            } else {
                at = end;
            }
        }
        size /= 2;
    }
    left
}

#[test]
fn a_panic_and_an_error_are_disagreements_and_are_written_down() {
    let target: Target = ("driver-self-test", |seed| match seed {
        1 => Err("said so".to_owned()),
        2 => panic!("fell over"),
        _ => Ok(()),
    });
    let told: Vec<_> = (0..3).map(|seed| attempt(target, seed)).collect();
    assert_eq!(told[0], None);
    for (told, word) in [(&told[1], "said so"), (&told[2], "fell over")] {
        let told = told.as_deref().unwrap_or_default();
        assert!(told.contains(word) && told.contains("TARGET=driver-self-test"), "{told}");
        let file = told.split("written to ").nth(1).map(str::trim).unwrap_or_default();
        let written = std::fs::read_to_string(file).unwrap_or_default();
        assert!(written.contains(word), "{file}: {written}");
        assert!(std::fs::remove_file(file).is_ok());
    }
}

#[test]
fn what_is_left_is_needed() {
    let items: Vec<u32> = (0..100).collect();
    let left = shrink(&items, |items| items.contains(&17) && items.contains(&71));
    assert_eq!(left, [17, 71]);
}
