//! The program that the tests of the sandbox run, inside it and outside.
//!
//! - `box SANDBOX PROGRAM ARGS…`: closes the box that the JSON describes, then becomes the program.
//! - `attempt NAME ARGS…`: tries one way out; says whether it led out.
//! - `stand NAME`: is a process outside, with an abstract socket, until its input ends.

mod attempts;

use std::{
    env,
    error::Error,
    io::{self, Read, Write},
    os::{
        linux::net::SocketAddrExt,
        unix::{
            net::{SocketAddr, UnixListener},
            process::CommandExt,
        },
    },
    process::{Command, ExitCode},
};

use worknode_process::sandbox::{Sandbox, support};

/// The way led out.
const OUT: u8 = 0;
/// The way is closed.
const REFUSED: u8 = 10;
/// Something else went wrong; shows nothing.
const BROKEN: u8 = 70;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["box", sandbox, program, args @ ..] => boxed(sandbox, program, args),
        ["attempt", name, args @ ..] => return attempt(name, args),
        ["stand", name] => stand(name).map_err(Into::into),
        ["support"] => serde_json::to_string(&support())
            .map(|text| println!("{text}"))
            .map_err(Into::into),
        _ => Err("unknown command".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(BROKEN)
        }
    }
}

fn boxed(sandbox: &str, program: &str, args: &[&str]) -> Result<(), Box<dyn Error>> {
    let sandbox: Sandbox = serde_json::from_str(sandbox)?;
    sandbox.enforce()?;
    Err(Command::new(program).args(args).exec().into())
}

fn attempt(name: &str, args: &[&str]) -> ExitCode {
    match attempts::attempt(name, args) {
        Some(Ok(())) => {
            println!("out");
            ExitCode::from(OUT)
        }
        Some(Err(error)) => {
            println!("refused: {error}");
            ExitCode::from(REFUSED)
        }
        None => {
            eprintln!("no attempt is called {name}, or not with {args:?}");
            ExitCode::from(BROKEN)
        }
    }
}

fn stand(name: &str) -> io::Result<()> {
    let _socket = UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)?;
    println!("ready");
    io::stdout().flush()?;
    io::stdin().read_to_end(&mut Vec::new()).map(drop)
}
