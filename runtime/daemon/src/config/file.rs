//! Reading files: bounded, and only what is a file.

use std::{
    fs::File,
    io::{ErrorKind, Read as _},
    path::Path,
};

/// Bytes of one file. A larger one is refused: a plan of ten thousand tasks has a tenth of it.
pub(super) const FILE: u64 = 16 * 1024 * 1024;

/// Why a file has no text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ReadError {
    /// It is not there.
    #[error("there is no such file")]
    Missing,
    /// A directory, a pipe, a device.
    #[error("this is {0}, not a file")]
    NotAFile(&'static str),
    /// Larger than [`FILE`].
    #[error("the file is larger than {} MiB", FILE / (1024 * 1024))]
    TooLarge,
    /// Not text.
    #[error("the file is not UTF-8: byte {at} of line {line} does not belong there")]
    NotUtf8 {
        /// Which byte of the line, from 1.
        at: usize,
        /// Which line, from 1.
        line: usize,
    },
    /// The system's word for it.
    #[error("the file cannot be read: {0}")]
    Io(String),
}

/// The text of a file. A byte order mark at its start is left out.
pub(super) fn read(path: &Path) -> Result<String, ReadError> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => ReadError::Missing,
        _ => ReadError::Io(error.to_string()),
    };
    // Looked at before it is opened: opening a pipe waits for its other end.
    let metadata = path.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(ReadError::NotAFile("a directory"));
    }
    if !metadata.is_file() {
        return Err(ReadError::NotAFile("a pipe or a device"));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .map_err(failed)?
        .take(FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > FILE {
        return Err(ReadError::TooLarge);
    }
    let text = String::from_utf8(bytes).map_err(|error| not_utf8(&error))?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

fn not_utf8(error: &std::string::FromUtf8Error) -> ReadError {
    let good = error
        .as_bytes()
        .get(..error.utf8_error().valid_up_to())
        .unwrap_or_default();
    let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
    let at = good.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    ReadError::NotUtf8 { at, line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            std::fs::write(dir.path().join(name), bytes).unwrap();
            read(&dir.path().join(name))
        };
        assert_eq!(file("a", "\u{feff}ü".as_bytes()), Ok("ü".to_owned()));
        assert_eq!(file("b", b"a\nb\xff"), Err(ReadError::NotUtf8 { at: 2, line: 2 }));
        assert_eq!(read(&dir.path().join("c")), Err(ReadError::Missing));
        assert_eq!(read(dir.path()), Err(ReadError::NotAFile("a directory")));
        assert_eq!(
            read(Path::new("/dev/zero")),
            Err(ReadError::NotAFile("a pipe or a device"))
        );
    }

    #[test]
    fn p8_a_large_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("large");
        File::create(&path).unwrap().set_len(FILE + 1).unwrap();
        assert_eq!(read(&path), Err(ReadError::TooLarge));
    }
}
