//! What Landlock is told.

use std::{os::fd::OwnedFd, path::Path};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, NetPort, PathBeneath, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, make_bitflags,
};
use rustix::fs::{FileType, fstat};

use super::{
    Sandbox, SandboxError,
    places::{Allowed, Readable, named, named_if_there},
};

/// The newest rights that are used. What a kernel has not got of them, it is not asked for:
/// whether that is acceptable has been decided before.
const FILES: ABI = ABI::V5;
const PORTS: ABI = ABI::V4;
const PROCESSES: ABI = ABI::V6;

const READ: BitFlags<AccessFs> = make_bitflags!(AccessFs::{Execute | ReadFile | ReadDir});
const LIST: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadDir});
const MODIFY: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | WriteFile | Truncate});
/// All but device nodes.
const WRITE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{
    Execute | ReadFile | ReadDir | WriteFile | Truncate | Refer | RemoveDir | RemoveFile | MakeDir | MakeReg
        | MakeSock | MakeFifo | MakeSym
});
const DEVICE: BitFlags<AccessFs> =
    make_bitflags!(AccessFs::{ReadFile | ReadDir | WriteFile | Truncate | IoctlDev});

/// Devices that programs take for granted. The rest of `/dev` is hidden.
const DEVICES: [&str; 8] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/ptmx",
    "/dev/pts",
];

/// Closes the files, ports and processes outside.
pub(super) fn enforce(sandbox: &Sandbox) -> Result<(), SandboxError> {
    let mut rules = Rules(create(sandbox).map_err(refused)?);
    rules.devices()?;
    rules.reading(sandbox)?;
    rules.changing(sandbox)?;
    rules.ports(sandbox)?;
    let status = rules.0.restrict_self().map_err(refused)?;
    if status.ruleset == RulesetStatus::NotEnforced {
        return Err(SandboxError::refused(
            "the rules about files",
            "they are not in force",
        ));
    }
    Ok(())
}

fn create(sandbox: &Sandbox) -> Result<RulesetCreated, RulesetError> {
    let mut ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(FILES))?
        .scope(Scope::from_all(PROCESSES))?;
    if sandbox.network_is_limited() {
        ruleset = ruleset.handle_access(AccessNet::from_all(PORTS))?;
    }
    ruleset.create()
}

struct Rules(RulesetCreated);

impl Rules {
    fn devices(&mut self) -> Result<(), SandboxError> {
        for device in DEVICES.map(Path::new) {
            // A container may not have all of them. `/dev/ptmx` can be a link into `/dev/pts`.
            if let Ok(Some(place)) = named_if_there(device) {
                self.allow(place, DEVICE)?;
            }
        }
        Ok(())
    }

    fn reading(&mut self, sandbox: &Sandbox) -> Result<(), SandboxError> {
        let readable = Readable::new(&sandbox.hide, &sandbox.write)?;
        readable.visit(&sandbox.read, &mut |allowed, place| match allowed {
            Allowed::All => self.allow(place, READ),
            Allowed::Names => self.allow(place, LIST),
        })
    }

    fn changing(&mut self, sandbox: &Sandbox) -> Result<(), SandboxError> {
        for path in &sandbox.write {
            self.allow(named(path)?, WRITE)?;
        }
        for path in &sandbox.modify {
            let place = named(path)?;
            if kind(&place)? == FileType::Directory {
                return Err(SandboxError::Place {
                    path: path.clone(),
                    why: "it is a directory; only files can be changed in place".to_owned(),
                });
            }
            self.allow(place, MODIFY)?;
        }
        Ok(())
    }

    fn ports(&mut self, sandbox: &Sandbox) -> Result<(), SandboxError> {
        let connect = sandbox
            .connect
            .iter()
            .flatten()
            .map(|port| (port, AccessNet::ConnectTcp));
        let bind = sandbox
            .bind
            .iter()
            .flatten()
            .map(|port| (port, AccessNet::BindTcp));
        for (port, access) in connect.chain(bind) {
            (&mut self.0)
                .add_rule(NetPort::new(*port, access))
                .map_err(refused)?;
        }
        Ok(())
    }

    /// Allows it beneath a directory, or what of it makes sense for a file.
    fn allow(&mut self, place: OwnedFd, rights: BitFlags<AccessFs>) -> Result<(), SandboxError> {
        let rights = match kind(&place)? {
            FileType::Directory => rights,
            _ => rights & AccessFs::from_file(FILES),
        };
        (&mut self.0)
            .add_rule(PathBeneath::new(place, rights))
            .map_err(refused)?;
        Ok(())
    }
}

fn kind(place: &OwnedFd) -> Result<FileType, SandboxError> {
    let stat = fstat(place).map_err(|error| SandboxError::refused("to look at an open file", error))?;
    Ok(FileType::from_raw_mode(stat.st_mode))
}

fn refused(error: impl Into<RulesetError>) -> SandboxError {
    SandboxError::refused("the rules about files, ports and processes", error.into())
}
