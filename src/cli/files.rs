//! Reads files whose content nobody vouches for.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use crate::guardrails::Guardrails;
use crate::manifest::{self, Input, Reader};

/// Reads files with platforms; `-` is standard input.
///
/// # Errors
/// Everything that is wrong in any of the files.
pub(super) fn manifests(files: &[PathBuf]) -> Result<Input, manifest::Error> {
    let mut reader = Reader::new();
    let mut input = Files::new();
    let mut standard_input = false;
    for file in files {
        let piped = file == Path::new("-");
        let name = if piped { manifest::STANDARD_INPUT.into() } else { file.display().to_string() };
        if piped && std::mem::replace(&mut standard_input, true) {
            reader.unreadable(name, "- is given twice, and standard input can be read only once".into());
            continue;
        }
        match if piped { input.text(std::io::stdin().lock()) } else { input.read(file) } {
            Ok(text) => reader.text(name, &text),
            Err(why) => reader.unreadable(name, why),
        }
    }
    reader.finish()
}

/// Reads the guardrails, where there is a file of them.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn guardrails(file: Option<&Path>) -> Result<Guardrails, manifest::Error> {
    let Some(file) = file else { return Ok(Guardrails::Absent) };
    let name = file.display().to_string();
    let text = Files::new().read(file).map_err(|why| manifest::Error::unreadable(&name, why))?;
    Guardrails::parse(&name, &text)
}

/// The most bytes that all files of one command have together: a thousand platforms of 16 KiB.
const INPUT_LIMIT: usize = 16 << 20;

/// Files of one command.
struct Files {
    left: usize,
}

impl Files {
    fn new() -> Self {
        Self { left: INPUT_LIMIT }
    }

    /// The text of a file.
    ///
    /// # Errors
    /// The reason for which it cannot be used.
    fn read(&mut self, file: &Path) -> Result<String, String> {
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
    /// The reason for which it cannot be used.
    fn text(&mut self, stream: impl Read) -> Result<String, String> {
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

/// The kind of a file that may never end, or never begin. What a shell hands over as `/dev/fd/63` does as standard
/// input does.
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::manifest::Error;

    const HEAD: &str = "apiVersion: aiplatform.dev/v1alpha1\nkind: AIPlatform\nmetadata: {name: support}\n";
    const OWNERSHIP: &str = "  ownership: {team: support, contact: ml@example.com, environment: prod}\n";
    const PLACE: &str = "  region: eu-west-1\n  accountId: \"123456789012\"\n";

    /// A sound platform of seven lines and what a test adds to its spec, which begins on line 8.
    fn platform(spec: &str) -> String {
        format!("{HEAD}spec:\n{PLACE}{OWNERSHIP}{spec}")
    }

    #[test]
    fn files_are_read_together() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| -> PathBuf {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let first = write("a.yaml", &platform(""));
        let second = write("b.yaml", &platform("").replace("name: support", "name: support, namespace: ml"));
        let third = write(
            "c.yaml",
            &format!("---\n{}", platform("").replace("name: support", "namespace: default, name: support")),
        );
        let wrong = write("d.yaml", &platform("  suspend: 5\n").replace("support}", "other}"));
        let binary = folder.path().join("e.yaml");
        fs::write(&binary, [0xff, 0xfe, 0x00]).unwrap();
        let missing = folder.path().join("f.yaml");

        let input = manifests(&[first.clone(), second.clone()]).unwrap();
        assert_eq!(input.manifests.len(), 2);

        let error = manifests(&[first.clone(), second, third.clone(), wrong.clone(), binary.clone(), missing.clone()])
            .unwrap_err();
        assert_eq!(error.reason(), "InvalidInput");
        let [first, third, wrong, binary, missing] =
            [first, third, wrong, binary, missing].map(|path| path.display().to_string());
        assert_eq!(
            error.to_string().lines().collect::<Vec<_>>(),
            [
                format!("{third}:4: metadata.name: default/support is declared at {first}:1 already: keep one"),
                format!("{wrong}:8: spec.suspend: 5 is a number, and a boolean is expected"),
                format!("{binary}: is UTF-16: save it as UTF-8"),
                format!("{missing}: cannot be read: No such file or directory (os error 2)"),
            ]
        );
        let Error::Invalid(problems, 0) = error else { panic!("{error}") };
        assert_eq!(problems[1].line, Some(8));
        assert_eq!(problems[1].path, "spec.suspend");
    }

    #[test]
    fn only_text_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |path: &std::path::Path| match manifests(&[path.to_path_buf()]) {
            Ok(input) => panic!("{input:?}"),
            Err(error) => error.to_string().replace(&format!("{}: ", path.display()), ""),
        };
        let file = folder.path().join("a.yaml");
        fs::write(&file, b"a: b\nc: \xff\n").unwrap();
        assert_eq!(refused(&file), "is not UTF-8, from line 2 on: save it as UTF-8");
        fs::write(&file, vec![b'#'; (16 << 20) + 1]).unwrap();
        assert_eq!(refused(&file), "is too large: at most 16 MiB are read, all files together; give fewer at a time");
        assert_eq!(refused(folder.path()), "cannot be read: Is a directory (os error 21)");
        assert_eq!(refused("/dev/zero".as_ref()), "is a device: give a file, or - and pipe it in");
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert_eq!(refused(&socket), "is a socket: give a file, or - and pipe it in");
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert_eq!(refused(&pipe), "is a named pipe: give a file, or - and pipe it in");
    }

    #[test]
    fn guardrails_that_are_not_there_are_reported_with_their_name() {
        let missing = guardrails(Some(Path::new("no-such-file.yaml"))).unwrap_err().to_string();
        assert!(missing.starts_with("no-such-file.yaml: cannot be read: "), "{missing}");
        assert_eq!(guardrails(None).unwrap(), Guardrails::Absent);
    }
}
