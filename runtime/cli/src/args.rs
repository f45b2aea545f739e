//! The command line: every command, every flag, and what it says about itself.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use worknode_core::{
    amount::{Bytes, Dollars, NotDollars},
    event::PanicStage,
    git::CommitId,
    hlc::Hlc,
    time::{Span, Timestamp},
};

pub(crate) mod capability;
pub(crate) mod gate;
pub(crate) mod hooks;
pub(crate) mod import;
pub(crate) mod look;
pub(crate) mod notes;
pub(crate) mod plan;
pub(crate) mod prompts;
pub(crate) mod tree;
pub(crate) mod trigger;

/// Runs teams of AI coding agents as supervised processes.
#[derive(Debug, Parser)]
#[command(name = "worknode", version, about, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 refused, 5 conflict, 6 gate failed, \
    7 daemon not reachable, 8 timed out.\nStart with `worknode demo`, or `worknode init` in a repository of yours."
)]
pub(crate) struct Cli {
    /// The team's directory [default: the nearest one above with a worknode.toml].
    #[arg(short = 'C', long = "dir", global = true, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Answer in JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// How log lines look (they go to standard error; RUST_LOG chooses which).
    #[arg(long, global = true, value_enum, default_value_t = LogForm::Text, value_name = "FORM")]
    pub(crate) log_format: LogForm,
    /// Before the command: ask the daemon at this address in place of the directory's, as in
    /// `https://worknode.example:7077`. The capability is in the file that WORKNODE_TOKEN_FILE names.
    #[arg(long, env = "WORKNODE_URL", value_name = "URL", hide_env_values = true)]
    pub(crate) url: Option<String>,
    /// With --url: the authorities that may vouch for it, in PEM [default: those of the system].
    #[arg(
        long,
        env = "WORKNODE_CA",
        value_name = "FILE",
        requires = "url",
        hide_env_values = true
    )]
    pub(crate) ca: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogForm {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a worknode.toml and a plan here.
    Init(Init),
    /// Check the configuration and the plan; change nothing.
    Check,
    /// Run the team in the foreground until its plan is worked off.
    Run(Run),
    /// Start the daemon, and keep it running when the plan is done.
    Up(Up),
    /// Stop the daemon and every agent.
    Down(Down),
    /// Show the team at a glance.
    Status(look::Again),
    /// List the agents and what each is doing.
    Ps(look::Again),
    /// Show who uses most: money, tokens, processor time, memory.
    Top(look::Top),
    /// Show the tree of Worknodes.
    Tree(tree::Tree),
    /// Make Worknodes, look at them, change them, watch them: whatever their kind.
    #[command(subcommand)]
    Node(tree::Node),
    /// Find Worknodes by words, by a condition, below one of them.
    Search(tree::Search),
    /// Find Worknodes by a condition.
    Query(tree::Query),
    /// Look at tasks, add them, and report on them.
    #[command(subcommand)]
    Task(Task),
    /// Check the plan, look at it, change it while the team works.
    #[command(subcommand)]
    Plan(plan::Plan),
    /// Answer a hook of an agent's program: its event comes on standard input (for agents).
    Hook(plan::Hook),
    /// Ask before each git commit what the gates will say.
    #[command(subcommand)]
    Hooks(hooks::Hooks),
    /// See what nobody has settled, and say when it is.
    #[command(subcommand)]
    Escalation(plan::Escalation),
    /// Check a change, or everything, with the gates that work is judged by. Needs no daemon.
    #[command(subcommand)]
    Gate(gate::Gate),
    /// Look at agents, and let stopped ones work again.
    #[command(subcommand)]
    Agent(Agent),
    /// Make another agent like one of the configuration, beneath you, and start it.
    Spawn(Spawn),
    /// Stop agents, tasks, runs or all below a node: every process of theirs, with proof.
    Kill(Kill),
    /// Hold agents still, for inspection. Their time does not run meanwhile.
    Freeze(Freeze),
    /// Let frozen agents go on.
    Thaw(Thaw),
    /// Stop everything, and let nothing start, fire or land until `unpanic`.
    Panic(Panic),
    /// Lift a panic: first landings go on, then agents, then triggers.
    Unpanic(Unpanic),
    /// Show what agents wrote.
    Logs(look::Logs),
    /// Show what happened.
    Events(look::Events),
    /// Tell what led to something: the causes of a run, an agent, a task, a firing or an event.
    Why(Why),
    /// Look at triggers, try them, fire them, pause them, add and remove them.
    #[command(subcommand)]
    Trigger(trigger::Trigger),
    /// Let the daemon read the configuration anew (as SIGHUP, and as any change of its files).
    Reload,
    /// Record an event of your own, on which triggers may act.
    Emit(Emit),
    /// Show what stands in front of a Worknode, set it, and try it on an event.
    #[command(subcommand)]
    Membrane(Membrane),
    /// Look at the events that membranes refused and kept, and settle them.
    #[command(subcommand)]
    DeadLetter(DeadLetter),
    /// Show where an agent stands: its task, what was done and decided, messages, what is next.
    Continue(notes::Continue),
    /// Record what was decided and why, and find it again.
    #[command(subcommand)]
    Decision(notes::Decision),
    /// Report what went wrong, and find how it was mended before.
    #[command(subcommand)]
    Issue(notes::Issue),
    /// Remember values under keys.
    #[command(subcommand)]
    Memory(notes::Memory),
    /// Say something to agents and tasks, and acknowledge what was said.
    #[command(subcommand)]
    Message(notes::Message),
    /// Show how long work took against its estimates.
    Estimates(notes::Estimates),
    /// Tell what happened, as Markdown: phases, who did what, what landed, what went wrong.
    Report(notes::Report),
    /// Serve the team's tools to an agent over the Model Context Protocol, on standard input and
    /// output.
    Mcp,
    /// Approve a submission.
    Approve(Approve),
    /// Reject a submission.
    Reject(Reject),
    /// See what agents' programs ask a person for, and allow or deny it.
    Prompts(prompts::Prompts),
    /// Make, look at, narrow, check and take back capabilities: what others may do here.
    #[command(subcommand)]
    Capability(capability::Capability),
    /// Check the event journal: its hash chain, and what follows from it.
    #[command(subcommand)]
    Audit(Audit),
    /// Make profiles of agents that other programs know.
    #[command(subcommand)]
    Import(import::Import),
    /// See a scripted team build a small web application.
    Demo(Demo),
    /// Check what this machine offers.
    Doctor,
    /// Print the JSON Schema of a file, or of what a command answers with --json.
    Schema(Schema),
    /// Print the completions of a shell.
    Completions(Completions),
    /// Write the manual pages of all commands into a directory.
    Man(Man),
}

/// `init`
#[derive(Args, Debug)]
pub(crate) struct Init {
    /// What to begin with.
    #[arg(long, value_enum, default_value_t = Template::Minimal)]
    pub(crate) template: Template,
    /// Replace files that exist.
    #[arg(long)]
    pub(crate) force: bool,
}

/// What `init` can begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Template {
    /// One agent, one task.
    Minimal,
    /// A team that builds a web application with Claude Code.
    WebappClaude,
}

/// Values that override the configuration.
#[derive(Args, Debug, Default)]
pub(crate) struct Overrides {
    /// Branch that approved work lands on.
    #[arg(long, value_name = "BRANCH")]
    pub(crate) base: Option<String>,
    /// Agents that may be alive at once.
    #[arg(long, value_name = "N")]
    pub(crate) agents: Option<u32>,
    /// Also listen on this loopback address, as in 127.0.0.1:7878.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
}

/// `run`
#[derive(Args, Debug)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) overrides: Overrides,
}

/// `up`
#[derive(Args, Debug)]
pub(crate) struct Up {
    /// Return as soon as the daemon answers; it goes on in the background.
    #[arg(short, long)]
    pub(crate) detach: bool,
    #[command(flatten)]
    pub(crate) overrides: Overrides,
}

/// `down`
#[derive(Args, Debug)]
pub(crate) struct Down {
    /// Why, for the record.
    #[arg(long, default_value = "worknode down", value_name = "TEXT")]
    pub(crate) reason: String,
    /// Let the agents go on: the next daemon takes them over, as in an upgrade. Without one
    /// their shims stop them after a while.
    #[arg(long)]
    pub(crate) keep_agents: bool,
    /// Only say what would be done.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `task`
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// List the tasks.
    List,
    /// Show one task, with its verdicts and findings.
    Show {
        /// Name, id, or a unique beginning.
        task: String,
    },
    /// Add a task.
    Add(Add),
    /// Say how far you are (for agents).
    Progress {
        /// The task [default: the one of this run].
        #[arg(long, env = "WORKNODE_TASK")]
        task: String,
        /// Your claim [default: the one of this run].
        #[arg(long, env = "WORKNODE_EPOCH")]
        epoch: u64,
        /// How much is done.
        #[arg(long, value_parser = clap::value_parser!(u8).range(0..=100))]
        percent: Option<u8>,
        /// In words.
        #[arg(default_value = "")]
        message: String,
    },
    /// Hand in a commit of your workspace (for agents).
    Submit {
        /// The task [default: the one of this run].
        #[arg(long, env = "WORKNODE_TASK")]
        task: String,
        /// Your claim [default: the one of this run].
        #[arg(long, env = "WORKNODE_EPOCH")]
        epoch: u64,
        /// The commit [default: HEAD of the present directory].
        commit: Option<CommitId>,
    },
    /// Say that you cannot go on without help (for agents).
    Block {
        /// The task [default: the one of this run].
        #[arg(long, env = "WORKNODE_TASK")]
        task: String,
        /// Your claim [default: the one of this run].
        #[arg(long, env = "WORKNODE_EPOCH")]
        epoch: u64,
        /// What is missing.
        reason: String,
    },
    /// Give the task back (for agents).
    Release {
        /// The task [default: the one of this run].
        #[arg(long, env = "WORKNODE_TASK")]
        task: String,
        /// Your claim [default: the one of this run].
        #[arg(long, env = "WORKNODE_EPOCH")]
        epoch: u64,
        /// Why.
        #[arg(default_value = "")]
        reason: String,
    },
    /// Claim a task for somebody whom the runtime does not run.
    Claim {
        /// Name, id, or a unique beginning.
        task: String,
        /// Who is to hold it: a Worknode, by name or id [default: who the capability names].
        #[arg(long = "as", value_name = "NODE")]
        holder: Option<String>,
        /// For how long without renewal [default: 60s].
        #[arg(long, value_name = "TIME")]
        lease: Option<Span>,
    },
    /// Claim the next task that is ready: higher priority first, then the older one.
    Next(Next),
    /// Keep a claim: the lease begins anew.
    Renew {
        /// The task.
        task: String,
        /// Your claim.
        #[arg(long, env = "WORKNODE_EPOCH")]
        epoch: u64,
        /// For how long without renewal [default: 60s].
        #[arg(long, value_name = "TIME")]
        lease: Option<Span>,
    },
    /// Hand a task that you hold over to somebody else.
    HandOver {
        /// The task.
        task: String,
        /// Your claim.
        #[arg(long, env = "WORKNODE_EPOCH")]
        epoch: u64,
        /// Who goes on: a Worknode, by name or id.
        #[arg(long, value_name = "NODE")]
        to: String,
        /// For how long without renewal [default: 60s].
        #[arg(long, value_name = "TIME")]
        lease: Option<Span>,
    },
    /// Say that you tried and could not do it: the task rests, and goes to the next.
    Fail {
        /// The task [default: the one of this run].
        #[arg(long, env = "WORKNODE_TASK")]
        task: String,
        /// Your claim [default: the one of this run].
        #[arg(long, env = "WORKNODE_EPOCH")]
        epoch: u64,
        /// Why.
        #[arg(default_value = "")]
        reason: String,
    },
    /// Cancel a task that is not wanted any more.
    Cancel {
        /// Name, id, or a unique beginning.
        task: String,
        /// Why.
        #[arg(long, default_value = "", value_name = "TEXT")]
        reason: String,
        /// Only say what would be done.
        #[arg(long)]
        dry_run: bool,
    },
    /// Take back what a task has landed: a change of its own, through the same gates.
    Undo {
        /// Name, id, or a unique beginning.
        task: String,
        /// Why.
        #[arg(long, default_value = "", value_name = "TEXT")]
        reason: String,
        /// Only say what would be done.
        #[arg(long)]
        dry_run: bool,
    },
    /// Try a failed, blocked or cancelled task again.
    Retry {
        /// Name, id, or a unique beginning.
        task: String,
    },
}

/// `task next`
#[derive(Args, Debug)]
pub(crate) struct Next {
    /// Who is to hold it: a Worknode, by name or id [default: who the capability names].
    #[arg(long = "as", value_name = "NODE")]
    pub(crate) holder: Option<String>,
    /// For how long without renewal [default: 60s].
    #[arg(long, value_name = "TIME")]
    pub(crate) lease: Option<Span>,
    /// Wait so long for a task to become ready, as in 30s.
    #[arg(long, value_name = "TIME")]
    pub(crate) wait: Option<Span>,
    /// A tag that you are good at; may be given several times. Among tasks of the same priority and
    /// age, those with more of them go first.
    #[arg(long = "skill", value_name = "TAG")]
    pub(crate) skills: Vec<String>,
    /// Only tasks of which this holds, in CEL, as in 'priority > 3 && "docs" in tags'.
    #[arg(long = "where", value_name = "CEL")]
    pub(crate) condition: Option<String>,
    /// Only tasks below this Worknode.
    #[arg(long, value_name = "NODE")]
    pub(crate) below: Option<String>,
    /// When nothing is ready there: tasks below this one, while more than `--above` are ready; may be
    /// given several times.
    #[arg(long = "steal-from", value_name = "NODE")]
    pub(crate) steal_from: Vec<String>,
    /// How many are left to a busy team [default: `steal_from` of `[claims]`].
    #[arg(long, value_name = "N", requires = "steal_from")]
    pub(crate) above: Option<usize>,
}

/// `task add`
#[derive(Args, Debug)]
pub(crate) struct Add {
    /// One line that says what is to be done.
    pub(crate) title: String,
    /// Its name [default: made from the title].
    #[arg(long)]
    pub(crate) key: Option<String>,
    /// What the agent is told [default: the title]; `-` reads standard input.
    #[arg(long)]
    pub(crate) prompt: Option<String>,
    /// A glob of files that may change; may be given several times.
    #[arg(long = "file", value_name = "GLOB")]
    pub(crate) files: Vec<String>,
    /// A glob of files that may be deleted; may be given several times.
    #[arg(long = "may-delete", value_name = "GLOB")]
    pub(crate) may_delete: Vec<String>,
    /// A task that must be completed first; may be given several times.
    #[arg(long = "depends-on", value_name = "TASK")]
    pub(crate) depends_on: Vec<String>,
    /// Name or glob of the agents that may take it.
    #[arg(long)]
    pub(crate) agent: Option<String>,
    /// When it should be completed.
    #[arg(long, value_name = "RFC3339")]
    pub(crate) deadline: Option<Timestamp>,
    /// A gate; may be given several times [default: the team's].
    #[arg(long = "gate", value_name = "GATE")]
    pub(crate) gates: Vec<String>,
    /// Higher goes first.
    #[arg(long, default_value_t = 0, allow_hyphen_values = true)]
    pub(crate) priority: i32,
}

/// `agent`
#[derive(Debug, Subcommand)]
pub(crate) enum Agent {
    /// List the agents (as `ps`).
    List,
    /// Show one agent.
    Show {
        /// Name, id, or a unique beginning.
        agent: String,
    },
    /// Let stopped or quarantined agents work again.
    Resume {
        /// Names, ids, or unique beginnings.
        #[arg(required_unless_present = "all")]
        agents: Vec<String>,
        /// Every agent.
        #[arg(long, conflicts_with = "agents")]
        all: bool,
    },
}

/// `why`
#[derive(Args, Debug)]
pub(crate) struct Why {
    /// An agent, a task, a run, a trigger, a firing as TRIGGER@OCCURRENCE, or the stamp of an event.
    pub(crate) of: String,
}

/// `spawn`
#[derive(Args, Debug)]
#[command(
    after_help = "An executive agent spawns beneath itself, the operator beneath the team. The new agent's \
    budget comes out of its parent's, and it ends with its parent unless that one ends well. \
    How deep and how wide: `limits.spawn_depth` and `limits.spawn_fan_out`."
)]
pub(crate) struct Spawn {
    /// The agent of the configuration that it is like.
    pub(crate) like: String,
    /// Its name [default: LIKE-x1, LIKE-x2, …].
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// A task that is ready, for an agent that changes code.
    #[arg(long, value_name = "KEY", conflicts_with_all = ["title", "prompt"])]
    pub(crate) task: Option<String>,
    /// One line that says what is to be done [default: the beginning of the prompt].
    #[arg(long, required_unless_present_any = ["task", "prompt"])]
    pub(crate) title: Option<String>,
    /// What it is told [default: the title]; `-` reads standard input.
    #[arg(long)]
    pub(crate) prompt: Option<String>,
    /// How long it may run at most, as in 30m.
    #[arg(long, value_name = "TIME")]
    pub(crate) max_duration: Option<Span>,
    /// How much money it may take at most, in US dollars, as in 1.5.
    #[arg(long, value_name = "USD", value_parser = dollars)]
    pub(crate) usd: Option<Dollars>,
    /// How many tokens it may take at most.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) tokens: Option<u64>,
    /// How much processor time its run may take at most, as in 20m.
    #[arg(long, value_name = "TIME")]
    pub(crate) cpu: Option<Span>,
    /// How much memory its run may hold at most, as in 2GiB.
    #[arg(long, value_name = "BYTES")]
    pub(crate) memory: Option<Bytes>,
    /// How many processes its run may have at most.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) processes: Option<u32>,
}

fn dollars(text: &str) -> Result<Dollars, String> {
    let number = text.parse::<f64>().map_err(|_| NotDollars.to_string())?;
    Dollars::try_from(number).map_err(|error| error.to_string())
}

/// `kill`
#[derive(Args, Debug)]
pub(crate) struct Kill {
    /// Agents, tasks, runs, phases or teams: names, ids, or unique beginnings. A phase or a team
    /// stands for everything below it; an agent takes those with it that it spawned.
    #[arg(required_unless_present = "all", value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// Every agent.
    #[arg(long, conflicts_with = "targets")]
    pub(crate) all: bool,
    /// Time between TERM and KILL [default: the run's own].
    #[arg(long, value_name = "TIME")]
    pub(crate) grace: Option<Span>,
    /// Why, for the receipt.
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub(crate) reason: String,
    /// Only say what would be stopped.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `freeze`
#[derive(Args, Debug)]
pub(crate) struct Freeze {
    /// Agents, or tasks that somebody works on.
    #[arg(required = true, value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// Why, for the record.
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub(crate) reason: String,
}

/// `thaw`
#[derive(Args, Debug)]
pub(crate) struct Thaw {
    /// Agents, or tasks that somebody works on.
    #[arg(required = true, value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
}

/// `panic`
#[derive(Args, Debug)]
pub(crate) struct Panic {
    /// Why, for the record.
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub(crate) reason: String,
    /// Only say what would be done.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `unpanic`
#[derive(Args, Debug)]
pub(crate) struct Unpanic {
    /// Stop after this stage: landings, spawns or triggers [default: all of them].
    #[arg(long, value_parser = stage, value_name = "STAGE")]
    pub(crate) up_to: Option<PanicStage>,
}

fn stage(text: &str) -> Result<PanicStage, String> {
    let known = PanicStage::ALL.into_iter().find(|stage| stage.name() == text);
    known.ok_or_else(|| "a stage is `landings`, `spawns` or `triggers`".to_owned())
}

/// `emit`
#[derive(Args, Debug)]
pub(crate) struct Emit {
    /// Type of the event, as in compilation_failed.
    pub(crate) name: String,
    /// What it carries, as KEY=VALUE; may be given several times.
    #[arg(value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) data: Vec<(String, String)>,
    /// For which Worknode [default: the team].
    #[arg(long, value_name = "NODE")]
    pub(crate) node: Option<String>,
    /// What else it carries: a file with a JSON object, or `-` for standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Version of the form of what it carries.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) version: u32,
}

/// `membrane`
#[derive(Debug, Subcommand)]
pub(crate) enum Membrane {
    /// The rules that hold for a Worknode, and where each comes from.
    Show {
        /// The Worknode: its id, its path, or a unique name.
        node: String,
    },
    /// What would become of an event; nothing is recorded.
    #[command(after_help = "The file is as for POST /events: {\"type\": …, \"version\": 1, \"data\": {…}}.")]
    Test {
        /// The Worknode.
        node: String,
        /// The event: a JSON file, or `-` for standard input.
        #[arg(long, value_name = "FILE")]
        event: PathBuf,
    },
    /// Put a membrane in front of a Worknode and all below it. One that worknode.toml sets is put
    /// back at the next start.
    Set {
        /// The Worknode.
        node: String,
        /// What it says: a JSON file with the keys of `[[membrane]]` but `of`, or `-`.
        file: PathBuf,
    },
    /// Take a Worknode's own membrane away.
    Clear {
        /// The Worknode.
        node: String,
        /// Only say what would be done.
        #[arg(long)]
        dry_run: bool,
    },
}

/// `dead-letter`
#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetter {
    /// What a Worknode keeps.
    List {
        /// The Worknode [default: the team].
        #[arg(default_value = "team")]
        node: String,
    },
    /// One, with all that it carries.
    Show(Letter),
    /// Let the membranes look at it again; it comes in once.
    Replay(Letter),
    /// Throw it away.
    Discard {
        #[command(flatten)]
        letter: Letter,
        /// Only say what would be done.
        #[arg(long)]
        dry_run: bool,
    },
}

/// One dead letter.
#[derive(Args, Debug)]
pub(crate) struct Letter {
    /// Its stamp, as `dead-letter list` shows it.
    pub(crate) letter: Hlc,
    /// The Worknode that keeps it [default: the team].
    #[arg(long, value_name = "NODE", default_value = "team")]
    pub(crate) node: String,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| format!("`{text}` is not KEY=VALUE"))?;
    Ok((key.to_owned(), value.to_owned()))
}

/// `approve`
#[derive(Args, Debug)]
pub(crate) struct Approve {
    /// The task.
    pub(crate) task: String,
    /// The submitted commit that you looked at [default: the one in review].
    #[arg(long)]
    pub(crate) commit: Option<CommitId>,
    /// Digest of what you looked at, as `task show` tells it [default: of what is in review now].
    #[arg(long, env = "WORKNODE_SHOWN", value_name = "DIGEST")]
    pub(crate) shown: Option<String>,
    /// What you have to say.
    #[arg(long, default_value = "")]
    pub(crate) note: String,
}

/// `reject`
#[derive(Args, Debug)]
pub(crate) struct Reject {
    /// The task.
    pub(crate) task: String,
    /// The submitted commit that you looked at [default: the one in review].
    #[arg(long)]
    pub(crate) commit: Option<CommitId>,
    /// Why: it goes into the next brief.
    #[arg(long)]
    pub(crate) reason: String,
}

/// `audit`
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Check the hash chain and the projections, offline.
    Verify,
}

/// `demo`
#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// Do not run it, only make the directory.
    #[arg(long)]
    pub(crate) no_run: bool,
}

/// `schema`
#[derive(Args, Debug)]
pub(crate) struct Schema {
    /// A file (config, plan, profile, triggers), or a command, as in `task list` [default: lists all].
    #[arg(value_name = "OF")]
    pub(crate) of: Vec<String>,
}

/// `completions`
#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// For which shell.
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// `man`
#[derive(Args, Debug)]
pub(crate) struct Man {
    /// The directory; it is made when it is not there.
    pub(crate) into: PathBuf,
}
