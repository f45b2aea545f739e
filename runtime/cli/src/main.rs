//! `worknode`: the one program. The terminal's side of everything, and the daemon itself.

mod answers;
mod args;
mod client;
mod commands;
mod events;
mod help;
mod output;
mod place;
mod progress;

use std::{io::Write, process::ExitCode};

use clap::FromArgMatches;
use worknode_core::error::{Code, Error};
use worknode_telemetry::logs::{self, LogFormat};

use crate::{
    args::{Cli, Command, LogForm},
    client::Server,
    output::Form,
    place::Place,
};

fn main() -> ExitCode {
    // The shim of a run stays as small as it can: none of what follows is for it.
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|first| first == "shim") {
        return worknode_process::shim_main(args);
    }
    let cli = match read() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let form = if cli.json { Form::Json } else { Form::Text };
    let format = match cli.log_format {
        LogForm::Text => LogFormat::Text,
        LogForm::Json => LogFormat::Json,
    };
    logs::init(format, default_level(&cli.command));
    let outcome = threads(&cli.command)
        .enable_all()
        .build()
        .map_err(|error| Error::new(Code::Failed, format!("the runtime cannot start: {error}")))
        .and_then(|runtime| runtime.block_on(dispatch(cli, form)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(&error, form);
            ExitCode::from(error.code.exit_code())
        }
    }
}

/// What the command line says; or what to end with, when it asks for help or makes no sense.
fn read() -> Result<Cli, ExitCode> {
    let read = help::command()
        .try_get_matches()
        .and_then(|matches| Cli::from_arg_matches(&matches));
    read.map_err(|error| {
        if error.use_stderr() && std::env::args_os().any(|arg| arg == "--json") {
            let words = error.to_string();
            let words = words.strip_prefix("error: ").unwrap_or(&words).trim_end();
            output::error(&Error::new(Code::Usage, words), Form::Json);
        } else if let Err(failed) = error.print() {
            tracing::debug!(%failed, "nobody reads what there is to say");
        }
        u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
    })
}

/// Who runs a team has threads of its own; who asks a question needs none, and is answered sooner.
fn threads(command: &Command) -> tokio::runtime::Builder {
    match command {
        Command::Run(_) | Command::Up(_) | Command::Demo(_) | Command::Gate(_) | Command::Mcp => {
            tokio::runtime::Builder::new_multi_thread()
        }
        _ => tokio::runtime::Builder::new_current_thread(),
    }
}

/// A daemon in the background tells its log what it does; at a terminal the screen does.
const fn default_level(command: &Command) -> &'static str {
    match command {
        Command::Up(_) => "info",
        Command::Run(_) | Command::Demo(_) => "error",
        _ => "warn",
    }
}

/// What is done to this machine's own directory is not done to another's.
fn is_for_servers(command: &Command) -> Result<(), Error> {
    use args::trigger::Trigger::{Explain, Next, Simulate};
    let here = match command {
        Command::Init(_) => "init",
        Command::Check => "check",
        Command::Demo(_) => "demo",
        Command::Doctor => "doctor",
        Command::Run(_) => "run",
        Command::Up(_) => "up",
        Command::Down(_) => "down",
        Command::Logs(_) => "logs",
        Command::Trigger(Next(_)) => "trigger next",
        Command::Trigger(Explain(_)) => "trigger explain",
        Command::Trigger(Simulate(_)) => "trigger simulate",
        Command::Import(_) => "import",
        Command::Audit(_) => "audit",
        _ => return Ok(()),
    };
    let what = format!("`{here}` is about what is on this machine, not about a daemon at `--url`");
    Err(Error::new(Code::Usage, what).hint("run it on the other machine, or leave --url out"))
}

/// Every command, by its name. The file below `commands` has the same.
async fn dispatch(cli: Cli, form: Form) -> Result<(), Error> {
    if cli.url.is_some() {
        is_for_servers(&cli.command)?;
    }
    match cli.command {
        Command::Completions(args) => {
            let mut script = Vec::new();
            clap_complete::generate(args.shell, &mut help::command(), "worknode", &mut script);
            // Who reads only its beginning has enough.
            let _ = std::io::stdout().write_all(&script);
            return Ok(());
        }
        Command::Man(args) => return commands::man::man(&args.into, form),
        Command::Schema(args) => return commands::schema::schema(&args.of, form),
        Command::Demo(args) => return commands::demo::demo(cli.dir.as_deref(), &args, form).await,
        Command::Doctor => return commands::doctor::doctor(form).await,
        Command::Init(args) => return commands::init::init(&Place::here(cli.dir.as_deref())?, &args, form),
        _ => {}
    }
    let mut place = Place::find(cli.dir.as_deref())?;
    if let Some(url) = &cli.url {
        place.server = Some(Server::at(url, cli.ca.as_deref())?);
    }
    match cli.command {
        Command::Check => commands::check::check(&place, form),
        Command::Run(args) => commands::run::run(&place, &args.overrides, form).await,
        Command::Up(args) => commands::up::up(&place, &args, form).await,
        Command::Down(args) => commands::down::down(&place, &args, form).await,
        Command::Status(args) => commands::status::status(&place, &args, form).await,
        Command::Ps(args) => commands::ps::ps(&place, &args, form).await,
        Command::Top(args) => commands::top::top(&place, &args, form).await,
        Command::Tree(args) => commands::tree::tree(&place, &args, form).await,
        Command::Node(node) => commands::node::node(&place, node, form).await,
        Command::Search(args) => commands::search::search(&place, &args, form).await,
        Command::Query(args) => commands::search::search(&place, &args.into(), form).await,
        Command::Task(task) => commands::task::task(&place, task, form).await,
        Command::Plan(plan) => commands::plan::plan(&place, plan, form).await,
        Command::Hook(args) => commands::hook::hook(&place, &args).await,
        Command::Hooks(args::hooks::Hooks::Flow(hook)) => commands::hooks::hooks(&place, hook, form).await,
        Command::Hooks(args::hooks::Hooks::Git(hook)) => commands::hook::hooks(&hook, form),
        Command::Escalation(command) => commands::escalation::escalation(&place, command, form).await,
        Command::Gate(gate) => commands::gate::gate(cli.dir.as_deref(), &place, gate, form).await,
        Command::Agent(agent) => commands::agent::agent(&place, agent, form).await,
        Command::Spawn(args) => commands::spawn::spawn(&place, args, form).await,
        Command::Kill(args) => commands::kill::kill(&place, args, form).await,
        Command::Freeze(args) => commands::hold::freeze(&place, args, form).await,
        Command::Thaw(args) => commands::hold::thaw(&place, args, form).await,
        Command::Panic(args) => commands::hold::panic(&place, args, form).await,
        Command::Unpanic(args) => commands::hold::unpanic(&place, args, form).await,
        Command::Logs(args) => commands::logs::logs(&place, &args, form).await,
        Command::Events(args) => commands::events::events(&place, &args, form).await,
        Command::Why(args) => commands::why::why(&place, &args, form).await,
        Command::Trigger(args) => commands::trigger::trigger(&place, args, form).await,
        Command::Reload => commands::reload::reload(&place, form).await,
        Command::Emit(args) => commands::emit::emit(&place, args, form).await,
        Command::Membrane(args) => commands::membrane::membrane(&place, args, form).await,
        Command::DeadLetter(args) => commands::dead_letter::dead_letter(&place, args, form).await,
        Command::Continue(args) => commands::continuation::continuation(&place, &args, form).await,
        Command::Decision(args) => commands::decision::decision(&place, args, form).await,
        Command::Issue(args) => commands::issue::issue(&place, args, form).await,
        Command::Memory(args) => commands::memory::memory(&place, args, form).await,
        Command::Message(args) => commands::message::message(&place, args, form).await,
        Command::Estimates(args) => commands::estimates::estimates(&place, &args, form).await,
        Command::Report(args) => commands::report::report(&place, &args, form).await,
        Command::Mcp => commands::mcp::mcp(&place).await,
        Command::Approve(args) => commands::review::approve(&place, &args, form).await,
        Command::Reject(args) => commands::review::reject(&place, &args, form).await,
        Command::Prompts(args) => commands::prompts::prompts(&place, args, form).await,
        Command::Capability(command) => commands::capability::capability(&place, command, form).await,
        Command::Import(import) => commands::import::import(&place, import, form),
        Command::Audit(audit) => commands::audit::audit(&place, &audit, form).await,
        Command::Init(_)
        | Command::Demo(_)
        | Command::Doctor
        | Command::Schema(_)
        | Command::Man(_)
        | Command::Completions(_) => Ok(()),
    }
}
