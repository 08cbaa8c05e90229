//! Readers and writers of histories. The only part of the crate that touches input and output.
//!
//! [`History::read`] takes a file in any format of the field, told by what is in it, and gives the history
//! with what such files mean ([`Suggestion`]). Nothing is guessed: what is no op is an error with its
//! line, its column, what was expected and what was found; a file without ops is an error too, because
//! nothing may ever look valid because nothing was read.
//!
//! | format | is read | is written | comes from |
//! |---|---|---|---|
//! | [`Format::Jsonl`] | yes | yes | this crate |
//! | [`Format::Edn`] | yes | yes | Jepsen, Knossos, Elle |
//! | [`Format::ConsoleLog`] | yes | | Jepsen's console |
//! | [`Format::HistoryTxt`] | yes | yes | Jepsen |
//! | [`Format::Store`] | yes | | Jepsen's `test.jepsen` |
//! | [`Format::ElleJson`] | yes | yes | elle-cli |
//! | [`Format::PorcupineKv`] | yes | | Porcupine's kv tests |
//! | [`Format::PorcupineJson`] | yes | | Porcupine's operations in JSON |
//! | [`Format::S2`] | yes | | s2-verification |
//! | [`Format::Fastlin`], [`Format::Fptlin`] | yes | | fastlin, fptlin |
//! | [`Format::Limo`] | yes | | LiMo |
//!
//! Text is read in chunks: a file of any size takes no more memory than its history.

mod builder;
mod console;
mod digits;
mod edn;
mod error;
mod fastlin;
mod interval;
mod json;
pub mod jsonl;
pub mod keys;
mod limo;
mod open_calls;
mod shapes;
mod store;
#[cfg(test)]
mod tests;
mod window;

use std::fmt;
use std::io::{Read, Write};

use crate::history::History;
use builder::Builder;
use error::found;
use keys::Independent;
use window::Window;

pub use error::{LINE_BYTES_MAX, Misread, NESTING_MAX, ReadError, WriteError};
pub use shapes::{FailedCas, NilReads, Suggestion};

/// How a history is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Ours: one op a line, as JSON.
    Jsonl,
    /// Jepsen's op maps in EDN.
    Edn,
    /// Op maps in EDN with a `:key`, of a kv store's get, put and append.
    PorcupineKv,
    /// What Jepsen writes to its console.
    ConsoleLog,
    /// Jepsen's history.txt.
    HistoryTxt,
    /// Jepsen's `test.jepsen`.
    Store,
    /// Jepsen's ops in JSON, as elle-cli has them.
    ElleJson,
    /// Operations with the times of their call and return, in JSON.
    PorcupineJson,
    /// The events of s2-verification, in JSON.
    S2,
    /// fastlin's text.
    Fastlin,
    /// fptlin's text.
    Fptlin,
    /// LiMo's text.
    Limo,
}

/// A history that was read, and what the file it came from says about it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The history: everything that is in the file, failures and unknown outcomes included.
    pub history: History,
    /// The format of the file.
    pub format: Format,
    /// How histories like this one are meant.
    pub suggests: Suggestion,
}

impl History {
    /// Reads a history in any format, told by what is in it.
    ///
    /// ```
    /// use checker::History;
    /// use checker::format::Format;
    ///
    /// let edn = "[{:type :invoke, :f :write, :value 5, :process 3} ; a comment
    ///             {:type :ok, :f :write, :value 5, :process 3, :time 12}]";
    /// let recorded = History::read(edn.as_bytes())?;
    /// assert_eq!((recorded.history.len(), recorded.format), (2, Format::Edn));
    /// assert_eq!(recorded.suggests.model, Some("cas-register"));
    ///
    /// let error = History::read("{:type :ok, :f :read, :process :three-".as_bytes()).unwrap_err();
    /// assert_eq!(error.to_string(), "line 1, column 39: the file ends inside an op");
    /// # Ok::<(), checker::ReadError>(())
    /// ```
    pub fn read(reader: impl Read) -> Result<Recorded, ReadError> {
        History::read_with(reader, Independent::Auto)
    }

    /// Reads a history in any format, told by what is in it; `independent` says whether values are
    /// `[key value]`, where the format itself does not say so.
    pub fn read_with(reader: impl Read, independent: Independent) -> Result<Recorded, ReadError> {
        History::read_known(reader, independent).map_err(|misread| misread.error)
    }

    /// The same; an error comes with the format that the file was taken for.
    pub fn read_known(reader: impl Read, independent: Independent) -> Result<Recorded, Misread> {
        let mut format = None;
        History::read_noting(reader, independent, &mut format).map_err(|error| Misread { format, error })
    }

    fn read_noting(
        reader: impl Read,
        independent: Independent,
        noted: &mut Option<Format>,
    ) -> Result<Recorded, ReadError> {
        const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
        let mut window = Window::new(reader)?;
        if window.rest().starts_with(BYTE_ORDER_MARK) {
            window.advance(BYTE_ORDER_MARK.len());
        }
        if window.rest().is_empty() {
            return Err(ReadError::Empty);
        }
        let format = detect(window.rest(), window.is_last());
        let Some(format) = format else {
            if window.is_last() && window.rest().trim_ascii().is_empty() {
                window.advance(window.rest().len());
                return Err(ReadError::NoOps { lines: window.lines() });
            }
            return Err(ReadError::UnknownFormat { found: found(window.rest().trim_ascii_start()) });
        };
        *noted = Some(format);
        read_as(format, window, independent)
    }

    /// Writes the history in a format: [`Format::Jsonl`], [`Format::Edn`], [`Format::HistoryTxt`] or
    /// [`Format::ElleJson`]. Reading what was written gives the same history again; what a format has no
    /// place for is an error, but for the indices and times that history.txt drops.
    pub fn write(&self, format: Format, writer: &mut impl Write) -> Result<(), WriteError> {
        match format {
            Format::Jsonl => jsonl::write(self, writer),
            Format::Edn => edn::write::edn(self, writer),
            Format::HistoryTxt => edn::write::history_txt(self, writer),
            Format::ElleJson => json::write::elle(self, writer),
            Format::PorcupineKv
            | Format::ConsoleLog
            | Format::Store
            | Format::PorcupineJson
            | Format::S2
            | Format::Fastlin
            | Format::Fptlin
            | Format::Limo => Err(WriteError::ReadOnly(format)),
        }
    }
}

fn read_as(
    format: Format,
    mut window: Window<impl Read>,
    independent: Independent,
) -> Result<Recorded, ReadError> {
    // Whether a value is a key and a value is only open where Jepsen's ops are written.
    let jepsen = matches!(
        format,
        Format::Edn | Format::HistoryTxt | Format::ConsoleLog | Format::Store | Format::ElleJson
    );
    let builder = Builder::new(if jepsen { independent } else { Independent::No });
    match format {
        Format::Jsonl => jsonl::read(&mut window, builder),
        Format::Edn | Format::PorcupineKv => edn::read(&mut window, builder),
        Format::ConsoleLog | Format::HistoryTxt => console::read(&mut window, builder, format),
        Format::Store => store::read(&window.into_all()?, builder),
        Format::ElleJson | Format::PorcupineJson | Format::S2 => json::read(&mut window, builder, format),
        Format::Fastlin | Format::Fptlin => fastlin::read(&mut window, builder, format),
        Format::Limo => limo::read(&mut window, builder),
    }
}

/// The format of a file, by its first bytes.
fn detect(bytes: &[u8], last: bool) -> Option<Format> {
    if bytes.starts_with(store::MAGIC) && bytes.get(store::MAGIC.len()) == Some(&0) {
        return Some(Format::Store);
    }
    let text = bytes.trim_ascii_start();
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let after = |open: &[u8]| text[open.len()..].trim_ascii_start().first().copied();
    match text.first()? {
        b'(' | b';' | b',' => Some(Format::Edn),
        b'#' => match fastlin::detect(text) {
            Some(format) => Some(format),
            None if matches!(text.get(1), Some(b' ' | b'\t' | b'@')) => Some(Format::Limo),
            None => Some(Format::Edn),
        },
        b'{' => match after(b"{") {
            Some(b'"') => json::detect(text, last).or(Some(Format::Edn)),
            _ => Some(Format::Edn),
        },
        b'[' if limo::is_event(line) => Some(Format::Limo),
        b'[' => match after(b"[")? {
            b'{' => json::detect(text, last).or(Some(Format::Edn)),
            b']' | b'#' | b';' | b'(' | b'[' | b',' => Some(Format::Edn),
            _ if is_text(text) => Some(Format::ConsoleLog),
            _ => None,
        },
        _ if console::begins_with_op(line) => Some(Format::HistoryTxt),
        _ if is_text(text) => Some(Format::ConsoleLog),
        _ => None,
    }
}

/// Whether a file is something that a program writes for people to read, as far as its beginning tells.
fn is_text(bytes: &[u8]) -> bool {
    const LOOKED_AT: usize = 4096;
    let head = &bytes[..bytes.len().min(LOOKED_AT)];
    // The head may end in the middle of a character.
    let text = std::str::from_utf8(head).map_or_else(|error| error.valid_up_to() + 4 > LOOKED_AT, |_| true);
    let control = |byte: &u8| byte.is_ascii_control() && !byte.is_ascii_whitespace() && *byte != 0x1b;
    text && head.contains(&b' ') && !head.iter().any(control)
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 12] = [
        Format::Jsonl,
        Format::Edn,
        Format::PorcupineKv,
        Format::ConsoleLog,
        Format::HistoryTxt,
        Format::Store,
        Format::ElleJson,
        Format::PorcupineJson,
        Format::S2,
        Format::Fastlin,
        Format::Fptlin,
        Format::Limo,
    ];

    /// A short name, as people type it.
    pub fn name(self) -> &'static str {
        match self {
            Format::Jsonl => "jsonl",
            Format::Edn => "edn",
            Format::PorcupineKv => "porcupine-kv",
            Format::ConsoleLog => "console-log",
            Format::HistoryTxt => "history-txt",
            Format::Store => "store",
            Format::ElleJson => "elle-json",
            Format::PorcupineJson => "porcupine-json",
            Format::S2 => "s2",
            Format::Fastlin => "fastlin",
            Format::Fptlin => "fptlin",
            Format::Limo => "limo",
        }
    }

    /// The format with this name.
    pub fn by_name(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.name() == name)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Jsonl => "JSONL",
            Format::Edn => "EDN",
            Format::PorcupineKv => "Porcupine's kv text",
            Format::ConsoleLog => "a Jepsen console log",
            Format::HistoryTxt => "history.txt",
            Format::Store => "Jepsen's store",
            Format::ElleJson => "elle-cli's JSON",
            Format::PorcupineJson => "Porcupine's JSON",
            Format::S2 => "s2-verification's JSONL",
            Format::Fastlin => "fastlin's text",
            Format::Fptlin => "fptlin's text",
            Format::Limo => "LiMo's text",
        })
    }
}
