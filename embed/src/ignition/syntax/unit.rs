//! systemd unit files, as far as Ignition reads them: sections, options, continued lines. Accepts
//! and refuses what its lexer does, which is laxer than systemd's own.
//!
//! What options mean is not known here.

use crate::finding::quote;

/// Lines may have fewer bytes than this, as far as that is seen.
const LINE_MAX: usize = 2048;
/// Lines are looked at in a buffer of this size. A long line whose beginning is near the
/// buffer's end is not seen to be long, so the buffer decides which configs are accepted.
const BUFFER: usize = 4096;

/// What a unit file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitFile<'a> {
    /// The sections that have options, in order; a name comes again if the section does.
    pub sections: Vec<&'a str>,
    /// There is text before the first section, which systemd ignores.
    pub has_stray_text: bool,
}

/// Why a unit file was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnitError {
    /// A line of 2048 bytes or more.
    #[error("it has a line of {LINE_MAX} bytes or more")]
    LongLine,
    /// A `[` without `]`.
    #[error("it has a section without `]`")]
    OpenSection,
    /// More text in the line of a section.
    #[error("it has text after the section {0}")]
    AfterSection(String),
    /// A line that is neither a section nor a comment nor has a `=`.
    #[error("its line {0} has no `=`")]
    NoEquals(String),
}

/// Reads a unit file.
pub fn parse(text: &str) -> Result<UnitFile<'_>, UnitError> {
    let mut lexer = Lexer {
        text,
        at: 0,
        buffered: 0,
        newline: 0,
    };
    let mut file = UnitFile::default();
    let mut section = None;
    loop {
        lexer.check_line()?;
        match lexer.next_char() {
            None => return Ok(file),
            Some('[') => section = Some(lexer.section()?),
            Some('#' | ';') => lexer.comment()?,
            Some(char) if char.is_whitespace() => {}
            Some(char) => match section {
                None => file.has_stray_text = true,
                Some(name) => {
                    lexer.at = lexer.at.saturating_sub(char.len_utf8());
                    lexer.option()?;
                    if file.sections.last() != Some(&name) {
                        file.sections.push(name);
                    }
                }
            },
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    /// Next byte to be read.
    at: usize,
    /// One past the last byte in the buffer.
    buffered: usize,
    /// The first line end from `at` on, if it is not before `at`: then it is to be sought.
    newline: usize,
}

impl<'a> Lexer<'a> {
    /// Looks for a long line, in what is in the buffer now.
    fn check_line(&mut self) -> Result<(), UnitError> {
        let limit = self.at.saturating_add(LINE_MAX);
        if self.buffered < limit {
            return Ok(());
        }
        if self.newline < self.at {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let newline = rest.find(['\r', '\n']).unwrap_or(rest.len());
            self.newline = self.at.saturating_add(newline);
        }
        if self.newline < limit {
            Ok(())
        } else {
            Err(UnitError::LongLine)
        }
    }

    fn fill(&mut self) {
        self.buffered = self.text.len().min(self.at.saturating_add(BUFFER));
    }

    fn next_char(&mut self) -> Option<char> {
        let char = self.text.get(self.at..)?.chars().next()?;
        if self.at.saturating_add(char.len_utf8()) > self.buffered {
            self.fill();
        }
        self.at += char.len_utf8();
        Some(char)
    }

    /// Everything to `end`, which is taken too; to the end of the text if it does not come.
    fn take_to(&mut self, end: char) -> (&'a str, bool) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let (taken, found) = match rest.split_once(end) {
            Some((taken, _)) => (taken, true),
            None => (rest, false),
        };
        let after = self.at + taken.len() + usize::from(found);
        // A full buffer is handed on whole and filled anew.
        while self.buffered < after {
            if self.buffered.saturating_sub(self.at) >= BUFFER {
                self.at = self.buffered;
            }
            let before = self.buffered;
            self.fill();
            if self.buffered == before {
                break;
            }
        }
        self.at = after;
        (taken, found)
    }

    fn line(&mut self) -> (&'a str, bool) {
        self.take_to('\n')
    }

    /// The name of the section whose `[` was read. It may be several lines long.
    fn section(&mut self) -> Result<&'a str, UnitError> {
        self.check_line()?;
        let (name, closed) = self.take_to(']');
        if !closed {
            return Err(UnitError::OpenSection);
        }
        self.check_line()?;
        match self.line().0.trim() {
            "" => Ok(name),
            _ => Err(UnitError::AfterSection(first_line(name))),
        }
    }

    /// Takes the comment whose first character was read; comments are continued, too.
    fn comment(&mut self) -> Result<(), UnitError> {
        self.check_line()?;
        loop {
            let (line, more) = self.line();
            let line = line.strip_suffix(' ').unwrap_or(line);
            if !more || !line.ends_with('\\') {
                return Ok(());
            }
        }
    }

    fn option(&mut self) -> Result<(), UnitError> {
        self.check_line()?;
        let start = self.at;
        loop {
            match self.next_char() {
                Some('=') => break,
                None | Some('\n' | '\r') => {
                    let line = self.text.get(start..self.at).unwrap_or_default();
                    return Err(UnitError::NoEquals(first_line(line.trim_end())));
                }
                Some(_) => {}
            }
        }
        loop {
            self.check_line()?;
            let (line, more) = self.line();
            if !more || !line.ends_with('\\') {
                return Ok(());
            }
        }
    }
}

/// The first line of a text, as messages quote it.
fn first_line(text: &str) -> String {
    quote(text.lines().next().unwrap_or_default())
}

#[cfg(test)]
mod tests;
