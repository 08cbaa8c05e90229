//! The loops against a store that is made of nothing but its answers.

use super::super::contender::{Place, Standing};
use super::*;
use crate::process::CommandSpec;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, LocalBoxFuture};

/// How the store answers.
#[derive(Copy, Clone)]
enum Answer {
    /// At once.
    AtOnce,
    /// At once, with a refusal.
    Refusal,
    /// Never.
    Never,
}

#[derive(Clone)]
struct Fake(Answer);

impl Fake {
    fn answer(&self) -> LocalBoxFuture<'static, Result<(), String>> {
        let answer = self.0;
        async move {
            match answer {
                Answer::AtOnce => {
                    tokio::task::yield_now().await;
                    Ok(())
                }
                Answer::Refusal => Err("no leader".to_owned()),
                Answer::Never => std::future::pending().await,
            }
        }
        .boxed_local()
    }
}

impl Contender for Fake {
    fn name(&self) -> &str {
        "fake"
    }
    fn version(&self) -> Result<String, BenchError> {
        Ok("fake 1".to_owned())
    }
    fn command(&self, _place: &Place, _all: &[Place]) -> CommandSpec {
        unreachable!("it has no processes")
    }
    fn standing<'a>(&'a self, _place: &'a Place) -> BoxFuture<'a, Result<Standing, String>> {
        async { Ok(Standing::default()) }.boxed()
    }
    fn connect(&self, _address: SocketAddr) -> LocalBoxFuture<'_, Result<Rc<dyn Line>, String>> {
        let line: Rc<dyn Line> = Rc::new(self.clone());
        async { Ok(line) }.boxed_local()
    }
}

impl Line for Fake {
    fn client(self: Rc<Self>) -> LocalBoxFuture<'static, Result<Box<dyn Client>, String>> {
        let client: Box<dyn Client> = Box::new((*self).clone());
        async { Ok(client) }.boxed_local()
    }
    fn is_open(&self) -> bool {
        true
    }
    fn put<'a>(&'a self, _key: Bytes, _value: Bytes) -> LocalBoxFuture<'a, Result<(), String>> {
        self.answer()
    }
}

impl Client for Fake {
    fn put<'a>(&'a mut self, _key: Bytes, value: Bytes) -> LocalBoxFuture<'a, Result<(), String>> {
        assert_eq!(value.len(), 256);
        self.answer()
    }
    fn get<'a>(&'a mut self, _key: Bytes) -> LocalBoxFuture<'a, Result<usize, String>> {
        self.answer().map(|answered| answered.map(|()| 256)).boxed_local()
    }
}

fn load(rate: Option<f64>, read_share: f64) -> Load {
    Load {
        clients: 8,
        connections: 2,
        rate,
        read_share,
        keys: 10,
        value_bytes: 256,
        warm_up: Duration::from_millis(10),
        time: Duration::from_millis(50),
        seed: 1,
    }
}

fn tallied(answer: Answer, load: &Load) -> Tallied {
    let address = SocketAddr::from(([127, 0, 0, 1], 1));
    drive(&Fake(answer), address, load, || Sample::take(&[])).unwrap().tallied
}

#[test]
fn a_closed_loop_asks_for_the_share_it_was_given() {
    let writes = tallied(Answer::AtOnce, &load(None, 0.0));
    assert!(writes.puts.is_some() && writes.gets.is_none() && writes.failures.is_empty(), "{writes:?}");
    let reads = tallied(Answer::AtOnce, &load(None, 1.0));
    assert!(reads.gets.is_some() && reads.puts.is_none(), "{reads:?}");
    let both = tallied(Answer::AtOnce, &load(None, 0.5));
    assert!(both.gets.is_some() && both.puts.is_some(), "{both:?}");
}

#[test]
fn an_open_loop_asks_for_what_is_due_and_no_more() {
    let some = tallied(Answer::AtOnce, &load(Some(2_000.0), 0.0));
    // Drawn, not timed: as many as these arrivals have in the window.
    let mut arrivals = Arrivals::new(1, 2_000.0, 0);
    let due =
        std::iter::from_fn(|| arrivals.take_due(60_000_000 - 1)).filter(|due| *due >= 10_000_000).count();
    assert_eq!((some.puts.unwrap().count, some.unanswered), (due as u64, 0));
}

#[test]
fn refusals_are_counted_and_do_not_spin() {
    let refused = tallied(Answer::Refusal, &load(None, 0.0));
    assert_eq!(refused.puts, None);
    // Eight clients, each of which rests for a millisecond after each of its refusals.
    assert!((1..=8 * 51).contains(&refused.failures["no leader"]), "{refused:?}");
}

/// The only test that waits out patience: the store takes it all and answers nothing.
#[test]
fn a_store_that_never_answers_is_charged_with_all_that_was_due() {
    let silent = tallied(Answer::Never, &load(Some(1_000.0), 0.0));
    let puts = silent.puts.as_ref().unwrap();
    assert_eq!((puts.count, silent.per_second), (silent.unanswered, 0.0));
    assert!(silent.unanswered > 8, "also what waited for a free client: {silent:?}");
    assert!(puts.us_p50 >= PATIENCE.as_micros() as f64, "{silent:?}");
}
