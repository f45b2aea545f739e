//! Stands in for the `worknode` program: `worknode-test-shim shim …`.

use std::process::ExitCode;

fn main() -> ExitCode {
    worknode_process::shim_main(std::env::args_os().skip(2))
}
