//! Bytes, cut into lines of bounded length.

/// Longest line, in bytes. Tools that read large files make lines of hundreds of kilobytes; a
/// longer one is no event that anybody must know of.
pub const LINE: usize = 2 * 1024 * 1024;

/// One line, without its newline.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Whole(Vec<u8>),
    /// Longer than [`LINE`], and gone.
    TooLong,
}

/// The line that has begun.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    begun: Vec<u8>,
    too_long: bool,
}

impl Lines {
    /// The lines that end in `bytes`.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.more(&rest[..end]);
            rest = &rest[end + 1..];
            let line = std::mem::take(&mut self.begun);
            lines.push(if std::mem::take(&mut self.too_long) {
                Line::TooLong
            } else {
                Line::Whole(line)
            });
        }
        self.more(rest);
        lines
    }

    fn more(&mut self, bytes: &[u8]) {
        if self.too_long || self.begun.len() + bytes.len() > LINE {
            self.too_long = true;
            self.begun = Vec::new();
        } else {
            self.begun.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p8_a_line_that_never_ends_is_not_kept() {
        let mut lines = Lines::default();
        for _ in 0..=LINE / 65_536 {
            assert_eq!(lines.take(&[b'x'; 65_536]), []);
        }
        assert!(lines.begun.is_empty());
        let expected = [Line::TooLong, Line::Whole(b"next".to_vec())];
        assert_eq!(lines.take(b"\nnext\n"), expected);
    }

    #[test]
    fn the_longest_line_is_whole_however_it_comes() {
        let mut text = vec![b'x'; LINE];
        text.push(b'\n');
        for size in [1_000_003, text.len()] {
            let mut lines = Lines::default();
            let found: Vec<Line> = text.chunks(size).flat_map(|chunk| lines.take(chunk)).collect();
            assert!(matches!(&found[..], [Line::Whole(line)] if line.len() == LINE));
        }
    }
}
