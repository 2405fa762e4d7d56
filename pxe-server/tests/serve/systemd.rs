//! What systemd is told, over a real notification socket; and the unit, judged by systemd itself.

use std::ffi::OsStr;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use crate::fixture::site_dir;
use crate::process::{PROGRAM, Server};

const UNIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/pxe-server.service");

/// The manager's end of the socket.
struct Manager(UnixDatagram);

impl Manager {
    /// The next message in which `wanted` holds of a line, and that line; others are passed over.
    fn hears(&self, wanted: &str) -> (Vec<String>, String) {
        let mut buffer = [0; 4096];
        loop {
            let length = self.0.recv(&mut buffer).unwrap();
            let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            if let Some(line) = lines.iter().find(|line| line.starts_with(wanted)) {
                let line = line.clone();
                return (lines, line);
            }
        }
    }
}

#[test]
fn systemd_is_told_what_the_server_does() {
    let dir = site_dir();
    let socket = dir.path().join("notify");
    let manager = Manager(UnixDatagram::bind(&socket).unwrap());
    let long = Some(Duration::from_secs(600));
    manager.0.set_read_timeout(long).unwrap();
    let mut program = Command::new(PROGRAM);
    program
        .env("NOTIFY_SOCKET", &socket)
        .env("WATCHDOG_USEC", "200000");
    let server = Server::start_by(program, dir.path(), &[]);
    let (ready, _) = manager.hears("READY=1");
    assert_eq!(ready, ["READY=1", "STATUS=0 machines known"]);
    assert_eq!(manager.hears("WATCHDOG=").1, "WATCHDOG=1");
    server.script();
    assert_eq!(manager.hears("STATUS=").1, "STATUS=1 machines known");
    server.hang_up();
    let (reloading, _) = manager.hears("RELOADING=1");
    let time: u64 = reloading[1]
        .strip_prefix("MONOTONIC_USEC=")
        .unwrap()
        .parse()
        .unwrap();
    assert!(time > 0);
    assert_eq!(manager.hears("READY=").1, "READY=1");
    let group = dir.path().join("site/groups/rack.yaml");
    std::fs::write(&group, "profile: worker\nselector:\n  macs: []\n").unwrap();
    let want = format!(
        "STATUS=1 machines known; the changed site is refused: {}:3:3: ",
        group.display()
    );
    let (_, status) = manager.hears("STATUS=");
    assert!(status.starts_with(&want), "{status}");
    assert_eq!(server.terminate(), Some(0));
    let (stopping, _) = manager.hears("STOPPING=1");
    assert_eq!(stopping[1], "EXTEND_TIMEOUT_USEC=70000000");
}

/// Runs systemd-analyze over the unit as if the server were installed; none where there is no systemd.
fn analyze(words: &[&str], test: &str) -> Option<Output> {
    let dir = tempfile::tempdir().unwrap();
    let unit = std::fs::read_to_string(UNIT).unwrap();
    let unit = unit.replace("/usr/bin/pxe-server", env!("CARGO_BIN_EXE_pxe-server"));
    let path = dir.path().join("pxe-server.service");
    std::fs::write(&path, unit).unwrap();
    let ran = Command::new("systemd-analyze")
        .args(words)
        .arg(&path)
        .output();
    if ran.is_err() {
        eprintln!("SKIP: {test}: systemd is not installed");
    }
    ran.ok()
}

fn told(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8(both).unwrap()
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let words = ["verify", "--man=no"];
    let Some(output) = analyze(&words, "systemd_finds_nothing_wrong_with_the_unit") else {
        return;
    };
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!(told(&output), "");
}

#[test]
fn the_unit_exposes_little() {
    let words = ["security", "--offline=true", "--no-pager", "--threshold=25"];
    let Some(output) = analyze(&words, "the_unit_exposes_little") else {
        return;
    };
    let text = told(&output);
    assert!(output.status.success(), "{text}");
    assert!(
        text.contains("Overall exposure level for pxe-server.service: 2.3 OK"),
        "{text}"
    );
}

/// Every option of the unit is one of the program.
#[test]
fn the_unit_s_command_is_one_that_the_server_takes() {
    let unit = std::fs::read_to_string(UNIT).unwrap();
    let command = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart=/usr/bin/pxe-server "));
    let words: Vec<&str> = command.unwrap().split_whitespace().collect();
    assert_eq!(
        words[..5],
        [
            "serve",
            "--site",
            "/etc/pxe-server",
            "--state",
            "/var/lib/pxe-server"
        ]
    );
    let dir = site_dir();
    let rest: Vec<&OsStr> = words[5..].iter().map(OsStr::new).collect();
    let server = Server::start_for_site(dir.path(), &rest);
    assert_eq!(server.get("healthz").status(), 200);
    assert!(Path::new(UNIT).is_file());
    assert_eq!(server.terminate(), Some(0));
}
