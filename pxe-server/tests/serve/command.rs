//! `check`, `reinstall` and failing starts.

use std::path::Path;
use std::process::{Command, Output};

use embed::report::Event;

use crate::fixture::{MAC, site_dir};
use crate::process::{Server, ticket_in};

fn run(dir: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pxe-server"))
        .args(words)
        .arg("--site")
        .arg(dir.join("site"))
        .output()
        .unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn check_shows_what_each_machine_gets() {
    let dir = site_dir();
    let output = run(dir.path(), &["check", "--scripts"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(
        text.contains(&format!(
            "{MAC}: group rack, profile worker, device /dev/vda, config worker.ign (sha512 "
        )),
        "{text}"
    );
    assert!(
        text.contains("kernel http://192.0.2.1:8080/assets/vmlinuz "),
        "{text}"
    );
    assert!(
        text.contains("all other machines: boot their disks"),
        "{text}"
    );
}

#[test]
fn check_warns_of_groups_that_only_names_tell_apart() {
    let dir = site_dir();
    for (name, selector) in [("b", "{serial: 'A*'}"), ("a", "{hostname: 'w*'}")] {
        let group = dir.path().join(format!("site/groups/{name}.yaml"));
        std::fs::write(group, format!("profile: worker\nselector: {selector}\n")).unwrap();
    }
    let output = run(dir.path(), &["check"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let want = "groups/b.yaml: a machine can match this and group `a`, and only the length of their values or their names decide";
    assert!(text.contains(want), "{text}");
}

#[test]
fn check_and_serve_refuse_a_broken_site_alike() {
    let dir = site_dir();
    let group = dir.path().join("site/groups/rack.yaml");
    std::fs::write(&group, "profile: worker\nselector:\n  macs: []\n").unwrap();
    for words in [
        &["check"][..],
        &[
            "serve",
            "--interface",
            "lo",
            "--dhcp",
            "off",
            "--http-port",
            "0",
            "--tftp-port",
            "0",
        ],
    ] {
        let output = run(dir.path(), words);
        assert_eq!(output.status.code(), Some(1));
        let text = stderr(&output);
        assert!(text.starts_with("error: "), "{text}");
        assert!(
            text.contains(&format!("{}:3:3: ", group.display())),
            "{text}"
        );
    }
}

#[test]
fn a_state_directory_in_use_is_named_with_a_hint() {
    let dir = site_dir();
    let _server = Server::start(dir.path());
    let state = dir.path().join("state");
    let words = [
        "serve",
        "--interface",
        "lo",
        "--dhcp",
        "off",
        "--http-port",
        "0",
        "--tftp-port",
        "0",
        "--state",
        state.to_str().unwrap(),
    ];
    let output = run(dir.path(), &words);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("hint:  another pxe-server uses this state directory"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let dir = site_dir();
    assert_eq!(
        run(dir.path(), &["reinstall", "nonsense"]).status.code(),
        Some(2)
    );
    assert_eq!(
        run(dir.path(), &["serve", "--dhcp", "maybe"]).status.code(),
        Some(2)
    );
}

#[test]
fn reinstall_frees_a_held_machine_once_whether_the_server_runs_or_not() {
    let dir = site_dir();
    let state = dir.path().join("state");
    let reinstall = |mac: &str| {
        run(
            dir.path(),
            &["reinstall", mac, "--state", state.to_str().unwrap()],
        )
    };
    let server = Server::start(dir.path());
    let first = ticket_in(&server.script());
    assert_eq!(
        server.report(
            &first,
            Event::InstallStarted {
                device: "/dev/vda".into()
            },
            1
        ),
        204
    );
    assert!(server.script().contains("is held"));

    assert_eq!(reinstall(MAC).status.code(), Some(0));
    server.wait_for("the request", |server| server.state() == "discovered");
    let second = ticket_in(&server.script());
    assert_ne!(first, second);
    assert_eq!(
        server.report(&first, Event::Installed, 2),
        409,
        "the old install is over"
    );
    assert_eq!(
        server.report(
            &second,
            Event::InstallFailed {
                reason: "disk is on fire".into()
            },
            3
        ),
        204
    );
    assert_eq!(server.machine()["failure"], "disk is on fire");
    assert!(server.script().contains("its last install failed"));
    assert_eq!(server.terminate(), Some(0));

    assert_eq!(reinstall(MAC).status.code(), Some(0));
    let server = Server::start(dir.path());
    assert_ne!(ticket_in(&server.script()), second);

    let stranger = reinstall("02:00:00:00:00:01");
    assert_eq!(stranger.status.code(), Some(1));
    assert!(
        stderr(&stranger).contains("no group of this site matches"),
        "{}",
        stderr(&stranger)
    );
}
