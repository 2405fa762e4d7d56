//! Config templates: minijinja over what is known of one machine. A value that is not there is an
//! error with its place; so is a config mistake in what was rendered, which is traced back to the
//! template's line.
//!
//! Templates see only each other: no file, no network, no clock; steps and output are bounded.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::io::{self, Write};

use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};
use serde_json::Value;

/// What ends the name of a template.
pub(super) const SUFFIX: &str = ".j2";
/// Steps of one rendering.
const FUEL: u64 = 1_000_000;
/// Templates within templates.
const DEPTH: usize = 64;
/// Most bytes that are rendered.
const MAX_OUTPUT: usize = 4 * 1024 * 1024;

/// What is wrong with a template or what it was given, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TemplateError {
    /// File name of the template.
    pub(super) file: String,
    /// Line in it, from 1.
    pub(super) line: usize,
    /// What.
    pub(super) reason: String,
    /// Whether something was asked for that is not there.
    pub(super) undefined: bool,
}

/// All templates of a site.
#[derive(Clone, Debug)]
pub(super) struct Templates {
    environment: Environment<'static>,
    /// The same, with marks of their lines in what they render.
    marked: Environment<'static>,
    names: Vec<String>,
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_keep_trailing_newline(true);
    environment.set_recursion_limit(DEPTH);
    environment.set_fuel(Some(FUEL));
    environment.set_debug(true);
    environment
}

impl Templates {
    /// Reads templates, by file name.
    pub(super) fn new(sources: BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let mut templates = Self {
            environment: environment(),
            marked: environment(),
            names: sources.keys().cloned().collect(),
        };
        for (number, (name, source)) in sources.into_iter().enumerate() {
            let marked = mark(&source, number);
            let added = templates
                .environment
                .add_template_owned(name.clone(), source);
            added.map_err(|error| place(&error, &name))?;
            let added = templates.marked.add_template_owned(name.clone(), marked);
            added.map_err(|error| place(&error, &name))?;
        }
        Ok(templates)
    }

    /// What the template `name` makes of `context`.
    pub(super) fn render(&self, name: &str, context: &Value) -> Result<String, TemplateError> {
        run(&self.environment, name, context)
    }

    /// File and line of the template that made the byte at `offset` of what [`Self::render`] gave.
    pub(super) fn origin(
        &self,
        name: &str,
        context: &Value,
        offset: usize,
    ) -> Option<(&str, usize)> {
        let marked = run(&self.marked, name, context).ok()?;
        let plain = run(&self.environment, name, context).ok()?;
        // Marks can keep white space from being trimmed, so what is counted is the rest.
        let before = plain.char_indices().take_while(|(at, _)| *at < offset);
        let mut left = before.filter(|(_, c)| !c.is_whitespace()).count();
        let (mut file, mut origin) = (None, None);
        for letter in marked.chars() {
            let code = u32::from(letter);
            if let Some(number) = code.checked_sub(FILE_MARK).filter(|n| *n < MARKS) {
                file = self.names.get(number as usize);
            } else if let Some(line) = code.checked_sub(LINE_MARK).filter(|n| *n < MARKS) {
                origin = file.map(|file| (file.as_str(), line as usize));
            } else if !letter.is_whitespace() {
                let Some(fewer) = left.checked_sub(1) else {
                    break;
                };
                left = fewer;
            }
        }
        origin
    }
}

/// Private characters that mean a file's number, and a line's.
const FILE_MARK: u32 = 0xF_0000;
const LINE_MARK: u32 = 0x10_0000;
const MARKS: u32 = 0xFFFE;

/// The template with a mark where each line of its text begins; none within tags.
fn mark(source: &str, number: usize) -> String {
    let sign = |base: u32, number: usize| {
        let number = u32::try_from(number)
            .ok()
            .filter(|number| *number < MARKS)?;
        char::from_u32(base + number)
    };
    let mut marked = String::with_capacity(source.len() * 2);
    let mut end: Option<&str> = None;
    for (line, text) in (1..).zip(source.split_inclusive('\n')) {
        let mut rest = text;
        if end.is_none() {
            marked.extend(
                [sign(FILE_MARK, number), sign(LINE_MARK, line)]
                    .into_iter()
                    .flatten(),
            );
        }
        while !rest.is_empty() {
            let found = match end {
                Some(end) => rest.find(end).map(|at| (at + end.len(), None)),
                None => {
                    let tags = [("{{", "}}"), ("{%", "%}"), ("{#", "#}")];
                    let opening = |(open, close)| Some((rest.find(open)? + 2, Some(close)));
                    tags.into_iter()
                        .filter_map(opening)
                        .min_by_key(|(at, _)| *at)
                }
            };
            let Some((at, next)) = found else { break };
            let (done, left) = rest.split_at(at);
            marked.push_str(done);
            (rest, end) = (left, next);
        }
        marked.push_str(rest);
    }
    marked
}

/// Takes so many bytes and no more.
struct Limited(Vec<u8>);

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT {
            return Err(io::Error::other(format!("more than {MAX_OUTPUT} bytes")));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn run(
    environment: &Environment<'_>,
    name: &str,
    context: &Value,
) -> Result<String, TemplateError> {
    let template = environment
        .get_template(name)
        .map_err(|error| place(&error, name))?;
    let mut output = Limited(Vec::new());
    let rendered = template.render_captured_to(context, &mut output).map(drop);
    rendered.map_err(|error| place(&error, name))?;
    Ok(String::from_utf8_lossy(&output.0).into_owned())
}

/// The innermost place of an error: where a template takes in another, that of the other.
fn place(error: &minijinja::Error, name: &str) -> TemplateError {
    let mut inner = error;
    while let Some(next) = inner
        .source()
        .and_then(|next| next.downcast_ref::<minijinja::Error>())
    {
        inner = next;
    }
    let text = inner
        .template_source()
        .zip(inner.range())
        .and_then(|(text, range)| text.get(range));
    let mut reason = inner.kind().to_string();
    if let Some(detail) = inner.detail() {
        reason = format!("{reason}: {detail}");
    }
    if let Some(text) = text.filter(|text| !text.contains('\n')) {
        reason = format!("{reason} (`{text}`)");
    }
    if let Some(source) = inner.source() {
        reason = format!("{reason}: {source}");
    }
    TemplateError {
        file: inner.name().unwrap_or(name).to_owned(),
        line: inner.line().unwrap_or(1),
        reason,
        undefined: inner.kind() == ErrorKind::UndefinedError,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn templates(sources: &[(&str, &str)]) -> Result<Templates, TemplateError> {
        let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        Templates::new(sources.iter().map(owned).collect())
    }

    #[test]
    fn values_loops_and_other_templates_are_rendered() {
        let text = "{% include 'b.j2' %}{% for n in metadata.list %}{{ n }}{{ ',' if not loop.last }}{% endfor %} {{ machine | tojson }}\n";
        let all = templates(&[("a.j2", text), ("b.j2", "<{{ group }}>")]).unwrap();
        let context = json!({"group": "g", "metadata": {"list": [1, 2]}, "machine": {"a": "x\""}});
        assert_eq!(
            all.render("a.j2", &context).unwrap(),
            "<g>1,2 {\"a\":\"x\\\"\"}\n"
        );
    }

    #[test]
    fn what_is_not_there_is_an_error_with_its_place() {
        let all = templates(&[
            ("a.j2", "x\n{% include 'b.j2' %}\n"),
            ("b.j2", "\n\n{{ machine.serial }}"),
        ])
        .unwrap();
        let error = all.render("a.j2", &json!({"machine": {}})).unwrap_err();
        assert_eq!(
            (error.file.as_str(), error.line, error.undefined),
            ("b.j2", 3, true)
        );
        assert!(error.reason.contains("`machine.serial`"), "{error:?}");
        let error = templates(&[("a.j2", "a\n{% if %}")]).unwrap_err();
        assert_eq!((error.file.as_str(), error.line), ("a.j2", 2));
    }

    #[test]
    fn a_template_without_end_is_stopped() {
        let all = templates(&[
            (
                "steps.j2",
                "{% for i in range(10000) %}{% for j in range(10000) %}{% endfor %}{% endfor %}",
            ),
            ("depth.j2", "{% include 'depth.j2' %}"),
            (
                "size.j2",
                "{% for i in range(9999) %}{{ text }}{% endfor %}",
            ),
        ])
        .unwrap();
        let context = json!({"text": "x".repeat(1000)});
        for (name, want) in [
            ("steps.j2", "fuel"),
            ("depth.j2", "recursion"),
            ("size.j2", "4194304"),
        ] {
            let reason = all.render(name, &context).unwrap_err().reason;
            assert!(reason.contains(want), "{name}: {reason}");
        }
    }

    #[test]
    fn what_was_rendered_leads_back_to_its_line() {
        let main = "one\n{%- for n in list %}\n  two {{ n }}\n{%- endfor %}\n{# a\ncomment #}\n{{\n tail }}\n{% include 'b.j2' %}";
        let all = templates(&[("a.j2", main), ("b.j2", "first\nlast")]).unwrap();
        let context = json!({"list": ["x", "y"], "tail": "t\nu"});
        let text = all.render("a.j2", &context).unwrap();
        for (word, file, line) in [
            ("one", "a.j2", 1),
            ("two x", "a.j2", 3),
            ("y", "a.j2", 3),
            ("first", "b.j2", 1),
            ("last", "b.j2", 2),
        ] {
            let at = text.find(word).unwrap();
            assert_eq!(
                all.origin("a.j2", &context, at),
                Some((file, line)),
                "{word} in {text:?}"
            );
        }
    }
}
