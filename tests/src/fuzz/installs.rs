//! Promises of what the installer reads from media, disks, users and firmware: no panic, bounded,
//! and nothing is changed that was not to be changed.

use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;

use embed::kargs::Edit;
use installer::firmware::LoadOption;
use installer::firstboot::FirstBoot;
use installer::inspect::inspect_raw;
use installer::plan::{Options, PlanError};
use installer::source::stream_metadata::StreamMetadata;
use installer::source::{Access, StreamQuery};

/// A word that no seed has.
const WORD: &str = "fuzz.only=1";

/// An edit of a boot entry's arguments leaves every other line as it is, and can be undone.
pub(super) fn boot_entry(data: &[u8]) {
    if data.windows(WORD.len()).any(|part| part == WORD.as_bytes()) {
        return;
    }
    let Ok(boot) = tempfile::tempdir() else {
        return;
    };
    let entries = boot.path().join("loader/entries");
    let path = entries.join("os.conf");
    if fs::create_dir_all(&entries)
        .and_then(|()| fs::write(&path, data))
        .is_err()
    {
        return;
    }
    let edit = |append: &[&str], delete: &[&str]| FirstBoot {
        kargs: Edit {
            append: append.iter().map(ToString::to_string).collect(),
            delete: delete.iter().map(ToString::to_string).collect(),
            ..Edit::default()
        },
        ..FirstBoot::default()
    };
    let after = |edit: FirstBoot| {
        let done = edit.apply(boot.path()).is_ok();
        (done, fs::read(&path).unwrap_or_default())
    };
    let (done, appended) = after(edit(&[WORD], &[]));
    if !done {
        assert_eq!(appended, data, "a refused entry was changed");
        return;
    }
    let others = |text: &[u8]| -> Vec<Vec<u8>> {
        let lines = text.split(|byte| *byte == b'\n');
        let others = lines.filter(|line| !line.starts_with(b"options "));
        others.map(<[u8]>::to_vec).collect()
    };
    assert_eq!(others(&appended), others(data), "another line was changed");
    // Behind a quote that never ends there is no further argument.
    let options = appended.split(|byte| *byte == b'\n');
    let options = options.filter(|line| line.starts_with(b"options "));
    let quotes = options.flatten().filter(|byte| **byte == b'"').count();
    if !quotes.is_multiple_of(2) {
        return;
    }
    let (undone, _) = after(edit(&[], &[WORD]));
    let (done, again) = after(edit(&[WORD], &[]));
    assert!(undone && done, "what was written is refused");
    // Blanks between arguments are not kept by every edit.
    let words = |text: &[u8]| -> Vec<String> {
        let text = String::from_utf8_lossy(text);
        text.split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(words(&again), words(&appended), "an edit is not repeatable");
}

/// A config file is read, or refused with a place inside it.
pub(super) fn installer_config(data: &[u8]) {
    let Err(error) = Options::from_config(data, Path::new("fuzz")) else {
        return;
    };
    if let PlanError::ConfigFile { line, .. } = error {
        let lines = data.split(|byte| *byte == b'\n').count() as u64;
        // A lone CR ends a line of YAML as well.
        let returns = data.iter().filter(|byte| **byte == b'\r').count() as u64;
        assert!(line <= lines + returns + 1, "line {line} of {lines}");
    }
}

/// Stream metadata is asked for what is there, and for what is not.
pub(super) fn stream_metadata(data: &[u8]) {
    let Ok(metadata) = serde_json::from_slice::<StreamMetadata>(data) else {
        return;
    };
    let query = |architecture: &str, platform: &str, format: &str| StreamQuery {
        base_url: String::new(),
        stream: metadata.stream.clone(),
        architecture: architecture.to_owned(),
        platform: platform.to_owned(),
        format: format.to_owned(),
        mirrors: Vec::new(),
        access: Access::default(),
    };
    for (architecture, offer) in &metadata.architectures {
        for (platform, artifacts) in &offer.artifacts {
            for (format, files) in &artifacts.formats {
                let query = query(architecture, platform, format);
                let found = metadata.artifacts(&query);
                assert!(found.is_ok_and(|found| found == files));
            }
        }
    }
    assert!(metadata.artifacts(&query("", "", "no such")).is_err());
}

/// Whatever is on a disk is shown or said to be unread, and its partitions are in order.
pub(super) fn disk(data: &[u8]) {
    let Ok(mut file) = tempfile::tempfile() else {
        return;
    };
    let written = file
        .write_all(data)
        .and_then(|()| file.seek(SeekFrom::Start(0)));
    if written.is_err() {
        return;
    }
    let found = inspect_raw(file);
    assert!(found.is_ok(), "a file that can be read cannot be looked at");
    let Ok(found) = found else {
        return;
    };
    assert_eq!(found.size, data.len() as u64);
    assert!(
        found
            .partitions
            .is_sorted_by_key(|partition| partition.number)
    );
    assert!(serde_json::to_string(&found).is_ok());
}

/// What is read is written as it was, but for names that are no Unicode.
pub(super) fn load_option(data: &[u8]) {
    let Some(option) = LoadOption::decode(data) else {
        return;
    };
    let written = option.encode();
    let again = written.as_deref().and_then(LoadOption::decode);
    assert_eq!(again.as_ref(), Some(&option));
    let written = written.unwrap_or_default();
    assert!(written == data || written.windows(2).any(|pair| pair == [0xfd, 0xff]));
}
