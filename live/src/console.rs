//! Lines for whoever watches the machine: every active console gets them, whatever state its
//! terminal is in. Never fails and never blocks for long; the journal has the same text.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::libc;

/// Prefix of every line, so that a log can be searched for it.
pub const PREFIX: &str = "coreos-metal: ";

/// A full terminal buffer is waited for this often, [`PAUSE`] each; a serial line at 9600 baud
/// empties a page in about four seconds.
const WAITS: u32 = 500;
const PAUSE: Duration = Duration::from_millis(10);

/// The consoles of this machine.
#[derive(Clone, Debug)]
pub struct Consoles(Vec<PathBuf>);

impl Consoles {
    /// All consoles that the kernel logs to, or `/dev/console` when it does not tell.
    pub fn active() -> Self {
        let text = fs::read_to_string("/sys/class/tty/console/active").unwrap_or_default();
        Self(nodes(&text))
    }

    /// Consoles that are files, for tests of others.
    #[cfg(test)]
    pub(crate) fn of(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        Self(paths.into_iter().collect())
    }

    /// Prints one line with [`PREFIX`].
    pub fn line(&self, text: &str) {
        self.text(&format!("{PREFIX}{text}\n"));
    }

    /// Prints `text` as it is.
    pub fn text(&self, text: &str) {
        for node in &self.0 {
            if let Ok(console) = open(node) {
                write_patiently(console, text.as_bytes());
            }
        }
    }
}

fn nodes(active: &str) -> Vec<PathBuf> {
    let nodes: Vec<_> = active
        .split_whitespace()
        .map(|name| Path::new("/dev").join(name))
        .collect();
    if nodes.is_empty() {
        vec![PathBuf::from("/dev/console")]
    } else {
        nodes
    }
}

/// Without blocking: a serial port may wait for a carrier that never comes.
fn open(node: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .append(true)
        .custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK)
        .open(node)
}

fn write_patiently(mut console: impl Write, mut bytes: &[u8]) {
    let mut waits = 0;
    while !bytes.is_empty() && waits < WAITS {
        match console.write(bytes) {
            Ok(n) if n > 0 => bytes = bytes.get(n..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                waits += 1;
                thread::sleep(PAUSE);
            }
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn every_active_console_is_used() {
        assert_eq!(
            nodes("tty0 ttyS0\n"),
            [PathBuf::from("/dev/tty0"), PathBuf::from("/dev/ttyS0")]
        );
        assert_eq!(nodes("\n"), [PathBuf::from("/dev/console")]);
    }

    #[test]
    fn a_line_reaches_the_others_when_one_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let good = dir.path().join("good");
        fs::write(&good, "").unwrap();
        Consoles::of([dir.path().join("absent/tty"), good.clone()]).line("hello");
        assert_eq!(fs::read_to_string(good).unwrap(), "coreos-metal: hello\n");
    }

    #[test]
    fn a_full_terminal_gets_the_rest_later_and_a_dead_one_is_left() {
        struct Slow(Vec<u8>, u32);
        impl Write for Slow {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.1 += 1;
                if self.1.is_multiple_of(2) {
                    return Err(ErrorKind::WouldBlock.into());
                }
                self.0.extend(&bytes[..1]);
                Ok(1)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut slow = Slow(Vec::new(), 0);
        write_patiently(&mut slow, b"abc");
        assert_eq!(slow.0, b"abc");

        struct Dead(u32);
        impl Write for Dead {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                self.0 += 1;
                Err(io::Error::from_raw_os_error(libc::EIO))
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut dead = Dead(0);
        write_patiently(&mut dead, b"abc");
        assert_eq!(dead.0, 1);
    }
}
