//! Reads files whose content nobody vouches for.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// The most bytes that all files of one command have together: a thousand platforms of 16 KiB.
pub(super) const INPUT_LIMIT: usize = 16 << 20;

/// Files of one command.
pub(super) struct Files {
    left: usize,
}

impl Files {
    pub(super) fn new() -> Self {
        Self { left: INPUT_LIMIT }
    }

    /// The text of a file.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(super) fn read(&mut self, file: &Path) -> Result<String, String> {
        let unreadable = |error: io::Error| format!("cannot be read: {error}");
        let metadata = std::fs::metadata(file).map_err(unreadable)?;
        if let Some(what) = endless(file, &metadata) {
            return Err(format!("is {what}: give a file, or - and pipe it in"));
        }
        self.text(File::open(file).map_err(unreadable)?)
    }

    /// The text of a stream such as standard input.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(super) fn text(&mut self, stream: impl Read) -> Result<String, String> {
        let mut bytes = Vec::new();
        let most = u64::try_from(self.left).unwrap_or(u64::MAX);
        let mut limited = stream.take(most.saturating_add(1));
        limited.read_to_end(&mut bytes).map_err(|error| format!("cannot be read: {error}"))?;
        if bytes.len() > self.left {
            self.left = 0;
            return Err(format!(
                "is too large: at most {} MiB are read, all files together; give fewer at a time",
                INPUT_LIMIT >> 20
            ));
        }
        self.left -= bytes.len();
        String::from_utf8(bytes).map_err(|error| not_text(error.as_bytes(), error.utf8_error().valid_up_to()))
    }
}

/// What a file is that may never end, or never begin. What a shell hands over as `/dev/fd/63` does as standard input does.
fn endless(file: &Path, metadata: &Metadata) -> Option<&'static str> {
    let kind = metadata.file_type();
    let handed_over = ["/dev/fd", "/dev/stdin", "/proc/self/fd"].iter().any(|folder| file.starts_with(folder));
    if kind.is_socket() {
        Some("a socket")
    } else if kind.is_block_device() || kind.is_char_device() && !handed_over {
        Some("a device")
    } else if kind.is_fifo() && !handed_over {
        Some("a named pipe")
    } else {
        None
    }
}

fn not_text(bytes: &[u8], valid: usize) -> String {
    let utf_16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    if utf_16 {
        return "is UTF-16: save it as UTF-8".into();
    }
    let line = bytes.iter().take(valid).filter(|byte| **byte == b'\n').count() + 1;
    format!("is not UTF-8, from line {line} on: save it as UTF-8")
}
