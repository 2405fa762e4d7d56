//! The documentation holds what it promises: links resolve, pages are listed, generated pages are
//! fresh, and commands in blocks marked `sh,run` run.

#![expect(
    clippy::unwrap_used,
    reason = "a walk over our own pages; whatever fails is a finding"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::programs::{self, repository};

#[test]
fn links_resolve() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        for target in links(&text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() {
                page.clone()
            } else {
                page.parent().unwrap().join(file)
            };
            let found = file.exists()
                && (anchor.is_empty()
                    || anchors(&std::fs::read_to_string(&file).unwrap()).contains(anchor));
            if !found {
                broken.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere: {broken:#?}");
}

#[test]
fn every_page_is_in_the_summary() {
    let source = repository().join("docs/src");
    let summary = std::fs::read_to_string(source.join("SUMMARY.md")).unwrap();
    let listed: BTreeSet<PathBuf> = links(&summary).map(|link| source.join(link)).collect();
    let missing: Vec<PathBuf> = pages()
        .into_iter()
        .filter(|page| {
            page.starts_with(&source) && !page.ends_with("SUMMARY.md") && !listed.contains(page)
        })
        .collect();
    assert!(
        missing.is_empty(),
        "not in docs/src/SUMMARY.md: {missing:#?}"
    );
}

#[test]
fn generated_reference_is_fresh() {
    let committed = repository().join("docs/src/reference");
    let fresh = tempfile::tempdir().unwrap();
    let status = Command::new(repository().join("docs/gen.sh"))
        .arg(fresh.path())
        .status()
        .unwrap();
    assert!(status.success(), "docs/gen.sh failed: {status}");
    let names = |directory: &Path| -> BTreeSet<_> {
        std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect()
    };
    assert_eq!(
        names(fresh.path()),
        names(&committed),
        "pages made (left) and committed (right)"
    );
    for name in names(fresh.path()) {
        let made = std::fs::read_to_string(fresh.path().join(&name)).unwrap();
        let kept = std::fs::read_to_string(committed.join(&name)).unwrap();
        assert!(
            made == kept,
            "{} is out of date: run `make docs`",
            committed.join(&name).display()
        );
    }
}

#[test]
fn marked_commands_run() {
    let path = format!(
        "{}:{}",
        programs::directory().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let mut ran = 0;
    for page in pages() {
        for block in blocks(&std::fs::read_to_string(&page).unwrap(), "sh,run") {
            let output = Command::new("sh")
                .args(["-eu", "-c", &block])
                .current_dir(repository())
                .env("PATH", &path)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.success(),
                "{}: this block fails:\n{block}\n{said}",
                page.display()
            );
            ran += 1;
        }
    }
    assert!(ran > 0, "no page has a block marked `sh,run`");
}

/// README, the pages beside it, and the book.
fn pages() -> Vec<PathBuf> {
    let mut pages = Vec::new();
    for entry in std::fs::read_dir(repository()).unwrap() {
        pages.push(entry.unwrap().path());
    }
    collect(&repository().join("docs/src"), &mut pages);
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    assert!(pages.len() > 3, "found only {} pages", pages.len());
    pages.sort();
    pages
}

fn collect(directory: &Path, pages: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, pages)
        } else {
            pages.push(path)
        }
    }
}

/// Targets of `[text](target)`, code blocks left out.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    text.lines()
        .filter(move |line| {
            let fence = line.trim_start().starts_with("```");
            inside ^= fence;
            !inside && !fence
        })
        .flat_map(|line| line.split("](").skip(1))
        .filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
}

/// Anchors of a page's headings, as Markdown renderers make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

/// Contents of the code blocks whose info string is `info`.
fn blocks(text: &str, info: &str) -> Vec<String> {
    let opening = format!("```{info}");
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() == opening {
            let body: Vec<&str> = lines
                .by_ref()
                .take_while(|line| line.trim() != "```")
                .collect();
            blocks.push(body.join("\n"));
        }
    }
    blocks
}
