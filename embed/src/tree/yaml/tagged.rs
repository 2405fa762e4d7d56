//! What quotes and tags make of a YAML scalar: text, null, or plain text that is typed later.
//!
//! Tags of other namespaces mean nothing to configs: such scalars are text.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use granit_parser::{ScalarStyle, Tag};

use crate::finding::Finding;
use crate::tree::Span;
use crate::tree::raw::Scalar;

/// The scalar that is written as `text` in a style, perhaps with a tag.
pub(super) fn scalar(
    text: Cow<'_, str>,
    style: ScalarStyle,
    tag: Option<&Tag>,
    span: Span,
) -> Result<Scalar, Finding> {
    let Some(tag) = tag else {
        let null = matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
        return Ok(match style {
            ScalarStyle::Plain if null => Scalar::Null,
            ScalarStyle::Plain => Scalar::Plain(text.into_owned()),
            _ => Scalar::Text(text.into_owned()),
        });
    };
    match tag.suffix_in_namespace("tag:yaml.org,2002:").as_deref() {
        Some("null") => Ok(Scalar::Null),
        Some("bool" | "int" | "float") => Ok(Scalar::Plain(text.into_owned())),
        Some("binary") => binary(&text, span),
        _ => Ok(Scalar::Text(text.into_owned())),
    }
}

/// The text that `!!binary` has in base64, in which white space does not count.
fn binary(text: &str, span: Span) -> Result<Scalar, Finding> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    let bytes = STANDARD.decode(digits).map_err(|_| {
        let message = "the `!!binary` value is not valid base64";
        Finding::error("binary-base64", span, message)
    })?;
    let text = String::from_utf8(bytes).map_err(|_| {
        let message = "the `!!binary` value is not UTF-8 text";
        let mut finding = Finding::error("binary-not-text", span, message);
        finding.hint = Some("put the bytes into a file of their own".into());
        finding
    })?;
    Ok(Scalar::Text(text))
}
