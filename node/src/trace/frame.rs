//! Frames: one turn of the node's loop each, in one write.
//!
//! A header is 32 bytes, little-endian:
//!
//! | at | what |
//! |---|---|
//! | 0 | the text `APT` and the version, 1 |
//! | 4 | u32 length of the body in bytes |
//! | 8 | u64 `began_ns` |
//! | 16 | u64 `written_ns` |
//! | 24 | u32 CRC32C over the body |
//! | 28 | u32 CRC32C over the 28 bytes before |
//!
//! A write that was cut short by a kill leaves a beginning of a frame at the end of the file, and
//! nothing else: that is a torn tail. Whatever else is no frame is damage.

use super::codec;
use super::event::Event;

pub(super) const HEADER_BYTES: usize = 32;

const NAME: [u8; 3] = *b"APT";
const VERSION: u8 = 1;
const CRC_AT: usize = 28;

/// One turn.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Frame {
    /// Where it starts in the file, in bytes.
    pub offset: u64,
    /// Nothing in it was taken in before, in nanoseconds.
    pub began_ns: u64,
    /// Nothing in it was done after, in nanoseconds.
    pub written_ns: u64,
    /// What happened, in order.
    pub events: Vec<Event>,
}

impl Frame {
    /// The frame as bytes; where they will stand does not matter.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_BYTES];
        for event in &self.events {
            codec::encode(event, &mut bytes);
        }
        seal(&mut bytes, self.began_ns, self.written_ns);
        bytes
    }
}

/// Why bytes are no trace.
#[derive(Clone, Eq, PartialEq, Debug, thiserror::Error)]
#[error("byte {offset}: {what}")]
pub struct Damage {
    /// Where the frame starts that is none.
    pub offset: u64,
    /// What is wrong with it.
    pub what: Flaw,
}

/// What is wrong with what should be a frame.
#[derive(Copy, Clone, Eq, PartialEq, Debug, thiserror::Error)]
pub enum Flaw {
    /// It begins with something else.
    #[error("this is no frame of a trace")]
    Foreign,
    /// Another program's.
    #[error("this is a trace of version {0}, and this program reads version {VERSION}")]
    Version(u8),
    /// Its header's checksum is wrong.
    #[error("the header of a frame is damaged")]
    Header,
    /// Its body's checksum is wrong.
    #[error("the body of a frame is damaged")]
    Body,
    /// It is intact, and holds what this program does not know.
    #[error("an intact frame holds an event unknown to this program")]
    UnknownEvent,
}

/// Makes the header of a frame whose body follows the room left for it.
pub(super) fn seal(frame: &mut [u8], began_ns: u64, written_ns: u64) {
    let (header, body) = frame.split_at_mut(HEADER_BYTES);
    // A turn takes in a bounded number of frames of bounded length.
    let length = u32::try_from(body.len()).expect("a turn fits into four gigabytes");
    header[..3].copy_from_slice(&NAME);
    header[3] = VERSION;
    header[4..8].copy_from_slice(&length.to_le_bytes());
    header[8..16].copy_from_slice(&began_ns.to_le_bytes());
    header[16..24].copy_from_slice(&written_ns.to_le_bytes());
    header[24..28].copy_from_slice(&crc32c::crc32c(body).to_le_bytes());
    let crc = crc32c::crc32c(&header[..CRC_AT]);
    header[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
}

/// Header and body.
type Raw<'a> = (&'a [u8; HEADER_BYTES], &'a [u8]);

/// The frames of a trace, one after the other; ends at the first damage.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    bytes: &'a [u8],
    at: usize,
    torn: bool,
    ended: bool,
}

impl<'a> Frames<'a> {
    /// The frames in these bytes.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Frames<'a> {
        Frames { bytes, at: 0, torn: false, ended: false }
    }

    /// Whether what was read ended in the middle of a frame.
    #[must_use]
    pub fn is_torn(&self) -> bool {
        self.torn
    }

    fn damage(&mut self, what: Flaw) -> Damage {
        self.ended = true;
        Damage { offset: self.at as u64, what }
    }

    /// Header and body at the place reached; `None` at the end, torn or not.
    fn raw(&mut self) -> Option<Result<Raw<'a>, Damage>> {
        let rest = &self.bytes[self.at..];
        if self.ended || rest.is_empty() {
            return None;
        }
        if !rest.starts_with(&NAME) && !NAME.starts_with(rest) {
            return Some(Err(self.damage(Flaw::Foreign)));
        }
        if let Some(version) = rest.get(3).copied().filter(|version| *version != VERSION) {
            return Some(Err(self.damage(Flaw::Version(version))));
        }
        let Some(header) = rest.first_chunk::<HEADER_BYTES>() else {
            (self.torn, self.ended) = (true, true);
            return None;
        };
        if u32_at(header, CRC_AT) != crc32c::crc32c(&header[..CRC_AT]) {
            return Some(Err(self.damage(Flaw::Header)));
        }
        let Some(body) = rest.get(HEADER_BYTES..HEADER_BYTES + u32_at(header, 4) as usize) else {
            (self.torn, self.ended) = (true, true);
            return None;
        };
        if u32_at(header, 24) != crc32c::crc32c(body) {
            return Some(Err(self.damage(Flaw::Body)));
        }
        Some(Ok((header, body)))
    }
}

impl Iterator for Frames<'_> {
    type Item = Result<Frame, Damage>;

    fn next(&mut self) -> Option<Result<Frame, Damage>> {
        let (header, mut body) = match self.raw()? {
            Ok(raw) => raw,
            Err(damage) => return Some(Err(damage)),
        };
        let end = self.at + HEADER_BYTES + body.len();
        let (began_ns, written_ns) = (u64_at(header, 8), u64_at(header, 16));
        let mut events = Vec::new();
        while !body.is_empty() {
            match codec::decode(&mut body) {
                Some(event) => events.push(event),
                None => return Some(Err(self.damage(Flaw::UnknownEvent))),
            }
        }
        let frame = Frame { offset: self.at as u64, began_ns, written_ns, events };
        self.at = end;
        Some(Ok(frame))
    }
}

/// How many bytes of a trace are whole frames: the next life goes on from there.
///
/// # Errors
/// Something that is no frame stands before the end: cutting it off would hide it.
pub fn intact_bytes(bytes: &[u8]) -> Result<u64, Damage> {
    let mut frames = Frames::new(bytes);
    while let Some(raw) = frames.raw() {
        let (_, body) = raw?;
        frames.at += HEADER_BYTES + body.len();
    }
    Ok(frames.at as u64)
}

fn u32_at(header: &[u8; HEADER_BYTES], at: usize) -> u32 {
    u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
}

fn u64_at(header: &[u8; HEADER_BYTES], at: usize) -> u64 {
    u64::from(u32_at(header, at)) | u64::from(u32_at(header, at + 4)) << 32
}
