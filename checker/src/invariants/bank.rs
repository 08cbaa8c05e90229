//! Money moved between accounts: the total stays.
//!
//! Reads answer a map from accounts to balances, all of one moment.
//!
//! | a read has | verdict |
//! |---|---|
//! | an account that is none | invalid, if the accounts are told |
//! | no balance for an account | invalid |
//! | another total | invalid |
//! | a negative balance | invalid, unless they are allowed |
//! | no read, of accounts of which anything was acknowledged | unknown |
//!
//! Where nobody tells the total it is that of the first read, so that a total wrong from the start
//! passes. Transfers are not followed: any that keep the total will do.

use super::{Finding, count, judge};
use crate::budget::Budget;
use crate::check::Check;
use crate::explain::witness::{Anomaly, Argument};
use crate::explain::words;
use crate::history::History;
use crate::history::op::Value;
use crate::history::pair::{Call, Outcome};
use crate::history::values::{ValueId, ValueView};
use crate::linearizability::partition::Part;
use crate::verdict::Report;

/// Jepsen's `bank`.
#[derive(Clone, Debug, Default)]
pub struct Bank {
    total: Option<i64>,
    accounts: Option<Vec<Value>>,
    negative_balances: bool,
}

impl Bank {
    /// Tells what all accounts have together.
    #[must_use]
    pub fn total(self, total: i64) -> Self {
        Self { total: Some(total), ..self }
    }

    /// Tells which accounts there are.
    #[must_use]
    pub fn accounts(self, accounts: impl IntoIterator<Item = Value>) -> Self {
        Self { accounts: Some(accounts.into_iter().collect()), ..self }
    }

    /// Balances may be negative.
    #[must_use]
    pub fn negative_balances(self) -> Self {
        Self { negative_balances: true, ..self }
    }
}

impl Check for Bank {
    fn name(&self) -> &str {
        "bank"
    }

    fn check(&self, history: &History, budget: &Budget) -> Report {
        judge(self.name(), "totals", history, budget, |part, _, note| self.look(part, note))
    }
}

impl Bank {
    fn look(&self, part: &Part<'_>, note: &mut String) -> Finding {
        let mut total = self.total.map(i128::from);
        let mut first_read = None;
        let (mut reads, mut wrong, mut first_wrong) = (0, 0, None);
        let mut answered: Vec<_> =
            part.possible().filter(|(_, call, _)| call.f() == "read" && call.result_id().is_some()).collect();
        answered.sort_by_key(|(.., span)| span.end);
        for (number, call, _) in answered {
            let Some(result) = call.result_id() else { continue };
            reads += 1;
            let problem = match self.problem(part.history, result, &call, &mut total) {
                Ok(problem) => problem,
                Err(why) => return Finding::Unclear(why),
            };
            first_read = first_read.or(Some(number));
            if let Some(problem) = problem {
                wrong += 1;
                first_wrong = first_wrong.or(Some((number, problem)));
            }
        }
        *note = format!("{}, {wrong} wrong, total {}", count(reads, "read"), total.unwrap_or(0));
        match first_wrong {
            Some((number, problem)) => {
                let mut argument =
                    Argument::new(Anomaly::BrokenInvariant, problem).failing(number, "the read");
                if let (None, Some(first)) = (self.total, first_read.filter(|first| *first != number)) {
                    argument = argument.with(first, "the first read, which tells the total");
                }
                Finding::Wrong(argument)
            }
            None if reads == 0 && part.possible().any(|(_, call, _)| call.outcome() == Outcome::Ok) => {
                Finding::Unclear("the accounts were never read".to_owned())
            }
            None => Finding::Fine,
        }
    }

    /// What is wrong with a read, if anything; an error if it is no map of numbers.
    fn problem(
        &self,
        history: &History,
        result: ValueId,
        call: &Call<'_>,
        total: &mut Option<i128>,
    ) -> Result<Option<String>, String> {
        let ValueView::Map(entries) = history.values().view(result) else {
            return Err(format!("the read of op {} answers no map of balances", call.invoke_index()));
        };
        let who = format!("process {} read, {},", call.process(), words::span(call));
        let mut sum = 0i128;
        let mut negative = None;
        for [account, balance] in entries.as_chunks::<2>().0 {
            let name = history.values().get(*account);
            if self.accounts.as_ref().is_some_and(|accounts| !accounts.contains(&name)) {
                return Ok(Some(format!("{who} an account that is none: {name}")));
            }
            match history.values().view(*balance) {
                ValueView::Int(balance) => {
                    sum += i128::from(balance);
                    negative = negative.or((balance < 0).then_some((name, balance)));
                }
                ValueView::Nil => return Ok(Some(format!("{who} no balance of account {name}"))),
                _ => {
                    return Err(format!(
                        "op {}: the balance of account {name} is no whole number",
                        call.invoke_index()
                    ));
                }
            }
        }
        let expected = *total.get_or_insert(sum);
        if sum != expected {
            return Ok(Some(format!("{who} a total of {sum} instead of {expected}")));
        }
        Ok(negative
            .filter(|_| !self.negative_balances)
            .map(|(account, balance)| format!("{who} a negative balance: account {account} has {balance}")))
    }
}
