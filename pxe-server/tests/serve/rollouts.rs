//! Rollouts over a running server: waves, halts, the operator's orders, and all of it over a kill.

use std::path::Path;
use std::process::{Command, Output};

use embed::report::{Event, Report};

use crate::fixture::site_dir;
use crate::process::{Server, ticket_in};

fn mac(number: u8) -> String {
    format!("02-00-00-00-00-{number:02x}")
}

/// A site that installs two machines of its profile at once.
fn site() -> tempfile::TempDir {
    let dir = site_dir();
    std::fs::write(dir.path().join("site/groups/all.yaml"), "profile: worker\n").unwrap();
    write_profile(dir.path(), "/dev/vda", "");
    dir
}

fn write_profile(dir: &Path, device: &str, more: &str) {
    let profile = format!(
        "name: worker\ninstall: {{device: {device}}}\nignition: worker.ign\nrollout: {{at-once: 2{more}}}\n"
    );
    std::fs::write(dir.join("site/profiles/worker.yaml"), profile).unwrap();
}

fn script(server: &Server, number: u8) -> String {
    let path = format!("ipxe?mac={}&platform=efi", mac(number));
    server.get(&path).text().unwrap()
}

fn report(server: &Server, number: u8, ticket: &str, event: Event) {
    let body = serde_json::to_vec(&Report::new(event, 1)).unwrap();
    let path = format!("machines/{}/report?ticket={ticket}", mac(number));
    assert_eq!(server.post(&path, body), 204);
}

fn install(server: &Server, number: u8, end: Event) {
    let ticket = ticket_in(&script(server, number));
    let device = "/dev/vda".to_owned();
    report(server, number, &ticket, Event::InstallStarted { device });
    report(server, number, &ticket, end);
}

fn rollout(dir: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pxe-server"));
    command
        .arg("rollout")
        .args(words)
        .arg("--site")
        .arg(dir.join("site"));
    let output = command.arg("--state").arg(dir.join("state")).output();
    output.unwrap()
}

fn status(server: &Server) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pxe-server"));
    let url = server.url("");
    let output = command
        .args(["rollout", "status", "--server", &url])
        .output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

const FULL: &str = "other machines are installed first";
const HALTED: &str = "the rollout of its profile is halted";

#[test]
fn machines_are_installed_two_at_once_and_a_failure_stops_the_rest() {
    let dir = site();
    let server = Server::start(dir.path());
    for number in [1, 2] {
        assert!(script(&server, number).contains("INSTALLING"));
    }
    assert!(script(&server, 3).contains(FULL));
    assert!(
        script(&server, 1).contains("INSTALLING"),
        "its ticket is not used yet"
    );
    install(&server, 1, Event::Installed);
    assert!(
        script(&server, 3).contains("INSTALLING"),
        "the next of the wave"
    );
    assert!(script(&server, 4).contains(FULL));
    let reason = "disk is on fire".to_owned();
    install(&server, 2, Event::InstallFailed { reason });
    assert!(script(&server, 4).contains(HALTED));
    let told = status(&server);
    assert!(
        told.contains(": halted; of 4 machines 1 installed, 1 installing, 1 failed"),
        "{told}"
    );
    server.kill();

    let server = Server::start(dir.path());
    assert!(script(&server, 4).contains(HALTED), "also after a kill");
    assert!(script(&server, 1).contains("this machine is installed"));
    let resumed = rollout(dir.path(), &["resume", "worker"]);
    assert_eq!(resumed.status.code(), Some(0), "{resumed:?}");
    server.wait_for("the order", |server| {
        script(server, 4).contains("INSTALLING")
    });
    rollout(dir.path(), &["pause", "worker"]);
    let paused = "the rollout of its profile is paused";
    server.wait_for("the order", |server| script(server, 5).contains(paused));
    install(&server, 4, Event::Installed);
    assert!(
        script(&server, 5).contains(paused),
        "though there is room now"
    );
}

#[test]
fn a_new_version_is_not_stopped_by_the_failures_of_the_last_one() {
    let dir = site();
    let server = Server::start(dir.path());
    let reason = "no such image".to_owned();
    assert!(script(&server, 2).contains("INSTALLING"));
    install(&server, 1, Event::InstallFailed { reason });
    assert!(script(&server, 3).contains(HALTED));
    assert!(
        script(&server, 2).contains("INSTALLING"),
        "it has its ticket"
    );
    let old = ticket_in(&script(&server, 2));
    write_profile(dir.path(), "/dev/vdb", "");
    server.hang_up();
    server.wait_for("the new version", |server| {
        script(server, 3).contains("INSTALLING")
    });
    let new = script(&server, 2);
    assert!(new.contains("/dev/vdb"), "{new}");
    assert_ne!(ticket_in(&new), old, "a ticket is for one version");
    write_profile(dir.path(), "/dev/vdb", ", halt-on-failures: 5");
    server.hang_up();
    server.wait_for("the site", |server| {
        server.json("api/v1/site")["generation"] == 3
    });
    assert_eq!(
        ticket_in(&script(&server, 2)),
        ticket_in(&new),
        "how is not what"
    );
}

#[test]
fn orders_are_given_over_the_api_by_who_has_a_token() {
    let dir = site();
    let server = Server::start(dir.path());
    let order = |verb: &str, more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pxe-server"));
        let url = server.url("");
        command.args(["rollout", verb, "worker", "--server", &url]);
        command.args(more).output().unwrap()
    };
    let paused = order("pause", &[]);
    assert_eq!(
        String::from_utf8(paused.stdout).unwrap(),
        "worker is paused\n"
    );
    let text = "the rollout of its profile is paused";
    assert!(script(&server, 1).contains(text), "from then on");
    let tokens = ["token", "new", "--name", "a", "--role", "viewer", "--state"];
    let mut make = Command::new(env!("CARGO_BIN_EXE_pxe-server"));
    let viewer = make
        .args(tokens)
        .arg(dir.path().join("state"))
        .output()
        .unwrap();
    let file = dir.path().join("viewer");
    std::fs::write(&file, viewer.stdout).unwrap();
    let said = |output: Output| String::from_utf8(output.stderr).unwrap();
    assert!(said(order("resume", &[])).contains("401 Unauthorized: a token is needed"));
    let refused = said(order("resume", &["--token-file", file.to_str().unwrap()]));
    assert!(
        refused.contains("this takes the role `operator`; you have `viewer`"),
        "{refused}"
    );
    let tokens = [
        "token", "new", "--name", "b", "--role", "operator", "--state",
    ];
    let mut make = Command::new(env!("CARGO_BIN_EXE_pxe-server"));
    let operator = make
        .args(tokens)
        .arg(dir.path().join("state"))
        .output()
        .unwrap();
    std::fs::write(&file, operator.stdout).unwrap();
    let resumed = order("resume", &["--token-file", file.to_str().unwrap()]);
    assert_eq!(resumed.status.code(), Some(0), "{}", said(resumed));
    assert!(script(&server, 1).contains("INSTALLING"), "from then on");
}

#[test]
fn orders_about_what_has_no_rollout_are_refused() {
    let dir = site_dir();
    for (profile, want) in [
        ("worker", "profile `worker` has no `rollout`"),
        ("nobody", "there is no profile `nobody`"),
    ] {
        let output = rollout(dir.path(), &["halt", profile]);
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(want), "{said}");
    }
}
