//! The rules of the house that a compiler does not check: which room may use which, how long a
//! file may be, how it opens and what it is called, and that no module and no dependency is
//! forgotten.

#![expect(
    clippy::unwrap_used,
    reason = "a walk over our own sources; whatever fails is a finding"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::programs::repository;

/// Each room and the rooms that it may use; `docs/src/architecture.md` says why.
const ARROWS: [(&str, &[&str]); 6] = [
    ("embed", &[]),
    ("installer", &["embed"]),
    ("live", &["embed", "installer"]),
    ("iso-builder", &["embed", "installer"]),
    ("pxe-server", &["embed", "installer"]),
    (
        "tests",
        &["embed", "installer", "live", "iso-builder", "pxe-server"],
    ),
];

/// Lines of a file, its inline tests left out.
const MAX_LINES: usize = 400;
/// Names that say nothing about what a file is responsible for.
const NAMELESS: [&str; 7] = [
    "utils", "util", "common", "helpers", "helper", "misc", "types",
];

#[test]
fn rooms_use_only_the_rooms_below_them() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(repository())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut rooms = BTreeMap::new();
    for package in metadata["packages"].as_array().unwrap() {
        let own = package["dependencies"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|d| !d["path"].is_null());
        let used: BTreeSet<&str> = own.map(|d| d["name"].as_str().unwrap()).collect();
        rooms.insert(package["name"].as_str().unwrap(), used);
    }
    let known: BTreeSet<&str> = ARROWS.iter().map(|(room, _)| *room).collect();
    assert_eq!(
        rooms.keys().copied().collect::<BTreeSet<_>>(),
        known,
        "the rooms of the workspace"
    );
    for (room, allowed) in ARROWS {
        let forbidden: Vec<_> = rooms[room]
            .iter()
            .filter(|used| !allowed.contains(used))
            .collect();
        assert!(
            forbidden.is_empty(),
            "{room} may use {allowed:?}, but also uses {forbidden:?}"
        );
    }
}

#[test]
fn files_stay_within_400_lines() {
    let long: Vec<String> = rust_files()
        .into_iter()
        .map(|(path, text)| (path, lines_without_inline_tests(&text)))
        .filter(|(_, lines)| *lines > MAX_LINES)
        .map(|(path, lines)| format!("{}: {lines} lines", path.display()))
        .collect();
    assert!(
        long.is_empty(),
        "split these where their description needs an `and`: {long:#?}"
    );
}

#[test]
fn files_open_with_what_they_are_responsible_for() {
    let bare: Vec<PathBuf> = rust_files()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//! ") && !text.starts_with("#!"))
        .map(|(path, _)| path)
        .collect();
    assert!(
        bare.is_empty(),
        "these do not open with a `//!` header: {bare:#?}"
    );
}

#[test]
fn files_have_names_that_say_something() {
    let nameless: Vec<PathBuf> = rust_files()
        .into_iter()
        .map(|(path, _)| path)
        .filter(|path| {
            path.file_stem()
                .and_then(|stem| stem.to_str())
                .is_some_and(|stem| NAMELESS.contains(&stem))
                || path
                    .iter()
                    .any(|part| part.to_str().is_some_and(|part| NAMELESS.contains(&part)))
        })
        .collect();
    assert!(
        nameless.is_empty(),
        "name these after what they do: {nameless:#?}"
    );
}

/// A file that no `mod` line names is not compiled, and if it holds tests, they never run.
#[test]
fn files_are_all_part_of_their_package() {
    let files = rust_files();
    let texts: BTreeMap<&Path, &str> = files
        .iter()
        .map(|(path, text)| (path.as_path(), text.as_str()))
        .collect();
    let forgotten: Vec<&Path> = texts
        .keys()
        .copied()
        .filter(|path| !is_crate_root(path))
        .filter(|path| {
            let place = if path.ends_with("mod.rs") {
                path.parent().unwrap()
            } else {
                path
            };
            let name = place
                .file_stem()
                .and_then(|stem| stem.to_str())
                .unwrap_or_default();
            !possible_parents(place).iter().any(|parent| {
                texts
                    .get(parent.as_path())
                    .is_some_and(|text| declares(text, name))
            })
        })
        .collect();
    assert!(
        forgotten.is_empty(),
        "no `mod` line names these: {forgotten:#?}"
    );
}

#[test]
fn every_dependency_has_its_reason_in_the_docs() {
    let manifest = std::fs::read_to_string(repository().join("Cargo.toml")).unwrap();
    let section = manifest.split("[workspace.dependencies]").nth(1).unwrap();
    let section = section.split("\n[").next().unwrap();
    let rooms: Vec<&str> = ARROWS.iter().map(|(room, _)| *room).collect();
    let wanted: BTreeSet<&str> = section
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('=').map(|(name, _)| name.trim()))
        .filter(|name| !rooms.contains(name))
        .collect();
    let page = std::fs::read_to_string(repository().join("docs/src/dependencies.md")).unwrap();
    // A row of the page's table: | name | reason |
    let given: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| {
            line.strip_prefix("| ")
                .and_then(|rest| rest.split_once(" | "))
        })
        .filter(|(name, _)| *name != "crate")
        .filter(|(_, reason)| reason.chars().any(char::is_alphabetic))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        wanted, given,
        "[workspace.dependencies] (left) and docs/src/dependencies.md (right)"
    );
}

/// Every Rust file of the workspace with its text, paths relative to the repository.
fn rust_files() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for (room, _) in ARROWS {
        collect(&repository().join(room), &mut files);
    }
    assert!(
        files.len() > ARROWS.len(),
        "found only {} Rust files",
        files.len()
    );
    files.sort();
    files
}

fn collect(directory: &Path, files: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            files.push((path.strip_prefix(repository()).unwrap().to_owned(), text));
        }
    }
}

fn lines_without_inline_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.windows(2).position(|pair| {
        pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{')
    });
    tests.unwrap_or(lines.len())
}

/// Roots that Cargo finds by their place: lib.rs, main.rs, build.rs, and files directly in
/// `src/bin`, `tests`, `benches` and `examples` of a package.
fn is_crate_root(path: &Path) -> bool {
    let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
    matches!(
        parts.as_slice(),
        [_, "src", "lib.rs" | "main.rs"]
            | ["tests", "fuzz", "src", "main.rs"]
            | [_, "build.rs"]
            | [_, "src", "bin", _]
            | [_, "src", "bin", _, "main.rs"]
            | [_, "tests" | "benches" | "examples", _]
            | [_, "tests" | "benches" | "examples", _, "main.rs"]
    )
}

/// Files that may hold the `mod` line of `path`.
fn possible_parents(path: &Path) -> Vec<PathBuf> {
    let directory = path.parent().unwrap();
    let mut parents: Vec<PathBuf> = ["lib.rs", "main.rs", "mod.rs"]
        .iter()
        .map(|name| directory.join(name))
        .collect();
    parents.push(directory.with_extension("rs"));
    parents
}

fn declares(text: &str, name: &str) -> bool {
    let line = format!("mod {name};");
    text.lines().any(|candidate| {
        let candidate = candidate.trim_start();
        candidate == line
            || (candidate.starts_with("pub") && candidate.ends_with(&format!(" {line}")))
    })
}
