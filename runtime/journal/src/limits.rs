//! The journal's own bounds. Those of the product are in [`worknode_core::bounds`].

use std::time::Duration;

/// Requests that wait before the writer, in each of its two lanes. One more waits [`QUEUE_WAIT`], then `backpressure`.
pub const QUEUE: usize = 4_096;
/// Bytes of events that wait before the writer; a request beyond it waits like one beyond
/// [`QUEUE`], and one that could never fit is refused.
pub const QUEUE_BYTES: usize = 64 * 1024 * 1024;
/// How long an append waits for room in the queue.
pub const QUEUE_WAIT: Duration = Duration::from_secs(2);
/// How long an append or a close waits for the writer. Longer than any disk that works takes.
pub const ANSWER_WAIT: Duration = Duration::from_secs(60);
/// Events of one request: a plan of [`worknode_core::bounds::PENDING_TASKS`] tasks with room
/// to spare. A larger request is refused.
pub const DRAFTS: usize = 16_384;
/// Requests that are committed together. More wait for the next commit, which bounds how long
/// the first of them waits.
pub const GROUP: usize = 2_048;
/// Bytes of events after which a group takes no further request.
pub const GROUP_BYTES: usize = 4 * 1024 * 1024;
/// Events that are kept in memory for those who follow the journal closely.
pub const TAIL: usize = 8_192;
/// Bytes of events that are kept in memory for them.
pub const TAIL_BYTES: usize = 8 * 1024 * 1024;
/// Rows in one page of any query. A larger `limit` is cut down to it.
pub const PAGE: usize = 1_000;
/// Live runs in one answer: more than a machine can have processes for agents.
pub const LIVE_RUNS: usize = 10_000;
/// Bytes after which a page ends early: rows may carry prompts.
pub const PAGE_BYTES: usize = 8 * 1024 * 1024;
/// Read connections of one journal. A reader beyond them waits [`READ_WAIT`].
pub const READERS: usize = 4;
/// How long a reader waits for a connection.
pub const READ_WAIT: Duration = Duration::from_secs(5);
/// How long SQLite waits for a lock that another process holds.
pub const LOCK_WAIT: Duration = Duration::from_secs(5);
/// Pages of the write-ahead log (4 KiB each) after which it is copied into the database.
pub const CHECKPOINT_PAGES: u32 = 4_000;
/// Bytes of the write-ahead log beyond which readers are made to wait so that it can be cut.
pub const WAL_BYTES: u64 = 64 * 1024 * 1024;
/// Commits between two looks at the length of the log. A look is not free: once a file's times
/// have been read, the kernel gives its next write a time of its own, and the next sync has one
/// block more to write.
pub const LOOK_AT_LOG: u32 = 1_000;
/// How long the writer waits for readers to leave the log before it cuts it later.
pub const CUT_WAIT: Duration = Duration::from_millis(50);
/// Bytes of Worknode states that the writer keeps decoded.
pub const CACHE_BYTES: usize = 32 * 1024 * 1024;
/// Bytes of what is known of triggers that the writer keeps decoded.
pub const TRIGGER_CACHE_BYTES: usize = 16 * 1024 * 1024;
/// Damages that a verification lists. What is beyond is counted.
pub const PROBLEMS: usize = 50;
/// Bytes of a long text that are searched for words: its beginning.
pub const SEARCHED_BYTES: usize = 4 * 1024;
/// Worknodes of a subtree that can be moved in one piece: all of them are touched, and meanwhile
/// nobody else writes. A larger one is refused.
pub const MOVED: usize = 100_000;
/// Dependencies that are walked to find a circle. Beyond it a new dependency is refused.
pub const WALKED: usize = 100_000;
/// Worknodes that one page of a selection looks at. What is beyond is for the next page, so that no
/// question keeps a connection for long.
pub const SCANNED: usize = 50_000;
/// Rows up to which a set is looked up as a whole; a larger one is walked through.
pub const SMALL_SET: usize = 10_000;
/// Words that one search looks for. What is beyond is not looked for.
pub const WORDS: usize = 32;
