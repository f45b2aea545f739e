//! Commands about the tree: any Worknode, whatever its kind.

use clap::{Args, Subcommand};
use serde_json::Value;
use worknode_core::hlc::Hlc;

/// `tree`
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  worknode tree --under webapp/foundation --depth 1\n  worknode tree --kind task,agent --all"
)]
pub(crate) struct Tree {
    /// Only this Worknode and what is below it.
    #[arg(long, value_name = "NODE")]
    pub(crate) under: Option<String>,
    /// At most so many levels below it.
    #[arg(long, value_name = "N")]
    pub(crate) depth: Option<usize>,
    /// Only of these kinds, with commas between.
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// With what is archived.
    #[arg(long)]
    pub(crate) all: bool,
    /// At most so many Worknodes.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1_000)]
    pub(crate) limit: usize,
}

/// `node`
#[derive(Debug, Subcommand)]
#[command(
    after_help = "NODE is an id or the beginning of one, a path of names from the top as in webapp/foundation/schema, \
    a name that nothing else has, or `root`.\n\nExamples:\n  \
    worknode node create department sales --parent root\n  \
    worknode node create person ada --parent sales --set email=ada@example.org --tag on-call\n  \
    worknode node assign schema ada\n  \
    worknode node link api depends_on schema\n  \
    worknode node watch webapp --json"
)]
pub(crate) enum Node {
    /// Make a Worknode.
    Create(Create),
    /// Show a Worknode.
    #[command(visible_alias = "show")]
    Get {
        /// Which.
        node: String,
    },
    /// Change attributes.
    Set {
        /// Which.
        node: String,
        /// NAME=VALUE; the value is JSON where it reads as such, else text. `null` takes it away.
        #[arg(required = true, value_name = "NAME=VALUE", value_parser = attribute)]
        attributes: Vec<(String, Value)>,
        #[command(flatten)]
        since: Since,
    },
    /// Give it another name.
    Rename {
        /// Which.
        node: String,
        /// Its new name.
        name: String,
        #[command(flatten)]
        since: Since,
    },
    /// Hang it, and all below it, below another.
    Move {
        /// Which.
        node: String,
        /// The one above it afterwards.
        to: String,
        #[command(flatten)]
        since: Since,
    },
    /// Put it away: it stays, and is left out of lists.
    Archive {
        /// Which.
        node: String,
        /// Why.
        #[arg(long, default_value = "", value_name = "TEXT")]
        reason: String,
        /// Only say what would be done.
        #[arg(long)]
        dry_run: bool,
    },
    /// Take it out again.
    Restore {
        /// Which.
        node: String,
    },
    /// List what is directly below it.
    Children(Below),
    /// List what is above it, its parent first.
    Ancestors {
        /// Which.
        node: String,
    },
    /// List all that is below it.
    Descendants(Below),
    /// List what it has to do with others, in both directions.
    Links {
        /// Which.
        node: String,
    },
    /// Give it a tag.
    Tag {
        /// Which.
        node: String,
        /// The tag.
        tag: String,
    },
    /// Take a tag away.
    Untag {
        /// Which.
        node: String,
        /// The tag.
        tag: String,
    },
    /// Say who is to see to it.
    Assign {
        /// Which.
        node: String,
        /// A person, an agent, a team.
        to: String,
    },
    /// Say that one is not to see to it any more.
    Unassign {
        /// Which.
        node: String,
        /// Who.
        to: String,
    },
    /// Say what it has to do with another.
    Link(LinkArgs),
    /// Say that it has not.
    Unlink(LinkArgs),
    /// Record an event of your own, on which triggers may act.
    Emit {
        /// Whose.
        node: String,
        /// Type of the event, as in compilation_failed.
        name: String,
        /// What it carries, as KEY=VALUE; may be given several times.
        #[arg(value_name = "KEY=VALUE", value_parser = pair)]
        data: Vec<(String, String)>,
    },
    /// Show what happened to it.
    Events {
        /// Which.
        node: String,
        /// The last so many.
        #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
        last: usize,
    },
    /// Show what happens to it and all below it, until you stop.
    Watch {
        /// Which.
        node: String,
        /// Go on after this event [default: from now on].
        #[arg(long, value_name = "STAMP")]
        since: Option<Hlc>,
        /// Only of this type; may be given several times.
        #[arg(long = "type", value_name = "TYPE")]
        types: Vec<String>,
    },
}

/// `node create`
#[derive(Args, Debug)]
pub(crate) struct Create {
    /// What sort of thing: organisation, team, project, phase, task, document, decision, issue,
    /// memory, or a kind that worknode.toml declares.
    pub(crate) kind: String,
    /// Its name, unique among its siblings of the same kind.
    pub(crate) name: String,
    /// The one above it [default: the team].
    #[arg(long, value_name = "NODE")]
    pub(crate) parent: Option<String>,
    /// An attribute; may be given several times.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = attribute)]
    pub(crate) attributes: Vec<(String, Value)>,
    /// A tag; may be given several times.
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// Who is to see to it; may be given several times.
    #[arg(long = "assign", value_name = "NODE")]
    pub(crate) assignees: Vec<String>,
    /// What it has to do with another: RELATION=NODE; may be given several times.
    #[arg(long = "link", value_name = "RELATION=NODE", value_parser = pair)]
    pub(crate) links: Vec<(String, String)>,
    /// Of a task: one line that says what is to be done [default: the name].
    #[arg(long, value_name = "TEXT")]
    pub(crate) title: Option<String>,
    /// Of a task: what the agent is told [default: the title]; `-` reads standard input.
    #[arg(long, value_name = "TEXT")]
    pub(crate) prompt: Option<String>,
}

/// `node children`, `node descendants`
#[derive(Args, Debug)]
pub(crate) struct Below {
    /// Which.
    pub(crate) node: String,
    #[command(flatten)]
    pub(crate) narrow: Narrow,
}

/// Which of many Worknodes.
#[derive(Args, Debug, Default)]
pub(crate) struct Narrow {
    /// Only of these kinds, with commas between.
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// Only with these statuses, with commas between.
    #[arg(long, value_name = "STATUS")]
    pub(crate) status: Option<String>,
    /// With what is archived.
    #[arg(long)]
    pub(crate) all: bool,
    /// At most so many.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    pub(crate) limit: usize,
    /// Go on where the page before ended.
    #[arg(long, value_name = "CURSOR")]
    pub(crate) cursor: Option<String>,
}

/// `node link`, `node unlink`
#[derive(Args, Debug)]
pub(crate) struct LinkArgs {
    /// Which.
    pub(crate) node: String,
    /// depends_on, blocks, duplicates, duplicated_by, produced_by or produces.
    pub(crate) relation: String,
    /// The other one.
    pub(crate) to: String,
}

/// Only when nobody was faster.
#[derive(Args, Debug)]
pub(crate) struct Since {
    /// Only if it has not changed since this stamp: the `updated` that you saw.
    #[arg(long, value_name = "STAMP")]
    pub(crate) if_match: Option<Hlc>,
}

/// `search`
#[derive(Args, Debug)]
#[command(
    after_help = "The condition is an expression in CEL over the names of a Worknode: kind, name, status, tags, assignees, \
    attributes, priority, created_at, completed_at, now and others.\n\nExamples:\n  \
    worknode search database schema\n  \
    worknode search --where 'kind == \"task\" && status == \"completed\" && completed_at > now - duration(\"168h\")'\n  \
    worknode search --under sales --aggregate 'sum(attributes.value) by attributes.stage'"
)]
pub(crate) struct Search {
    /// Words that are all in its name, its task or its attributes; the last letters may be missing.
    pub(crate) words: Vec<String>,
    /// A condition in CEL.
    #[arg(long = "where", value_name = "CEL")]
    pub(crate) filter: Option<String>,
    /// Only at and below this Worknode.
    #[arg(long, value_name = "NODE")]
    pub(crate) under: Option<String>,
    /// Instead of Worknodes, what all of them come to, as in `count by status`; may be given
    /// several times.
    #[arg(long = "aggregate", value_name = "AGGREGATE")]
    pub(crate) aggregates: Vec<String>,
    #[command(flatten)]
    pub(crate) narrow: Narrow,
}

/// `query`
#[derive(Args, Debug)]
#[command(after_help = "The same as `search --where`.\n\nExamples:\n  \
    worknode query 'kind == \"agent\" && idle > duration(\"4h\")'\n  \
    worknode query 'kind == \"task\"' --aggregate 'progress by parent' --aggregate 'p95(completed_at - ready_at)'")]
pub(crate) struct Query {
    /// A condition in CEL.
    pub(crate) filter: String,
    /// Only at and below this Worknode.
    #[arg(long, value_name = "NODE")]
    pub(crate) under: Option<String>,
    /// Instead of Worknodes, what all of them come to; may be given several times.
    #[arg(long = "aggregate", value_name = "AGGREGATE")]
    pub(crate) aggregates: Vec<String>,
    #[command(flatten)]
    pub(crate) narrow: Narrow,
}

impl From<Query> for Search {
    fn from(query: Query) -> Self {
        Self {
            words: Vec::new(),
            filter: Some(query.filter),
            under: query.under,
            aggregates: query.aggregates,
            narrow: query.narrow,
        }
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| format!("`{text}` is not NAME=VALUE"))?;
    Ok((name.to_owned(), value.to_owned()))
}

/// `true`, `7` and `["a"]` are what they are in JSON; all else is text.
fn attribute(text: &str) -> Result<(String, Value), String> {
    let (name, value) = pair(text)?;
    let value = serde_json::from_str(&value).unwrap_or(Value::String(value));
    Ok((name, value))
}
