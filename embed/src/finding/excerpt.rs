//! A finding with the line of the config that it is about, and a caret below.
//!
//! Only a window of a long line is shown, and only the first line of a value of many; so the
//! output for one finding is bounded whatever the config holds. Drawing is `annotate-snippets`'.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{
    AnnotationKind, Group, Level, Origin, Renderer as Painter, Snippet, normalize_untrusted_str,
};

use super::{Finding, Renderer, Severity};
use crate::tree::{Source, Span};

/// Characters that are shown before and after where a finding begins, in a long line.
const BEFORE: usize = 50;
const AFTER: usize = 100;

/// Whether excerpts are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// With the colours of a terminal.
    Ansi,
    /// Plain text.
    Off,
}

impl Renderer<'_> {
    /// Several lines, each ended.
    pub fn excerpt(&self, finding: &Finding, color: Color) -> String {
        let level = match finding.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let place = self.sources.place(finding.at.span);
        let message = self.redacted(&finding.message);
        let mut group = Group::with_title(level.primary_title(message));
        if let Some(source) = self.source(finding.at) {
            let window = Window::of(source, finding.at.span);
            let (text, marked) = self.shown(&window);
            let moved = window.cut_before() || text != window.text;
            let mut mark = AnnotationKind::Primary.span(marked);
            if let Some(path) = self.path(finding.at).filter(|path| path != "$") {
                mark = mark.label(normalize_untrusted_str(&path));
            }
            let mut snippet = Snippet::source(text).line_start(place.line);
            if moved {
                // The column that would be worked out from the text is not that of the config.
                let origin = Origin::path(source.name.as_str());
                group = group.element(origin.line(place.line).char_column(place.column));
            } else {
                snippet = snippet.path(source.name.as_str());
            }
            group = group.element(snippet.annotation(mark));
        }
        if let Some(hint) = &finding.hint {
            let hint = normalize_untrusted_str(&self.redacted(hint));
            group = group.element(Level::HELP.message(hint));
        }
        let painter = match color {
            Color::Ansi => Painter::styled(),
            Color::Off => Painter::plain(),
        };
        let painter = painter.decor_style(DecorStyle::Ascii);
        format!("{}\n", painter.render(&[group]))
    }

    /// The window's text without secrets, and the bytes of it to mark. Where a secret was hidden
    /// the rest has moved, so all of the text is marked.
    fn shown(&self, window: &Window<'_>) -> (String, std::ops::Range<usize>) {
        let (head, tail) = window.dots;
        let text = self.redacted(window.text);
        let marked = if text == window.text {
            window.marked.clone()
        } else {
            0..text.len()
        };
        let marked = head.len() + marked.start..head.len() + marked.end;
        (format!("{head}{text}{tail}"), marked)
    }
}

/// The part of a line that is shown.
struct Window<'a> {
    text: &'a str,
    /// Bytes of `text`.
    marked: std::ops::Range<usize>,
    /// What stands for the rest of the line before and after.
    dots: (&'static str, &'static str),
}

impl<'a> Window<'a> {
    /// Whether the line begins before what is shown.
    fn cut_before(&self) -> bool {
        !self.dots.0.is_empty()
    }

    fn of(source: &'a Source, span: Span) -> Self {
        let all = source.text.as_str();
        let at = all.floor_char_boundary(span.start as usize);
        let (before, rest) = all.split_at(at);
        let before = before.rsplit('\n').next().unwrap_or_default();
        let rest = rest.split(['\n', '\r']).next().unwrap_or_default();
        let start = nth_from_end(before, BEFORE);
        let end = rest
            .char_indices()
            .nth(AFTER)
            .map_or(rest.len(), |(at, _)| at);
        let length = (span.end as usize).saturating_sub(at).min(end);
        let length = rest.floor_char_boundary(length);
        let (line_start, marked) = (at - before.len(), before.len() - start);
        Self {
            text: all.get(line_start + start..at + end).unwrap_or_default(),
            marked: marked..marked + length,
            dots: (
                if start > 0 { "…" } else { "" },
                if end < rest.len() { "…" } else { "" },
            ),
        }
    }
}

/// Where the last `count` characters of `text` begin.
fn nth_from_end(text: &str, count: usize) -> usize {
    match count.checked_sub(1) {
        Some(index) => text.char_indices().rev().nth(index).map_or(0, |(at, _)| at),
        None => text.len(),
    }
}
