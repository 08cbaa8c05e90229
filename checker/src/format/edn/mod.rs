//! Jepsen's EDN, in all its shapes.
//!
//! Op maps `{:type :invoke, :f :write, :value 3, :process 0, :time 12, :index 7}`, one after another or in
//! vectors or lists of them, plain or tagged (`#jepsen.history.Op{..}`). `:index` and `:time` may be
//! missing; `:key`, as Porcupine's kv files have it, names the object. A process that is neither a number
//! nor `:nemesis` is no client either: Jepsen counts numbers only. Anything else in an op is carried
//! along. An op without `:f` whose value is a list of micro-operations is a transaction, as in Elle.

mod number;
pub(super) mod op;
pub(super) mod parser;
pub(super) mod write;

pub(super) use op::as_json;

use std::io::Read;

use super::builder::Builder;
use super::error::ReadError;
use super::window::{Stop, Window};
use super::{Format, Recorded};
use parser::Parser;

/// How many vectors or lists may stand around the ops.
const WRAPPERS_MAX: usize = 8;

pub(super) fn read(window: &mut Window<impl Read>, mut builder: Builder) -> Result<Recorded, ReadError> {
    let mut open: Vec<u8> = Vec::new();
    let mut keyed = false;
    loop {
        let mut parser = Parser::new(window.rest(), window.is_last());
        let mut done = 0;
        let stop = loop {
            match next(&mut parser, &mut builder, &mut open) {
                Ok(Next::Op { key }) => keyed |= key,
                Ok(Next::Wrapper) => {}
                Ok(Next::End) => {
                    window.advance(window.rest().len());
                    let kv = keyed && is_kv(&builder);
                    let format = if kv { Format::PorcupineKv } else { Format::Edn };
                    return builder.finish(format, window.lines());
                }
                Err(stop) => break stop,
            }
            done = parser.at;
        };
        match stop {
            Stop::More => {
                window.advance(done);
                window.more()?;
            }
            Stop::Bad(bad) => return Err(window.bad(*bad)),
        }
    }
}

/// Whether nothing but a kv store's functions is called.
fn is_kv(builder: &Builder) -> bool {
    builder.history.functions().iter().all(|name| matches!(&**name, "get" | "put" | "append"))
}

enum Next {
    Op { key: bool },
    Wrapper,
    End,
}

#[inline]
fn next(parser: &mut Parser<'_>, builder: &mut Builder, open: &mut Vec<u8>) -> Result<Next, Stop> {
    parser.blanks()?;
    let start = parser.at;
    match parser.peek()? {
        Some(b'{') => Ok(Next::Op { key: op::read(parser, builder)? }),
        Some(b'#') => {
            parser.at += 1;
            parser.tag(start)?;
            parser.blanks()?;
            if parser.peek()? != Some(b'{') {
                return Err(parser.expected(parser.at, "the map of a tagged op"));
            }
            Ok(Next::Op { key: op::read(parser, builder)? })
        }
        Some(bracket @ (b'[' | b'(')) if open.len() < WRAPPERS_MAX => {
            open.push(if bracket == b'[' { b']' } else { b')' });
            parser.at += 1;
            Ok(Next::Wrapper)
        }
        Some(bracket) if open.last() == Some(&bracket) => {
            open.pop();
            parser.at += 1;
            Ok(Next::Wrapper)
        }
        None if open.is_empty() => Ok(Next::End),
        None => Err(Stop::torn(start, "the file ends inside the list of ops")),
        Some(_) => Err(parser.expected(start, "an op: a map with :type, :process, :f and :value")),
    }
}

/// What a single value says in EDN, wherever one stands alone; for the text formats.
pub(super) fn value_of(
    text: &[u8],
    values: &mut crate::history::values::Values,
) -> Result<crate::history::values::ValueId, Stop> {
    let mut parser = Parser::new(text, true);
    let value = parser.value(values)?;
    parser.blanks()?;
    match parser.peek()? {
        None => Ok(value),
        Some(_) => Err(parser.expected(parser.at, "the end of the value")),
    }
}
