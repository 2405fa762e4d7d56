//! Where YAML events stand in the text, in bytes, and what the parser's refusals are called.
//!
//! The parser counts a block scalar from its first line of text; places here count from its `|`
//! or `>`, which is where the value begins for a reader.

use granit_parser::{ErrorKind, ScanError};

use super::too_deep;
use crate::finding::{Finding, quote};
use crate::tree::{SourceId, Span};

/// The text that places are in.
#[derive(Clone, Copy)]
pub(super) struct Places<'t> {
    pub(super) source: SourceId,
    pub(super) text: &'t str,
}

impl Places<'_> {
    fn range(self, start: usize, end: usize) -> Span {
        let [start, end] = [start, end.max(start)].map(|at| u32::try_from(at).unwrap_or(u32::MAX));
        let source = self.source;
        Span { source, start, end }
    }

    /// Where an event stands.
    pub(super) fn span(self, span: granit_parser::Span) -> Span {
        let start = span.start.byte_offset().unwrap_or_default();
        let end = span.end.byte_offset().unwrap_or_default();
        self.range(start, end)
    }

    /// The whole of a block scalar whose text stands at `span`, after what ends at `before`.
    pub(super) fn block(self, span: Span, before: u32) -> Span {
        let start = self.sign(before, span, b"|>");
        let whole = self.text.get(start..span.end as usize).unwrap_or_default();
        self.range(start, start + whole.trim_end().len())
    }

    /// Where the block list of a key begins that ends at `before`: its dash. When that is indented
    /// no deeper than the key, the parser counts from the first item, at `span`.
    pub(super) fn dash(self, span: Span, before: u32) -> Span {
        self.range(self.sign(before, span, b"-"), span.end as usize)
    }

    /// The first of `signs` in the gap before `span`, or else the start of `span`.
    fn sign(self, before: u32, span: Span, signs: &[u8]) -> usize {
        let gap = before as usize..span.start as usize;
        let gap = self.text.get(gap).unwrap_or_default();
        find(gap, signs).map_or(span.start as usize, |at| before as usize + at)
    }

    /// The character at a byte, or the end of the text.
    pub(super) fn at(self, byte: usize) -> Span {
        let next = self.text.get(byte..).and_then(|rest| rest.chars().next());
        self.range(byte, byte + next.map_or(0, char::len_utf8))
    }

    /// Whether `span` is a closing bracket.
    pub(super) fn is_bracket(self, span: Span) -> bool {
        let text = self.text.get(span.start as usize..span.end as usize);
        matches!(text, Some("]" | "}"))
    }

    /// The line of a place, from 1.
    pub(super) fn line(self, span: Span) -> usize {
        let before = self.text.get(..span.start as usize).unwrap_or_default();
        before.matches('\n').count() + 1
    }

    /// Why the parser went no further.
    pub(super) fn refusal(self, error: &ScanError) -> Finding {
        let at = self.at(error.marker().byte_offset().unwrap_or_default());
        let (message, hint) = match error.kind() {
            ErrorKind::RecursionLimitExceeded => return too_deep(at),
            ErrorKind::UnknownAnchor => ("no anchor of this name stands before".into(), None),
            ErrorKind::UnclosedQuotedScalar => ("the quoted string has no end".into(), None),
            ErrorKind::UnclosedFlowCollection { open } => {
                (format!("the bracket `{open}` is not closed"), None)
            }
            ErrorKind::MisplacedFlowCollectionEnd => {
                ("nothing is open that this bracket closes".into(), None)
            }
            ErrorKind::TabInIndentation
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabNotAllowed => (
                "a tab cannot indent".into(),
                Some("indent with spaces only"),
            ),
            ErrorKind::InvalidQuotedScalarIndent => (
                "the line continues a quoted string, but is indented too little".into(),
                Some("indent it more than the key of the string"),
            ),
            ErrorKind::UnexpectedCharacter { character } => {
                let character = quote(&character.to_string());
                let message = format!("a value cannot begin with {character}");
                (
                    message,
                    Some("put strings with special characters in quotes"),
                )
            }
            ErrorKind::MappingValueNotAllowed => (
                "a key with a value cannot stand here".into(),
                Some("check the indentation, and put strings with `: ` in quotes"),
            ),
            ErrorKind::ExpectedBlockMappingKey | ErrorKind::SimpleKeyExpected => (
                "expected a key and `:`".into(),
                Some("check the indentation"),
            ),
            ErrorKind::ExpectedBlockSequenceEntry => (
                "expected an item that begins with `-`".into(),
                Some("check the indentation"),
            ),
            _ => (error.info(), None),
        };
        let mut finding = Finding::error("yaml-syntax", at, message);
        finding.hint = hint.map(Into::into);
        finding
    }
}

/// Where one of `signs` is, past comments, tag and anchor.
fn find(gap: &str, signs: &[u8]) -> Option<usize> {
    let mut comment = false;
    let mut word = None;
    for (at, byte) in gap.bytes().enumerate() {
        match byte {
            b'\n' => (comment, word) = (false, None),
            _ if comment => {}
            b' ' | b'\t' | b'\r' => word = None,
            b'#' if word.is_none() => comment = true,
            _ if signs.contains(&byte) && !matches!(word, Some(b'!' | b'&')) => return Some(at),
            _ => word = word.or(Some(byte)),
        }
    }
    None
}
