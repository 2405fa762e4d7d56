//! The documentation holds what it promises: links resolve, pages are listed, generated pages are
//! fresh, and commands in blocks marked `sh,run` run, those marked `sh,etcd` with a real etcd.

#![expect(
    clippy::unwrap_used,
    reason = "a walk over our own pages; whatever fails is a finding"
)]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tests::programs::{self, repository};
use tests::site;

use crate::cluster::Cluster;

#[cfg(test)]
#[expect(dead_code, reason = "what breaks a cluster is for other tests")]
#[path = "../../pxe-server/src/cluster.rs"]
mod cluster;

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

#[test]
fn commands_about_several_servers_run_on_a_real_etcd() {
    let Some(cluster) = Cluster::start("commands_about_several_servers", 1) else {
        return;
    };
    let room = tempfile::tempdir().unwrap();
    let media = room.path().join("made");
    site::sample_media(&media).unwrap();
    site::prepare(room.path(), &media).unwrap();
    std::fs::write(room.path().join("password"), "secret\n").unwrap();
    std::fs::write(room.path().join("user"), "pxe:secret\n").unwrap();
    let page = repository().join("docs/src/several-servers.md");
    let blocks = blocks(&std::fs::read_to_string(page).unwrap(), "sh,etcd");
    let [serve, users] = blocks.as_slice() else {
        panic!("a server and its user: {blocks:?}");
    };
    let members = "etcd://10.1.0.11:2379,10.1.0.12:2379,10.1.0.13:2379";
    assert!(serve.contains(members), "{serve}");
    let serve = serve.replace(members, &cluster.address());
    let within = |block: &str| {
        let path = format!(
            "{}:{}:{}",
            programs::directory().unwrap().display(),
            repository().join("target/debian/usr/bin").display(),
            std::env::var("PATH").unwrap()
        );
        let mut command = Command::new("sh");
        command.args(["-eu", "-c", block]).current_dir(room.path());
        command.env("PATH", path).env("ETCDCTL_API", "3");
        let hosts = cluster.address().replace("etcd://", "");
        command.env("ETCDCTL_ENDPOINTS", hosts);
        command
    };
    // On ports of its own; all else is as the page has it.
    let runs = |more: &str| {
        let ports = "--interface lo --dhcp off --http-port 0 --tftp-port 0";
        let mut command = within(&format!("exec {serve} {ports} {more}"));
        command.stderr(Stdio::piped());
        said_until_ready(command)
    };
    assert!(runs("").contains("ready: "), "{}", runs(""));
    let output = within(users).output().unwrap();
    assert!(output.status.success(), "{users}: {output:?}");
    for words in [&["user", "add", "root:root"][..], &["auth", "enable"]] {
        let output = cluster.ctl(words);
        assert!(output.status.success(), "{words:?}: {output:?}");
    }
    let refused = runs("");
    assert!(refused.contains("error: "), "without a user: {refused}");
    let served = runs("--etcd-credentials user");
    assert!(served.contains("ready: "), "{served}");
}

/// What a server says until it is ready or has ended; it is ended then.
fn said_until_ready(mut command: Command) -> String {
    let mut server = command.spawn().unwrap();
    let lines = BufReader::new(server.stderr.take().unwrap()).lines();
    let mut said = String::new();
    for line in lines.map_while(Result::ok) {
        said += &format!("{line}\n");
        if line.contains("ready: ") {
            break;
        }
    }
    server.kill().unwrap();
    server.wait().unwrap();
    said
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
