//! A server that signs: what it has given up although gpg runs beside it, why it keeps its files, and
//! that signatures are made nevertheless.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use crate::confined::{assert_given_up, status_field};
use crate::matchbox::{data_dir, gpg, signing_key};
use crate::process::{PROGRAM, Server, serve};

const PHRASE: &str = "secret phrase";
const WHY: &str = "files as its user (without Landlock: it signs, and gpg has files of its own)";

/// The programs that were started with this path among their words.
fn programs_of(path: &Path) -> Vec<u32> {
    let path = path.to_str().unwrap();
    let all = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let entry = entry.ok()?;
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let words = std::fs::read(entry.path().join("cmdline")).ok()?;
        String::from_utf8_lossy(&words)
            .contains(path)
            .then_some(pid)
    });
    all.collect()
}

/// Asserts that gpg finds the signature of `path` good.
fn assert_signed(server: &Server, home: &Path, path: &str) {
    let files = [home.join("signature"), home.join("signed")];
    let signature = server.get(&format!("{path}.sig"));
    assert_eq!(signature.status(), 200, "{path}");
    std::fs::write(&files[0], signature.bytes().unwrap()).unwrap();
    std::fs::write(&files[1], server.get(path).bytes().unwrap()).unwrap();
    let files = files.each_ref().map(|file| file.to_str().unwrap());
    gpg(home, &["--verify", files[0], files[1]]);
}

#[test]
fn it_has_given_up_everything_but_files_and_says_why() {
    let dir = data_dir();
    let (home, key) = signing_key(PHRASE);
    let own = dir.path().join("own");
    std::fs::create_dir(&own).unwrap();
    let environment = [
        ("TMPDIR", own.as_os_str()),
        ("MATCHBOX_KEY_RING_PATH", key.as_os_str()),
        ("MATCHBOX_PASSPHRASE", PHRASE.as_ref()),
    ];
    let server = Server::start_matchbox_in(dir.path(), &environment);
    assert!(server.log().contains(WHY), "{}", server.log());
    assert_given_up(&server);
    assert_signed(&server, home.path(), "ipxe");
    // Neither has gpg's agent, which stays.
    let agents = programs_of(&own);
    assert!(!agents.is_empty());
    for pid in agents {
        for field in ["NoNewPrivs", "CapEff", "CapPrm", "CapBnd"] {
            let of = |pid| status_field(pid, field);
            assert!(of(pid).is_none_or(|value| Some(value) == of(server.pid())));
        }
    }
}

#[test]
fn a_site_with_matchbox_data_is_signed_by_the_same_key() {
    let dir = crate::beside::moving();
    let (home, key) = signing_key(PHRASE);
    let mut program = Command::new(PROGRAM);
    program.env("MATCHBOX_PASSPHRASE", PHRASE);
    let options = [OsStr::new("--matchbox-key"), key.as_os_str()];
    let server = Server::start_by(program, dir.path(), &options);
    assert!(server.log().contains(WHY), "{}", server.log());
    for path in ["ignition", "boot.ipxe"] {
        assert_signed(&server, home.path(), path);
    }
    // A key in the environment is for servers that have matchbox data alone.
    drop(server);
    let mut program = Command::new(PROGRAM);
    program.env("MATCHBOX_KEY_RING_PATH", &key);
    let server = Server::start_by(program, dir.path(), &[]);
    assert_eq!(server.get("ignition.sig").status(), 404);
    assert!(!server.log().contains(WHY), "{}", server.log());
}

#[test]
fn it_cannot_become_another_user() {
    let dir = data_dir();
    let (_home, key) = signing_key(PHRASE);
    let output = serve()
        .args(["--user", "nobody", "--matchbox"])
        .arg(dir.path().join("data"))
        .arg("--state")
        .arg(dir.path().join("state"))
        .arg("--matchbox-key")
        .arg(&key)
        .env("MATCHBOX_PASSPHRASE", PHRASE)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let cause = "cause: a server that signs cannot become `nobody`; start it as that user";
    assert!(said.contains(cause), "{said}");
    assert!(!dir.path().join("state").exists(), "nothing was begun");
}
