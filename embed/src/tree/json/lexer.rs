//! The words of JSON: strings, numbers, `true`, `false`, `null`, and the space between them.
//!
//! Knows nothing of lists and maps. RFC 8259, chapters 6 and 7.

use crate::finding::Finding;
use crate::tree::raw::Scalar;
use crate::tree::{SourceId, Span};

/// A place in a text, and what comes next there.
pub(super) struct Lexer<'t> {
    source: SourceId,
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(source: SourceId, text: &'t str) -> Self {
        let at = 0;
        Self { source, text, at }
    }

    /// The byte that is read next.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is no white space.
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.byte() {
            self.at += 1;
        }
        self.byte()
    }

    /// Steps over the byte that [`Self::peek`] gave.
    pub(super) fn step(&mut self) {
        self.at += 1;
    }

    /// Steps over `byte` if it comes next.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// From `start` to what has been read.
    pub(super) fn since(&self, start: usize) -> Span {
        self.span(start, self.at)
    }

    /// The character that is read next, or the end of the text.
    pub(super) fn here(&self) -> Span {
        let next = self.rest().chars().next();
        self.span(self.at, self.at + next.map_or(0, char::len_utf8))
    }

    fn span(&self, start: usize, end: usize) -> Span {
        let source = self.source;
        let [start, end] = [start, end].map(|at| u32::try_from(at).unwrap_or(u32::MAX));
        Span { source, start, end }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn error(&self, at: Span, message: impl Into<String>) -> Finding {
        Finding::error("json-syntax", at, message)
    }

    /// What is wrong where `wanted` should come next.
    pub(super) fn unexpected(&mut self, wanted: &str) -> Finding {
        self.peek();
        let rest = self.rest();
        let (found, hint) = match rest.chars().next() {
            None => ("the end of the text".into(), None),
            Some('\u{feff}') => (
                "a byte order mark".into(),
                Some("save the file as UTF-8 without byte order mark"),
            ),
            Some('/' | '#') => ("a comment".into(), Some("JSON has no comments")),
            Some('\'') => ("`'`".into(), Some("JSON strings stand in double quotes")),
            Some('}' | ']') if self.text.get(..self.at).is_some_and(after_comma) => (
                "an end".into(),
                Some("JSON has no comma after the last item"),
            ),
            Some(letter) => (format!("`{}`", letter.escape_debug()), None),
        };
        let message = format!("expected {wanted}, found {found}");
        let mut finding = self.error(self.here(), message);
        finding.hint = hint.map(Into::into);
        finding
    }

    /// `true`, `false` or `null`.
    pub(super) fn word(&mut self) -> Result<Scalar, Finding> {
        let words = [
            ("true", Scalar::Bool(true)),
            ("false", Scalar::Bool(false)),
            ("null", Scalar::Null),
        ];
        for (word, scalar) in words {
            if self.rest().starts_with(word) {
                self.at += word.len();
                return Ok(scalar);
            }
        }
        Err(self.unexpected("a value"))
    }

    /// A number as it is written.
    pub(super) fn number(&mut self) -> Result<String, Finding> {
        let start = self.at;
        self.at += usize::from(self.byte() == Some(b'-'));
        if self.byte() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.at += 1;
            }
            self.digits()?;
        }
        if self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            let message = "a number cannot begin with 0";
            return Err(self.error(self.since(start), message));
        }
        Ok(self.text.get(start..self.at).unwrap_or_default().into())
    }

    fn digits(&mut self) -> Result<(), Finding> {
        let start = self.at;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.error(self.here(), "expected a digit"));
        }
        Ok(())
    }

    /// A string's contents. Stands at its opening quote.
    pub(super) fn string(&mut self) -> Result<String, Finding> {
        let start = self.at;
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = self.rest();
            let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
            let run = rest.as_bytes().iter().position(special);
            let run = run.unwrap_or(rest.len());
            out.push_str(rest.get(..run).unwrap_or_default());
            self.at += run;
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => out.push(self.escape()?),
                Some(_) => {
                    let message = "control characters in strings must be escaped";
                    return Err(self.error(self.here(), message));
                }
                None => return Err(self.error(self.since(start), "the string has no end")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Finding> {
        let start = self.at;
        self.at += 2;
        let letter = match self.text.as_bytes().get(start + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(start),
            _ => {
                self.at = start;
                return Err(self.error(self.here(), "unknown escape in a string"));
            }
        };
        Ok(letter)
    }

    /// The digits of `\u`, and those of a second half if the first needs one.
    fn unicode(&mut self, start: usize) -> Result<char, Finding> {
        let Some(unit) = self.hex() else {
            let message = "`\\u` needs four hexadecimal digits";
            return Err(self.error(self.span(start, start + 2), message));
        };
        if (0xd800..0xdc00).contains(&unit) && self.rest().starts_with("\\u") {
            let before = self.at;
            self.at += 2;
            match self.hex() {
                Some(low @ 0xdc00..=0xdfff) => {
                    let both = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                    return Ok(char::from_u32(both).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                _ => self.at = before,
            }
        }
        Ok(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }
}

fn after_comma(before: &str) -> bool {
    before.trim_end().ends_with(',')
}
