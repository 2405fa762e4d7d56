//! `iso network …` and `pxe network …`: keyfiles go in and come out, beside a config and without
//! touching it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::command::run;
use crate::live_iso::Iso;

const CONFIG: &[u8] = b"{\"ignition\": {\"version\": \"3.3.0\"}}\n";
const SECTIONS: &str = "########## a.nmconnection ##########\n[connection]\nid=a\n\n\
    ########## b.nmconnection ##########\n[connection]\nid=b\n";

/// Writes `a.nmconnection` and `b.nmconnection`, and gives their paths.
fn keyfiles(dir: &Path) -> [String; 2] {
    ["a", "b"].map(|id| {
        let path = dir.join(format!("{id}.nmconnection"));
        fs::write(&path, format!("[connection]\nid={id}\n")).unwrap();
        path.to_str().unwrap().to_owned()
    })
}

#[test]
fn keyfiles_are_embedded_extracted_replaced_and_removed() {
    let Some(iso) = Iso::new("keyfiles_are_embedded_extracted_replaced_and_removed") else {
        return;
    };
    let [a, b] = keyfiles(Path::new(iso.dir()));
    run(&["iso", "ignition", "embed", iso.arg()], CONFIG).quiet();
    let with_config = iso.bytes();
    run(
        &["iso", "network", "embed", "-k", &b, "-k", &a, iso.arg()],
        b"",
    )
    .quiet();
    let out = run(&["iso", "network", "extract", iso.arg()], b"").quiet();
    assert_eq!(String::from_utf8(out).unwrap(), SECTIONS);

    let before = iso.bytes();
    run(&["iso", "network", "embed", "-k", &a, iso.arg()], b"").fails(
        1,
        &format!(
            "error: {} already has embedded network settings\n\
             hint:  `--force` replaces them; `coreos-installer iso network extract` prints them\n",
            iso.arg()
        ),
    );
    assert_eq!(iso.bytes(), before);
    run(&["iso", "network", "embed", "-f", "-k", &a, iso.arg()], b"").quiet();
    let out = run(&["iso", "network", "extract", iso.arg()], b"").quiet();
    assert_eq!(
        out,
        b"########## a.nmconnection ##########\n[connection]\nid=a\n"
    );

    run(&["iso", "network", "remove", iso.arg()], b"").quiet();
    assert_eq!(iso.bytes(), with_config);
    run(&["iso", "network", "extract", iso.arg()], b"").fails(
        1,
        &format!(
            "error: No embedded network settings in {}\n\
             hint:  `iso network embed` and `pxe network wrap` put keyfiles there\n",
            iso.arg()
        ),
    );
    run(&["iso", "ignition", "remove", iso.arg()], b"").quiet();
    assert_eq!(iso.bytes(), iso.pristine);
}

#[test]
fn keyfiles_are_extracted_to_new_private_files() {
    let Some(iso) = Iso::new("keyfiles_are_extracted_to_new_private_files") else {
        return;
    };
    let [a, b] = keyfiles(Path::new(iso.dir()));
    run(
        &["iso", "network", "embed", "-k", &a, "-k", &b, iso.arg()],
        b"",
    )
    .quiet();
    let dir = iso.at("new/dir");
    let args = [
        "iso",
        "network",
        "extract",
        "-C",
        dir.to_str().unwrap(),
        iso.arg(),
    ];
    let out = String::from_utf8(run(&args, b"").quiet()).unwrap();
    let paths: Vec<&Path> = out.lines().map(Path::new).collect();
    assert_eq!(
        paths,
        [dir.join("a.nmconnection"), dir.join("b.nmconnection")]
    );
    assert_eq!(fs::read(paths[1]).unwrap(), b"[connection]\nid=b\n");
    assert_eq!(
        fs::metadata(paths[1]).unwrap().permissions().mode() & 0o777,
        0o600
    );

    fs::write(paths[0], "mine").unwrap();
    let ran = run(&args, b"");
    assert_eq!(ran.status, 1);
    assert!(ran.err.contains("cause: File exists"), "{}", ran.err);
    assert_eq!(fs::read(paths[0]).unwrap(), b"mine");
}

#[test]
fn keyfiles_of_one_name_and_images_that_ignore_them_are_refused() {
    let test = "keyfiles_of_one_name_and_images_that_ignore_them_are_refused";
    let Some(iso) = Iso::new(test) else { return };
    let [a, _] = keyfiles(Path::new(iso.dir()));
    run(
        &["iso", "network", "embed", "-k", &a, "-k", &a, iso.arg()],
        b"",
    )
    .fails(
        1,
        "error: config already specifies keyfile `a.nmconnection`\n\
         hint:  files are stored by their own name; rename one of them\n",
    );
    assert_eq!(iso.bytes(), iso.pristine);
    assert_eq!(run(&["iso", "network", "embed", iso.arg()], b"").status, 2);

    let edit = |tree: &Path| {
        fs::write(
            tree.join("coreos/features.json"),
            "{\"installer-config\": true}",
        )
        .unwrap();
    };
    let Some(old) = Iso::edited(test, edit) else {
        return;
    };
    run(&["iso", "network", "embed", "-k", &a, old.arg()], b"").fails(
        1,
        "error: this image does not support customizing network settings\n\
         hint:  take a newer live image\n",
    );
    assert_eq!(old.bytes(), old.pristine);
}

#[test]
fn an_initrd_of_keyfiles_gives_them_back() {
    let dir = tempfile::tempdir().unwrap();
    let [a, b] = keyfiles(dir.path());
    let initrd = dir.path().join("network.img");
    let initrd = initrd.to_str().unwrap();
    let piped = run(&["pxe", "network", "wrap", "-k", &b, "-k", &a], b"").quiet();
    assert_eq!(piped.get(..6), Some(b"\xfd7zXZ\0".as_slice()));
    fs::write(initrd, "left by an earlier run").unwrap();
    run(
        &["pxe", "network", "wrap", "-k", &a, "-k", &b, "-o", initrd],
        b"",
    )
    .quiet();
    assert_eq!(fs::read(initrd).unwrap(), piped);

    let out = run(&["pxe", "network", "unwrap"], &piped).quiet();
    assert_eq!(String::from_utf8(out).unwrap(), SECTIONS);
    let names = run(&["dev", "show", "initrd", initrd], b"").quiet();
    assert_eq!(
        String::from_utf8(names).unwrap(),
        "etc/coreos-firstboot-network/a.nmconnection\n\
         etc/coreos-firstboot-network/b.nmconnection\n"
    );
    let config = run(&["pxe", "ignition", "wrap"], CONFIG).quiet();
    run(&["pxe", "network", "unwrap"], &config).fails(
        1,
        "error: No embedded network settings in standard input\n\
         hint:  `iso network embed` and `pxe network wrap` put keyfiles there\n",
    );
    let out = run(
        &[
            "pxe",
            "network",
            "unwrap",
            initrd,
            "-C",
            dir.path().to_str().unwrap(),
        ],
        b"",
    );
    assert!(out.err.contains("File exists"), "{}", out.err);
}
