//! Several servers of one site on real etcd: one killed in the middle of an install, etcd lost and
//! back, and what is said when it cannot be used.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

use embed::report::{Event, Report};

use crate::cluster::Cluster;
use crate::fixture::site_dir;
use crate::process::{Server, ticket_in};
use crate::tls::{Good, certificate, write};

/// A server of the site in `dir`, with a state directory of its own.
pub(crate) fn server(dir: &Path, address: &str) -> (Server, tempfile::TempDir) {
    let own = tempfile::tempdir().unwrap();
    for part in ["site", "media", "ipxe"] {
        std::os::unix::fs::symlink(dir.join(part), own.path().join(part)).unwrap();
    }
    (start(own.path(), address), own)
}

fn start(own: &Path, address: &str) -> Server {
    let options = ["--store", address, "--etcd-timeout", "8"];
    Server::start_for_site(own, &options.map(OsStr::new))
}

pub(crate) fn started() -> Event {
    Event::InstallStarted {
        device: "/dev/vda".into(),
    }
}

#[test]
fn a_machine_that_boots_by_one_server_is_known_by_the_other_and_installed_once() {
    let Some(cluster) = Cluster::start("two servers on etcd", 1) else {
        return;
    };
    let dir = site_dir();
    let (one, _one) = server(dir.path(), &cluster.address());
    let (two, _two) = server(dir.path(), &cluster.address());
    let ticket = ticket_in(&one.script());
    two.wait_for("the machine", |two| !two.machine().is_null());
    assert_eq!(
        ticket_in(&two.script()),
        ticket,
        "one install has one ticket"
    );
    assert_eq!(one.report(&ticket, started(), 7), 204);
    assert!(two.script().contains("is held"));
    one.kill();
    assert_eq!(two.report(&ticket, started(), 8), 409, "another install");
    assert_eq!(
        two.report(&ticket, started(), 7),
        204,
        "the answer was lost"
    );
    assert_eq!(two.report(&ticket, Event::Installed, 9), 204);
    assert!(two.script().contains("this machine is installed"));
    let events = two.events();
    let count = |name: &str| events.iter().filter(|event| *event == name).count();
    assert_eq!((count("ticket-issued"), count("install-started")), (1, 1));
}

#[test]
fn without_etcd_disks_boot_nobody_is_installed_and_all_goes_on_when_it_is_back() {
    let Some(mut cluster) = Cluster::start("etcd lost and back", 1) else {
        return;
    };
    let dir = site_dir();
    std::fs::write(dir.path().join("site/groups/all.yaml"), "profile: worker\n").unwrap();
    let (one, own) = server(dir.path(), &cluster.address());
    let ticket = ticket_in(&one.script());
    for event in [started(), Event::Installed] {
        assert_eq!(one.report(&ticket, event, 7), 204);
    }
    let other = "ipxe?mac=02-00-00-00-00-02";
    let script = |server: &Server| server.get(other).text().unwrap();
    let second = ticket_in(&script(&one));
    let report = |server: &Server| {
        let body = serde_json::to_vec(&Report::new(started(), 1)).unwrap();
        server.post(
            &format!("machines/02-00-00-00-00-02/report?ticket={second}"),
            body,
        )
    };
    let waits = "waits to be installed: the server cannot write its state";
    cluster.freeze(0);
    assert!(script(&one).contains(waits), "slow as if it were gone");
    cluster.thaw(0);
    one.wait_for("etcd", |one| one.get("readyz").status() == 200);
    assert_eq!(ticket_in(&script(&one)), second);
    // What is read at a start is kept at once.
    one.kill();
    let one = start(own.path(), &cluster.address());
    cluster.kill(0);

    let without = |server: &Server| {
        assert!(script(server).contains(waits), "{}", script(server));
        assert_eq!(report(server), 503);
        assert!(server.script().contains("this machine is installed"));
        assert_eq!(server.get("readyz").status(), 503);
        assert_eq!(server.get("healthz").status(), 200);
        let metrics = server.get("metrics").text().unwrap();
        assert!(
            metrics.contains("pxe_server_store_reachable 0"),
            "{metrics}"
        );
    };
    without(&one);
    one.kill();
    let one = start(own.path(), &cluster.address());
    assert!(one.log().contains("cannot be reached"), "{}", one.log());
    without(&one);

    cluster.restart(0);
    cluster.wait_healthy();
    one.wait_for("etcd", |one| one.get("readyz").status() == 200);
    assert_eq!(report(&one), 204, "the ticket was kept all the time");
    let metrics = one.get("metrics").text().unwrap();
    assert!(
        metrics.contains("pxe_server_store_reachable 1"),
        "{metrics}"
    );
}

#[test]
fn orders_given_at_one_server_hold_at_the_other() {
    let Some(cluster) = Cluster::start("orders of two servers", 1) else {
        return;
    };
    let dir = site_dir();
    std::fs::write(dir.path().join("site/groups/all.yaml"), "profile: worker\n").unwrap();
    let profile =
        "name: worker\ninstall: {device: /dev/vda}\nignition: worker.ign\nrollout: {at-once: 9}\n";
    std::fs::write(dir.path().join("site/profiles/worker.yaml"), profile).unwrap();
    let (one, own) = server(dir.path(), &cluster.address());
    let (two, _two) = server(dir.path(), &cluster.address());
    let halted = "the rollout of its profile is halted";
    let script = |server: &Server, number: u8| {
        let path = format!("ipxe?mac=02-00-00-00-00-0{number}");
        server.get(&path).text().unwrap()
    };
    assert!(script(&two, 1).contains("INSTALLING"));
    let order = |word: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pxe-server"));
        command
            .args(["rollout", word, "worker", "--site"])
            .arg(own.path().join("site"));
        let done = command
            .arg("--state")
            .arg(own.path().join("state"))
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    order("halt");
    two.wait_for("the halt", |two| {
        two.json("api/v1/rollouts")["rollouts"][0]["gate"] == "halted"
    });
    assert!(script(&two, 2).contains(halted));
    one.kill();
    assert!(script(&two, 3).contains(halted), "also without who gave it");
    let _one = start(own.path(), &cluster.address());
    order("resume");
    two.wait_for("the resumption", |two| {
        script(two, 2).contains("INSTALLING")
    });
}

fn refused(options: &[&str]) -> (Output, String) {
    let dir = site_dir();
    let mut command = Command::new(env!("CARGO_BIN_EXE_pxe-server"));
    command.args([
        "serve",
        "--interface",
        "lo",
        "--http-port",
        "0",
        "--tftp-port",
        "0",
    ]);
    command.args(["--dhcp-port", "20067"]).args(options);
    command.arg("--site").arg(dir.path().join("site"));
    let output = command
        .arg("--state")
        .arg(dir.path().join("state"))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    (output, said)
}

#[test]
fn what_cannot_be_shared_or_used_is_refused_with_what_to_do() {
    let (output, said) = refused(&["--store", "http://127.0.0.1:2379"]);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("it begins with etcd:// or etcds://"),
        "{said}"
    );

    let dir = tempfile::tempdir().unwrap();
    let none = dir.path().join("none").display().to_string();
    let local = ["--store", "etcd://127.0.0.1:1", "--dhcp", "off"];
    let (output, said) = refused(&[&local[..], &["--etcd-ca", &none]].concat());
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("none: No such file"), "{said}");

    let Some(cluster) = Cluster::start("refusals of etcd", 1) else {
        return;
    };
    let words = [
        &["user", "add", "root:secret"][..],
        &["user", "grant-role", "root", "root"],
        &["auth", "enable"],
    ];
    for words in words {
        assert!(cluster.ctl(words).status.success(), "{words:?}");
    }
    let (output, said) = refused(&["--dhcp", "off", "--store", &cluster.address()]);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("does not let this server in"), "{said}");
    assert!(
        said.contains("hint:  --etcd-credentials names a file"),
        "{said}"
    );
}

#[test]
fn servers_and_etcd_show_each_other_certificates() {
    let dir = tempfile::tempdir().unwrap();
    let pair = write(dir.path(), &certificate("etcd", Good::ForDays(30)));
    let [cert, key] = pair.each_ref().map(|path| path.to_str().unwrap());
    let options = [
        ["--cert-file", cert],
        ["--key-file", key],
        ["--trusted-ca-file", cert],
        ["--client-cert-auth", "--logger=zap"],
    ];
    let Some(cluster) = Cluster::start_with("TLS of etcd", 1, &options.concat()) else {
        return;
    };
    let site = site_dir();
    let address = cluster.address().replacen("etcd", "etcds", 1);
    let ours = [
        "--store",
        &address,
        "--etcd-ca",
        cert,
        "--etcd-cert",
        cert,
        "--etcd-key",
        key,
    ];
    let server = Server::start_for_site(site.path(), &ours.map(OsStr::new));
    server.wait_for("etcd", |server| server.get("readyz").status() == 200);
    assert!(server.script().contains("INSTALLING"));

    let stranger = tempfile::tempdir().unwrap();
    let pair = write(stranger.path(), &certificate("other", Good::ForDays(30)));
    let [other, other_key] = pair.each_ref().map(|path| path.to_str().unwrap());
    let without_ours = ["--store", &address, "--etcd-ca", cert];
    let with_other = [
        &without_ours[..],
        &["--etcd-cert", other, "--etcd-key", other_key],
    ]
    .concat();
    for options in [
        &["--store", &address, "--etcd-ca", other][..],
        &without_ours,
        &with_other,
    ] {
        let (output, said) = refused(&[options, &["--dhcp", "off"]].concat());
        assert_eq!(output.status.code(), Some(1), "{options:?}: {said}");
        assert!(
            said.contains("do not trust each other"),
            "{options:?}: {said}"
        );
        assert!(
            said.contains("hint:  --etcd-ca names who vouches"),
            "{said}"
        );
    }
}
