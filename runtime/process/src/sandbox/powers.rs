//! What root may do in a box.
//!
//! In containers agents often run as root. Root in a box keeps what building and testing needs
//! and loses what changes other people's files, other processes or the machine.

use rustix::{
    io::Errno,
    thread::{
        CapabilitySet, capabilities, clear_ambient_capability_set, remove_capability_from_bounding_set,
        set_capabilities,
    },
};

use super::SandboxError;

/// What is kept; everything else is dropped, also what later kernels add.
///
/// Not among them: `CHOWN` and `FOWNER` (the owner and mode of files that are not its own;
/// unpacking an archive as root has to be told not to restore owners), `KILL`, `SYS_PTRACE`,
/// `SYS_ADMIN`, `SYS_CHROOT`, `MKNOD`, `NET_RAW`, `NET_ADMIN`, `DAC_READ_SEARCH` (opens files by
/// handle) and all that govern the machine.
const KEPT: CapabilitySet = CapabilitySet::DAC_OVERRIDE
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::AUDIT_WRITE);

/// Drops all other capabilities for good.
///
/// An exec by root gives it the bounding set, so that has to shrink too. A process without the
/// capability to do so cannot gain any by an exec either: `no_new_privs` is set.
pub(super) fn drop_most() -> Result<(), SandboxError> {
    shrink_bounding_set().map_err(refused)?;
    match clear_ambient_capability_set() {
        // Before Linux 4.3 there was no ambient set.
        Ok(()) | Err(Errno::INVAL) => {}
        Err(error) => return Err(refused(error)),
    }
    let mut sets = capabilities(None).map_err(refused)?;
    sets.permitted &= KEPT;
    sets.effective &= KEPT;
    sets.inheritable = CapabilitySet::empty();
    set_capabilities(None, sets).map_err(refused)
}

fn shrink_bounding_set() -> Result<(), Errno> {
    for bit in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        if KEPT.contains(capability) {
            continue;
        }
        match remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // The first number that this kernel does not know, or no right to change the set.
            Err(Errno::INVAL | Errno::PERM) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn refused(error: Errno) -> SandboxError {
    SandboxError::refused("to drop capabilities", error)
}
