//! Default limits. Each says what happens when it is reached; none is only advice.

use std::time::Duration;

/// Levels of the tree below the root. A deeper child is refused.
pub const DEPTH: usize = 10;
/// Children of one Worknode. One more is refused.
pub const CHILDREN: usize = 10_000;
/// Tasks that wait in one team. One more is refused as `backpressure`.
pub const PENDING_TASKS: usize = 10_000;
/// Messages in a Worknode's mailbox. One more is refused as `backpressure`; progress conflates.
pub const MAILBOX: usize = 1_024;
/// What a sender who was refused by a full mailbox is told to wait.
pub const RETRY_AFTER: Duration = Duration::from_millis(250);
/// Bytes of one event's payload. A larger one is refused.
pub const EVENT_PAYLOAD: usize = 64 * 1024;
/// Live agents of a team. A spawn beyond it waits.
pub const AGENTS: usize = 8;
/// Wall time of a run. At the limit it is stopped with cause `time_limit`.
pub const RUN_TIME: Duration = Duration::from_secs(30 * 60);
/// Time without output of a run. At the limit it is stopped with cause `silence_limit`.
pub const SILENCE: Duration = Duration::from_secs(5 * 60);
/// Time from the decision to start until the process exists. At the limit the start failed.
pub const START_TIME: Duration = Duration::from_secs(30);
/// Time between TERM and KILL.
pub const STOP_GRACE: Duration = Duration::from_secs(5);
/// How long a run goes on when no daemon watches over it. Then its shim stops it.
pub const ORPHAN_GRACE: Duration = Duration::from_secs(10 * 60);
/// Processes of one run that live at the same time. At the limit the run is stopped: what forks
/// that much has run away, while a build on many cores stays far below.
pub const PROCESSES: u32 = 1_024;
/// Agents below an agent that spawned them, one below the other. A deeper spawn is refused.
pub const SPAWN_DEPTH: usize = 3;
/// Agents that one agent may have spawned and that live. One more is refused.
pub const SPAWN_FAN_OUT: usize = 8;
/// How often the usage of a live run is stored, at most: it changes with every answer of a model.
pub const USAGE_EVERY: Duration = Duration::from_secs(2);
/// How long a program may go on living after it has said that it is done.
pub const LINGER: Duration = Duration::from_secs(5);
/// How long a claim holds without renewal.
pub const LEASE: Duration = Duration::from_secs(60);
/// The shortest lease that can be asked for: a shorter one would be over before its first renewal.
pub const LEASE_LEAST: Duration = Duration::from_secs(1);
/// The longest lease that can be asked for. A longer one is refused: whoever fell silent would keep
/// the task from everybody else.
pub const LEASE_MOST: Duration = Duration::from_secs(60 * 60);
/// The longest time that a claim may wait for a task. A longer one is refused.
pub const CLAIM_WAIT: Duration = Duration::from_secs(5 * 60);
/// Claims that wait for a task at the same time. One more is refused as `backpressure`.
pub const WAITING_CLAIMS: usize = 20_000;
/// Ready tasks that one claim looks at. What is beyond is for a later claim.
pub const CLAIM_LOOKS: usize = 256;
/// Skills that one claim can name. One more is refused.
pub const SKILLS: usize = 64;
/// The wait after a first attempt that went wrong; it doubles with each further one.
pub const RETRY_BACKOFF: Duration = Duration::from_secs(1);
/// The longest wait between two attempts.
pub const RETRY_BACKOFF_MOST: Duration = Duration::from_secs(5 * 60);
/// How long a progress report waits in memory for newer ones that replace it.
pub const PROGRESS_EVERY: Duration = Duration::from_millis(100);
/// Progress reports that are stored in each such interval. What is beyond waits for the next, and
/// newer reports replace it meanwhile.
pub const PROGRESS_STORED: usize = 1_000;
/// How often the runtime renews the claim of a live run.
pub const HEARTBEAT: Duration = Duration::from_secs(20);
/// Claims of one task. After the last one fails, so does the task.
pub const ATTEMPTS: u32 = 3;
/// Restarts of an agent within [`RESTART_PERIOD`]. One more quarantines it.
pub const RESTARTS: u32 = 3;
/// The period of [`RESTARTS`].
pub const RESTART_PERIOD: Duration = Duration::from_secs(60);
/// Bytes of output kept per run and stream. Older output is rotated away and counted.
pub const OUTPUT: u64 = 64 * 1024 * 1024;
/// Missed firings that one trigger makes up for. Older ones are recorded as skipped.
pub const CATCH_UP: usize = 100;
/// Triggers in one team's configuration. More are a configuration error.
pub const TRIGGERS: usize = 100_000;
/// How long an approval counts. One that is older when the work could land is asked for again.
pub const APPROVAL: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Bytes of one value that an event about a changed plan tells. A longer one is told by its digest.
pub const PLAN_VALUE: usize = 4 * 1024;
/// Deliverables of one task. More are a mistake of the plan.
pub const DELIVERABLES: usize = 256;
/// Findings kept of one verdict. What is beyond is counted.
pub const FINDINGS: usize = 100;
/// How far a stamp from elsewhere may be ahead of this machine's clock.
pub const CLOCK_DRIFT: Duration = Duration::from_millis(500);
/// Bytes of a task's prompt. A larger one is a configuration error.
pub const PROMPT: usize = 4 * 1024 * 1024;
/// Bytes of a Worknode's name, a tag, or an attribute's name. A longer one is refused.
pub const NAME: usize = 256;
/// Attributes, tags, assignees and links of one Worknode, each. One more is refused.
pub const ATTRIBUTES: usize = 256;
/// Entries of one mergeable map or set, remembered deletions included. One more is refused where
/// it is made. As many as a Worknode has children, because completed subtasks are such a set.
pub const MERGED_ENTRIES: usize = CHILDREN;
/// Removals that a set of a Worknode remembers one by one. Beyond it, what is known to be over is
/// remembered as one stamp.
pub const REMEMBERED_REMOVALS: usize = 64;
/// Bytes of an expression. A longer one is refused when it is compiled, as is one past any of
/// the next five.
pub const EXPRESSION: usize = 4 * 1024;
/// Parts of an expression: names, constants, operators, calls.
pub const EXPRESSION_PARTS: usize = 512;
/// How deep the parts of an expression nest.
pub const EXPRESSION_DEPTH: usize = 40;
/// How deep its brackets nest.
pub const EXPRESSION_BRACKETS: usize = 16;
/// How deep its loops (`exists`, `all`, `filter`, `map`) nest.
pub const EXPRESSION_LOOPS: usize = 3;
/// Patterns of `matches` in an expression.
pub const EXPRESSION_PATTERNS: usize = 16;
/// Bytes that one pattern may take once it is compiled. A larger one is refused.
pub const PATTERN: usize = 256 * 1024;
/// What evaluating an expression once may cost, in steps of about a tenth of a microsecond. At
/// the limit the evaluation ends with an error.
pub const EXPRESSION_STEPS: u32 = 250_000;
/// How deep lists and maps nest in what an expression is evaluated on. What is deeper is refused.
pub const FACTS_DEPTH: usize = 32;
/// Groups of one aggregate. Worknodes of further groups are counted as others.
pub const GROUPS: usize = 1_000;
/// Values kept for the percentiles of one group. With more, they are estimated within 1 %.
pub const SAMPLES: usize = 1_024;
/// Refused events that one Worknode keeps. With one more the oldest is given up, and counted.
pub const DEAD_LETTERS: usize = 100;
/// Messages to one Worknode that wait to be acknowledged. One more is refused.
pub const INBOX: usize = 256;
/// Requests of one run that wait for a person at the same time. One more is denied at once.
pub const PERMISSIONS: usize = 16;
/// Bytes of one request, which a person is shown in full. A longer one is denied at once.
pub const PERMISSION: usize = 24 * 1024;
/// How long a request waits for a person unless the profile says otherwise. Then it is denied.
pub const ANSWER: Duration = Duration::from_secs(10 * 60);
/// The longest time that a profile may give a person.
pub const ANSWER_MOST: Duration = Duration::from_secs(24 * 60 * 60);
/// Bytes of one message. A longer one is refused.
pub const MESSAGE: usize = 16 * 1024;
/// Agents that one message may be for. A part of the tree with more is refused.
pub const RECIPIENTS: usize = 1_000;
/// Bytes of one value in the memory, as JSON. A larger one is refused.
pub const MEMORY_VALUE: usize = 48 * 1024;
/// Bytes of a key in the memory, its namespace included. A longer one is refused.
pub const MEMORY_KEY: usize = 512;
/// Keys of one namespace that are remembered: as many as a Worknode has children. One more is refused.
pub const MEMORY_KEYS: usize = CHILDREN;
/// How long a value may be remembered that is to be forgotten. A longer time is refused.
pub const MEMORY_TTL: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// Bytes of each text of a decision or an issue. A longer one is refused.
pub const NOTE_TEXT: usize = 12 * 1024;
/// Alternatives of one decision. One more is refused.
pub const ALTERNATIVES: usize = 16;
/// Raises that are in force for one task. One more is refused.
pub const RAISES: usize = 4;
/// Types of events that wait at one Worknode until its `rate` has room again. Events of one more
/// are refused as `backpressure`; of the same type the last one waits.
pub const WAITING_TYPES: usize = 64;
/// Translations, schemas, types and paths of one membrane, each. More are a mistake.
pub const MEMBRANE_PARTS: usize = 256;
/// Sources that one event trigger counts each for itself. An event of one more does not count, and
/// that is told.
pub const TRIGGER_SOURCES: usize = 10_000;
/// Firings that lead to one another by events. What would be one more is skipped.
pub const TRIGGER_CHAIN: usize = 16;
/// Firings of one event trigger that are due by time in one look. The next look finds the others.
pub const TRIGGER_BATCH: usize = 1_000;
