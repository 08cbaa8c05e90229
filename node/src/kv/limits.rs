//! How large anything may be. Every decoder refuses what lies beyond; every number has a reason.

/// A transaction's encoded results, and so a reply's: half of what one frame carries is left for
/// everything around them.
pub const MAX_OUTCOME_BYTES: usize = 2 << 20;

/// An encoded [`Batch`](super::Batch). Small enough that a `Promise` or a `LearnReply` moves
/// several in one frame, large enough that the header and the disk's sync are noise.
pub const MAX_BATCH_BYTES: usize = 1 << 20;

/// Commands in one batch: a command's position must fit the 16 bits that it has in a
/// [`SessionId`](super::SessionId); fewer, so that one slot never holds the loop for long.
pub const MAX_BATCH_COMMANDS: usize = 8192;

/// An encoded [`Command`](super::Command): any one of them fits a batch on its own.
pub const MAX_COMMAND_BYTES: usize = MAX_BATCH_BYTES - super::Batch::HEADER_BYTES;

/// Operations in one transaction.
pub const MAX_TXN_OPS: usize = 1024;

/// A key: room for any path or identifier, small beside the values.
pub const MAX_KEY_BYTES: usize = 1024;

/// One value, or one element of a list.
pub const MAX_VALUE_BYTES: usize = 512 << 10;

/// What a list may hold, each element counted with its length prefix: a list must always be
/// readable, so it stays below [`MAX_OUTCOME_BYTES`].
pub const MAX_LIST_BYTES: usize = 1 << 20;

/// Elements of a list: each takes a handle of 32 bytes in memory, and in every reply under way.
pub const MAX_LIST_ITEMS: usize = 64 << 10;

/// Sessions open at once: each holds the reply of its last request. Beyond it the one used least
/// recently is forgotten.
pub const MAX_SESSIONS: usize = 4096;

/// A session unused for this long, by the batches' stamps, is forgotten. Far beyond any client's
/// patience with one request, so that a retry meets an expired session only when nobody waits.
pub const SESSION_IDLE_MS: u64 = 10 * 60 * 1000;

/// How many of the latest state hashes are kept, for comparison with replicas that lag behind.
pub const HASHES_KEPT: usize = 1024;
