//! The runner: the one place where a git process is started. Every run is bounded in time and in
//! output, hears nothing on standard input that was not given, and ends with its whole group.

use std::{
    ffi::OsStr,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    fs::File,
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use crate::{error::GitError, group};

/// How long a git command may take, where nothing else is said. All of them work on local files;
/// a minute means that something is stuck.
pub(crate) const TIME: Duration = Duration::from_secs(60);

/// How much a git command may answer, where nothing else is said. 16 MiB is more than any
/// answer that is not a listing of files.
pub(crate) const OUTPUT: usize = 16 * 1024 * 1024;

/// How much of standard error is kept: enough for every message, too little to fill a log.
const STDERR: usize = 16 * 1024;

/// How much of a long answer is written at once.
const AT_ONCE: usize = 256 * 1024;

/// A git command that is being put together.
#[derive(Debug)]
#[must_use = "an invocation does nothing until it is run"]
pub(crate) struct Invocation {
    command: Command,
    bounds: Bounds,
    input: Vec<u8>,
    named: bool,
}

#[derive(Debug)]
struct Bounds {
    what: String,
    time: Duration,
    output: usize,
    accepted: &'static [i32],
}

/// Where the answer of a run goes.
#[derive(Debug)]
pub(crate) enum Sink {
    Memory,
    File(File),
}

/// What an accepted run answered.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    /// The first part of what it wrote to standard error.
    pub(crate) stderr: Vec<u8>,
}

impl Invocation {
    pub(crate) fn new(program: &Path) -> Self {
        let mut command = Command::new(program);
        command
            .env_clear()
            // Not the daemon's folder: a relative path must not mean something by accident.
            .current_dir("/")
            .process_group(0)
            .kill_on_drop(true);
        Self {
            command,
            bounds: Bounds {
                what: String::new(),
                time: TIME,
                output: OUTPUT,
                accepted: &[0],
            },
            input: Vec::new(),
            named: false,
        }
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// An option of git itself, written `--name=value`, so that the value is never an option.
    pub(crate) fn option(mut self, name: &str, value: &Path) -> Self {
        let mut whole = std::ffi::OsString::from(name);
        whole.push("=");
        whole.push(value);
        self.command.arg(whole);
        self
    }

    pub(crate) fn settings(mut self, settings: &[&str]) -> Self {
        for setting in settings {
            self.command.args(["-c", setting]);
        }
        self
    }

    /// The subcommand: what errors call this run.
    pub(crate) fn sub(mut self, name: &str) -> Self {
        name.clone_into(&mut self.bounds.what);
        self.named = true;
        self.command.arg(name);
        self
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        if !self.named {
            self.bounds.what = arg.as_ref().to_string_lossy().into_owned();
        }
        self.command.arg(arg);
        self
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn within(mut self, time: Duration) -> Self {
        self.bounds.time = time;
        self
    }

    pub(crate) fn at_most(mut self, output: usize) -> Self {
        self.bounds.output = output;
        self
    }

    /// Exit codes that are answers, not failures.
    pub(crate) fn accept(mut self, codes: &'static [i32]) -> Self {
        self.bounds.accepted = codes;
        self
    }

    pub(crate) fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = bytes.into();
        self
    }

    /// Let the process finish even when the daemon goes away meanwhile: for the one command
    /// that changes the user's files, which must not be cut off in the middle.
    pub(crate) fn until_done(mut self) -> Self {
        self.command.kill_on_drop(false);
        self
    }

    /// Runs the command.
    ///
    /// A caller that stops waiting does not cut the run short: it has a task of its own, and its
    /// own bounds end it.
    pub(crate) async fn run(self) -> Result<Output, GitError> {
        self.run_into(Sink::Memory).await
    }

    /// As [`Self::run`], with the answer going elsewhere than into memory.
    pub(crate) async fn run_into(mut self, sink: Sink) -> Result<Output, GitError> {
        let stdin = if self.input.is_empty() {
            Stdio::null()
        } else {
            Stdio::piped()
        };
        self.command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = self.command.spawn().map_err(|source| self.missing(source))?;
        let what = self.bounds.what.clone();
        match tokio::spawn(watch(child, self.bounds, self.input, sink)).await {
            Ok(outcome) => outcome,
            Err(lost) => Err(GitError::Unexpected {
                what,
                why: lost.to_string(),
            }),
        }
    }

    /// Starts the command for a conversation. The caller bounds each exchange; when it lets go of
    /// the pipes, the command sees the end of its input.
    pub(crate) fn start_conversation(mut self) -> Result<Child, GitError> {
        self.command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(false);
        self.command.spawn().map_err(|source| self.missing(source))
    }

    fn missing(&self, source: std::io::Error) -> GitError {
        let program = self.command.as_std().get_program().to_string_lossy().into_owned();
        GitError::Missing { program, source }
    }

    /// Runs the command; the answer must be UTF-8 and comes without its line end.
    pub(crate) async fn text(self) -> Result<String, GitError> {
        let what = self.bounds.what.clone();
        let mut answer = utf8(what, self.run().await?.stdout)?;
        if answer.ends_with('\n') {
            answer.pop();
        }
        Ok(answer)
    }

    /// Runs the command; the answer must name one object.
    pub(crate) async fn object<T>(self) -> Result<T, GitError>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        let what = self.bounds.what.clone();
        let answer = self.text().await?;
        parsed(what, &answer)
    }

    /// Runs the command; the first line of the answer must name one object. An empty answer names none.
    pub(crate) async fn first_object<T>(self) -> Result<Option<T>, GitError>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        let what = self.bounds.what.clone();
        let answer = self.text().await?;
        let first = answer.lines().next().filter(|line| !line.is_empty());
        first.map(|first| parsed(what, first)).transpose()
    }
}

fn parsed<T>(what: String, text: &str) -> Result<T, GitError>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|why: T::Err| GitError::Unexpected {
        what,
        why: why.to_string(),
    })
}

pub(crate) fn utf8(what: impl Into<String>, bytes: Vec<u8>) -> Result<String, GitError> {
    String::from_utf8(bytes).map_err(|why| GitError::Unexpected {
        what: what.into(),
        why: why.to_string(),
    })
}

/// The ends of the pipes to one child.
struct Pipes {
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
}

async fn watch(mut child: Child, bounds: Bounds, input: Vec<u8>, sink: Sink) -> Result<Output, GitError> {
    let mut pipes = Pipes {
        stdin: child.stdin.take(),
        stdout: child.stdout.take(),
        stderr: child.stderr.take(),
    };
    let conversation = converse(&mut child, &mut pipes, &bounds, &input, sink);
    let cut_short = match timeout(bounds.time, conversation).await {
        Ok(Ok((status, stdout, stderr))) => return bounds.judge(status, stdout, stderr),
        Ok(Err(error)) => error,
        Err(_) => GitError::TimedOut {
            what: bounds.what,
            after: bounds.time,
        },
    };
    group::end(&mut child, &mut pipes.stderr).await;
    Err(cut_short)
}

/// Feeds and reads the child until it has closed its pipes and ended.
///
/// It is waited for only after both pipes are closed: until then its process id, which is also
/// the name of its group, cannot belong to anybody else.
async fn converse(
    child: &mut Child,
    pipes: &mut Pipes,
    bounds: &Bounds,
    input: &[u8],
    sink: Sink,
) -> Result<(ExitStatus, Vec<u8>, Vec<u8>), GitError> {
    let Pipes {
        stdin,
        stdout,
        stderr,
    } = pipes;
    let feed = async {
        if let Some(mut pipe) = stdin.take() {
            // A child that does not want its input says why on standard error.
            let _ = pipe.write_all(input).await;
        }
        Ok(())
    };
    let answer = read_all(stdout, bounds, sink);
    let complaint = async { Ok(read_head(stderr).await) };
    let ((), stdout, stderr) = tokio::try_join!(feed, answer, complaint)?;
    let status = child.wait().await.map_err(|why| GitError::Unexpected {
        what: bounds.what.clone(),
        why: why.to_string(),
    })?;
    Ok((status, stdout, stderr))
}

/// Everything until the end; more than the bound is an error.
async fn read_all(pipe: &mut Option<ChildStdout>, bounds: &Bounds, sink: Sink) -> Result<Vec<u8>, GitError> {
    let mut kept = Vec::new();
    let Some(pipe) = pipe else { return Ok(kept) };
    let limit = u64::try_from(bounds.output).unwrap_or(u64::MAX);
    let mut pipe = pipe.take(limit.saturating_add(1));
    let read = match sink {
        Sink::Memory => pipe.read_to_end(&mut kept).await.map(|_| ()),
        Sink::File(file) => pour(&mut pipe, file).await,
    };
    if let Err(why) = read {
        return Err(GitError::Unexpected {
            what: bounds.what.clone(),
            why: why.to_string(),
        });
    }
    // All that was allowed has been read, and one more.
    if pipe.limit() == 0 {
        return Err(GitError::TooMuchOutput {
            what: bounds.what.clone(),
            limit: bounds.output,
        });
    }
    Ok(kept)
}

/// Copies all of a pipe to a file, and sees it on the disk.
async fn pour(pipe: &mut (impl AsyncRead + Unpin), mut file: File) -> std::io::Result<()> {
    let mut pipe = BufReader::with_capacity(AT_ONCE, pipe);
    tokio::io::copy_buf(&mut pipe, &mut file).await?;
    file.flush().await?;
    file.sync_all().await
}

/// The first part; the rest is read and forgotten, so that the child does not stall on it.
async fn read_head(pipe: &mut Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = Vec::new();
    if let Some(pipe) = pipe {
        let _ = (&mut *pipe).take(STDERR as u64).read_to_end(&mut kept).await;
        let _ = tokio::io::copy(pipe, &mut tokio::io::sink()).await;
    }
    kept
}

impl Bounds {
    fn judge(self, status: ExitStatus, stdout: Vec<u8>, stderr: Vec<u8>) -> Result<Output, GitError> {
        match status.code() {
            Some(code) if self.accepted.contains(&code) => Ok(Output { code, stdout, stderr }),
            _ => Err(GitError::Failed {
                what: self.what,
                ending: match (status.code(), status.signal()) {
                    (Some(code), _) => format!("exit code {code}"),
                    (None, Some(signal)) => format!("signal {signal}"),
                    (None, None) => "no exit code".to_owned(),
                },
                stderr: String::from_utf8_lossy(&stderr).trim_end().to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests;
