//! Money moved between the accounts of a bank, and reads of all accounts at once.
//!
//! A transfer changes two accounts in one transaction, so the total never changes: half a transfer,
//! or a read that sees one account before it and another after it, shows as money made or lost. A
//! bank is opened with money in every account before anything else is asked of it, so that a bank
//! that is forgotten shows too.
//!
//! Nothing is ever drawn that may not be there: the generator keeps the least that each account can
//! hold (all that was asked to leave it has left, only what was acknowledged has come), and stays
//! within it. So the system need not refuse anything, and an account below zero is its fault.

use crate::Kind;
use crate::generator::Mix;
use crate::rotation::{Asked, Dice, Object, Question, Rotation};
use checker::invariants::Bank as BankCheck;
use checker::{OpType, Value};
use rand::RngExt;

pub(crate) const KIND: Kind = Kind {
    name: "bank",
    proves: "a transfer happens as a whole or not at all: every read sees all of a bank's money, once",
    ops_per_key: 200,
    generator: |shape| Box::new(Rotation::<Bank>::new(shape)),
    check: || {
        let check = BankCheck::default().total(OPENING * ACCOUNTS as i64);
        Box::new(check.accounts((0..ACCOUNTS as i64).map(Value::Int)))
    },
};

/// Few, so that transfers meet.
const ACCOUNTS: usize = 5;

/// What each account holds at first: a dozen transfers empty it, and one that happens twice shows
/// below zero.
const OPENING: i64 = 20;

/// The largest amount moved at a time.
const AMOUNT_MAX: i64 = 5;

#[derive(Copy, Clone)]
enum Ask {
    Transfer,
    Read,
}

const MIX: Mix<Ask> = Mix(&[(1, Ask::Transfer), (1, Ask::Read)]);

#[derive(Copy, Clone, Default, Eq, PartialEq)]
enum Stage {
    #[default]
    Closed,
    /// Somebody was sent to open it.
    Opening,
    Open,
    /// Nobody knows whether it was opened, or will be.
    Lost,
}

#[derive(Default)]
struct Bank {
    stage: Stage,
    /// Of each account, the least it can hold.
    least: [i64; ACCOUNTS],
}

/// A map of all accounts with these amounts.
fn accounts(amount: &Value) -> Value {
    Value::map((0..ACCOUNTS as i64).map(|account| (account.into(), amount.clone())).collect())
}

/// From, to, amount.
fn transfer_of(value: &Value) -> Option<(usize, usize, i64)> {
    let Value::Map(entries) = value else { return None };
    let part = |name: &str| entries.iter().find(|(key, _)| *key == Value::from(name))?.1.as_int();
    let account = |name| usize::try_from(part(name)?).ok().filter(|account| *account < ACCOUNTS);
    Some((account("from")?, account("to")?, part("amount")?))
}

impl Bank {
    fn transfer(&self, dice: &mut Dice) -> Option<Value> {
        let solvent: Vec<usize> = (0..ACCOUNTS).filter(|account| self.least[*account] > 0).collect();
        let from = *solvent.get(dice.rng.random_range(0..solvent.len().max(1)))?;
        let to = (from + dice.rng.random_range(1..ACCOUNTS)) % ACCOUNTS;
        let amount = dice.rng.random_range(1..=AMOUNT_MAX.min(self.least[from]));
        let part = |name: &str, number: i64| (name.into(), number.into());
        Some(Value::map(vec![part("from", from as i64), part("to", to as i64), part("amount", amount)]))
    }
}

impl Object for Bank {
    fn ask(&mut self, _process: u64, dice: &mut Dice) -> Option<Question> {
        match self.stage {
            Stage::Closed => {
                self.stage = Stage::Opening;
                return Some(("open", accounts(&OPENING.into())));
            }
            Stage::Opening | Stage::Lost => return None,
            Stage::Open => {}
        }
        if matches!(MIX.draw(&mut dice.rng), Ask::Transfer)
            && let Some(transfer) = self.transfer(dice)
        {
            if let Some((from, _, amount)) = transfer_of(&transfer) {
                self.least[from] -= amount;
            }
            return Some(("transfer", transfer));
        }
        Some(("read", accounts(&Value::Nil)))
    }

    fn learn(&mut self, asked: &Asked, ended: OpType, _answer: &Value) {
        match (asked.f, ended) {
            ("open", OpType::Ok) => {
                self.stage = Stage::Open;
                self.least = [OPENING; ACCOUNTS];
            }
            ("open", OpType::Fail) => self.stage = Stage::Closed,
            ("open", _) => self.stage = Stage::Lost,
            _ => {}
        }
        let Some((from, to, amount)) = transfer_of(&asked.value) else { return };
        match ended {
            OpType::Ok => self.least[to] += amount,
            OpType::Fail => self.least[from] += amount,
            OpType::Info | OpType::Invoke => {}
        }
    }

    /// Reads of a bank that may be opened late would see it closed, which proves nothing.
    fn is_spent(&self) -> bool {
        self.stage == Stage::Lost
    }

    fn finals(&self) -> Vec<Question> {
        match self.stage {
            Stage::Open => vec![("read", accounts(&Value::Nil))],
            Stage::Closed | Stage::Opening | Stage::Lost => Vec::new(),
        }
    }
}
