//! Directories as pages of links, for people who look around among the assets.

use std::fs;
use std::io;
use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Entries that are listed.
const MAX_ENTRIES: usize = 10_000;
/// What a name in a link keeps.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The page of the directory at `dir`: a link to each entry, sorted, directories with a slash.
pub(super) fn page(dir: &Path) -> io::Result<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)?.take(MAX_ENTRIES) {
        let entry = entry?;
        let Ok(mut name) = entry.file_name().into_string() else {
            continue;
        };
        if entry.path().is_dir() {
            name.push('/');
        }
        names.push(name);
    }
    names.sort();
    let mut page = String::from("<!doctype html>\n<pre>\n");
    for name in names {
        let (stem, slash) = match name.strip_suffix('/') {
            Some(stem) => (stem, "/"),
            None => (name.as_str(), ""),
        };
        // A name with a colon would be taken for a scheme.
        let link = utf8_percent_encode(stem, KEPT);
        let text = text(&name);
        page.push_str(&format!("<a href=\"./{link}{slash}\">{text}</a>\n"));
    }
    page.push_str("</pre>\n");
    Ok(page)
}

/// Text without a meaning in HTML.
fn text(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        match c {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            _ => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_links_and_mean_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("os")).unwrap();
        for name in ["a b", "<script>", "c:d"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let want = "<!doctype html>\n<pre>\n\
            <a href=\"./%3Cscript%3E\">&lt;script&gt;</a>\n\
            <a href=\"./a%20b\">a b</a>\n\
            <a href=\"./c%3Ad\">c:d</a>\n\
            <a href=\"./os/\">os/</a>\n</pre>\n";
        assert_eq!(page(dir.path()).unwrap(), want);
        assert!(page(&dir.path().join("none")).is_err());
    }
}
