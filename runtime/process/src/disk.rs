//! How much room there is on a disk.

use std::{io, path::Path};

/// Bytes that an ordinary user can still write where `path` is.
///
/// # Errors
/// When `path` does not exist, or cannot be looked at.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let seen = rustix::fs::statvfs(path)?;
    Ok(seen.f_bavail.saturating_mul(seen.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_where_something_is_and_an_error_where_nothing_is() {
        let dir = tempfile::tempdir().unwrap();
        assert!(free_bytes(dir.path()).unwrap() > 0);
        assert!(free_bytes(&dir.path().join("none")).is_err());
    }
}
