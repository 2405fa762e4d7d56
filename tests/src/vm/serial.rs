//! A serial line that QEMU writes to a file, followed as it grows.
//!
//! Each wait begins where the last one found its line: a machine that boots twice on one line is
//! read in order. Lines are matched whole, without escape sequences and carriage returns.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A reader of the serial file.
#[derive(Debug)]
pub struct Serial {
    path: PathBuf,
    file: Option<File>,
    partial: Vec<u8>,
    lines: VecDeque<String>,
}

impl Serial {
    /// Follows `path`, which need not exist yet.
    pub fn follow(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            file: None,
            partial: Vec::new(),
            lines: VecDeque::new(),
        }
    }

    /// The next whole line, or `None` when there is none yet.
    pub fn next_line(&mut self) -> Result<Option<String>> {
        if self.lines.is_empty() {
            self.fill()?;
        }
        Ok(self.lines.pop_front())
    }

    /// What follows the last line without a line's end.
    pub fn unfinished(&self) -> String {
        clean(&self.partial)
    }

    /// The file that is followed.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn fill(&mut self) -> Result<()> {
        if self.file.is_none() {
            match File::open(&self.path) {
                Ok(file) => self.file = Some(file),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
                Err(error) => {
                    return Err(error).with_context(|| format!("opening {}", self.path.display()));
                }
            }
        }
        if let Some(file) = &mut self.file {
            file.read_to_end(&mut self.partial)
                .with_context(|| format!("reading {}", self.path.display()))?;
        }
        while let Some(end) = self.partial.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.partial.drain(..=end).collect();
            self.lines.push_back(clean(&line));
        }
        Ok(())
    }
}

/// Text of a line without terminal escape sequences and control characters.
fn clean(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            if chars.next_if_eq(&'[').is_some() {
                while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {}
            } else {
                chars.next();
            }
        } else if c == '\t' || !c.is_control() {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn lines_come_whole_and_clean_as_the_file_grows() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("serial");
        let mut serial = Serial::follow(&path);
        assert_eq!(serial.next_line().unwrap(), None);
        let mut file = File::create(&path).unwrap();
        write!(file, "\x1b[0;32mone\x1b[0m\r\ntw").unwrap();
        assert_eq!(serial.next_line().unwrap().as_deref(), Some("one"));
        assert_eq!(serial.next_line().unwrap(), None);
        writeln!(file, "o").unwrap();
        assert_eq!(serial.next_line().unwrap().as_deref(), Some("two"));
        assert_eq!(serial.next_line().unwrap(), None);
        write!(file, "login: ").unwrap();
        assert_eq!(serial.next_line().unwrap(), None);
        assert_eq!(serial.unfinished(), "login: ");
    }
}
