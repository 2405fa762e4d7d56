//! `dev show` and `dev extract`.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;

use serde_json::{Value, json};

use crate::command::run;
use crate::live_iso::{AREA_SIZE, Iso, KARGS_SIZE};

/// An archive of `files`, with names as they are.
fn cpio(files: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = embed::initrd::newc::Writer::new(Vec::new());
    for (name, content) in files {
        writer
            .file(name, 0o644, content.len() as u64, content.as_bytes())
            .unwrap();
    }
    writer.finish().unwrap()
}

/// A plain archive and a compressed one.
fn initrd() -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&cpio(&[("gzip/hello", "HELLO"), ("plain/world", "again")]))
        .unwrap();
    let plain = cpio(&[("plain/world", "WORLD"), ("./plain/hello", "HELLO")]);
    [plain, gzip.finish().unwrap()].concat()
}

#[test]
fn an_iso_is_shown_as_json() {
    let Some(iso) = Iso::new("an_iso_is_shown_as_json") else {
        return;
    };
    let show = |args: &[&str]| -> Value {
        let out = run(&[&["dev", "show", "iso"], args, &[iso.arg()]].concat(), b"").quiet();
        serde_json::from_slice(&out).unwrap()
    };
    let all = show(&[]);
    let primary = &all["header"]["descriptors"][0];
    assert_eq!(
        (&primary["type"], &primary["volume_id"]),
        (&json!("primary"), &json!("test-live"))
    );
    let records = all["records"].as_array().unwrap();
    assert!(records.contains(&json!("IMAGES")) && records.contains(&json!("IMAGES/IGNITION.IMG")));

    let area = show(&["--ignition"]);
    assert_eq!(area["length"], AREA_SIZE);
    let kargs = show(&["--kargs"]);
    assert_eq!(
        (&kargs["length"], &kargs["default"]),
        (&json!(KARGS_SIZE), &json!("quiet console=ttyS0"))
    );
    let offset = usize::try_from(kargs["kargs"][0]["offset"].as_u64().unwrap()).unwrap();
    assert!(iso.pristine[offset..].starts_with(b"quiet console=ttyS0\n#"));
    assert_eq!(
        run(
            &["dev", "show", "iso", "--kargs", "--ignition", iso.arg()],
            b""
        )
        .status,
        2
    );
}

#[test]
fn the_files_of_an_initrd_are_listed_by_pattern() {
    let show = |globs: &[&str]| {
        let out = run(
            &[&["dev", "show", "initrd", "-"], globs].concat(),
            &initrd(),
        )
        .quiet();
        String::from_utf8(out).unwrap()
    };
    assert_eq!(show(&[]), "gzip/hello\nplain/hello\nplain/world\n");
    assert_eq!(show(&["*hello"]), "gzip/hello\nplain/hello\n");
    assert_eq!(show(&["gzip/*", "*ld"]), "gzip/hello\nplain/world\n");
    assert_eq!(show(&["nothing"]), "");
}

#[test]
fn the_files_of_an_initrd_are_extracted_and_the_last_of_a_path_wins() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("d");
    let args = [
        "dev",
        "extract",
        "initrd",
        "-v",
        "-C",
        out.to_str().unwrap(),
        "-",
    ];
    let printed = String::from_utf8(run(&args, &initrd()).quiet()).unwrap();
    let want = ["gzip/hello", "plain/hello", "plain/world"].map(|name| out.join(name));
    assert_eq!(
        printed.lines().collect::<Vec<_>>(),
        want.clone().map(|path| path.to_str().unwrap().to_owned())
    );
    assert_eq!(fs::read_to_string(&want[2]).unwrap(), "again");
    let ran = run(&args, &initrd());
    assert_eq!(ran.status, 1);
    assert!(ran.err.contains("File exists"), "{}", ran.err);
}

#[test]
fn members_that_leave_the_directory_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let inside = dir.path().join("inside");
    for name in ["/etc/escape", "../escape", "a/../../escape", "a//b"] {
        let initrd = cpio(&[(name, "x")]);
        let args = [
            "dev",
            "extract",
            "initrd",
            "-C",
            inside.to_str().unwrap(),
            "-",
        ];
        run(&args, &initrd).fails(
            1,
            &format!(
                "error: initrd entry `{name}` leaves the root of the archive (path traversal)\n"
            ),
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
    let ran = run(&["dev", "extract", "initrd", "-"], b"no initrd");
    assert_eq!(ran.status, 1);
    assert!(
        ran.err.starts_with("error: reading initrd -\ncause: "),
        "{}",
        ran.err
    );
}

#[test]
fn the_extents_of_a_file_are_shown_as_json() {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().write_all_at(&[7; 5000], 0).unwrap();
    let path = file.path().to_str().unwrap();
    let ran = run(&["dev", "show", "fiemap", path], b"");
    if ran.err.contains("Operation not supported") {
        eprintln!("SKIP: fiemap: the file system of {path} does not tell");
        return;
    }
    let shown: Value = serde_json::from_slice(&ran.quiet()).unwrap();
    let extents = shown["extents"].as_array().unwrap();
    let number = |extent: &Value, key: &str| extent[key].as_u64().unwrap();
    let end = extents
        .last()
        .map(|e| number(e, "logical") + number(e, "length"));
    assert!(end.is_some_and(|end| end >= 5000), "{shown}");
    let keys: Vec<&String> = extents[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["length", "logical", "physical"]);

    run(&["dev", "show", "fiemap", "/proc/self/status"], b"").fails(
        1,
        "error: mapping /proc/self/status\n\
         cause: ioctl(FS_IOC_FIEMAP): Operation not supported (os error 95)\n",
    );
}
