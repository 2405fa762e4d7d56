//! What a running server can still do: its threads' identity and capabilities as the kernel tells
//! them, and files that are out of its reach.

use std::ffi::OsStr;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use nix::unistd::{User, geteuid};

use crate::fixture::{MAC, site_dir};
use crate::process::{Server, ticket_in};

/// A user that every Debian machine has and that owns nothing.
const NOBODY: &str = "nobody";

/// The values of a field of `/proc/PID/task/*/status`, one for each thread.
fn of_threads(server: &Server, field: &str) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    let tasks = tasks.map(|task| task.unwrap().file_name().into_string().unwrap());
    // A thread that has ended meanwhile has no status.
    let values = tasks.filter_map(|task| status_field(task.parse().unwrap(), field));
    let values: Vec<String> = values.collect();
    assert!(values.len() > 2, "the runtime has threads: {values:?}");
    values
}

/// A field of the status of a process or thread, while it is there.
pub(crate) fn status_field(task: u32, field: &str) -> Option<String> {
    let status = std::fs::read_to_string(format!("/proc/{task}/status")).ok()?;
    let mut lines = status.lines();
    let value = lines.find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    Some(value.unwrap().trim().to_owned())
}

fn assert_all(server: &Server, field: &str, want: &str) {
    for value in of_threads(server, field) {
        assert_eq!(value, want, "{field}");
    }
}

/// Whether the kernel confines the server to its files; says so if it does not.
fn has_landlock(server: &Server, test: &str) -> bool {
    let has = server.log().contains("by Landlock: reads ");
    if !has {
        assert!(
            server
                .log()
                .contains("without Landlock: this kernel has none"),
            "{}",
            server.log()
        );
        eprintln!("SKIP: {test}: this kernel has no Landlock");
    }
    has
}

/// Lets others in.
fn open(directory: &Path) {
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn every_thread_has_given_up_what_it_does_not_need() {
    let dir = site_dir();
    let server = Server::start(dir.path());
    assert_given_up(&server);
    let ticket = ticket_in(&server.script());
    assert_eq!(ticket.len(), 32, "it still writes its state");
}

/// Asserts that every thread has no privileges and gets none.
pub(crate) fn assert_given_up(server: &Server) {
    assert_all(server, "NoNewPrivs", "1");
    // CAP_DAC_OVERRIDE, the second bit, as long as the user is root.
    let left = if geteuid().is_root() {
        "0000000000000002"
    } else {
        "0000000000000000"
    };
    for field in ["CapEff", "CapPrm"] {
        assert_all(server, field, left);
    }
    for field in ["CapInh", "CapAmb"] {
        assert_all(server, field, "0000000000000000");
    }
    if geteuid().is_root() {
        assert_all(server, "CapBnd", left);
    }
}

#[test]
fn root_becomes_another_user_whose_state_it_is_from_then_on() {
    if !geteuid().is_root() {
        eprintln!("SKIP: root_becomes_another_user: needs root");
        return;
    }
    let dir = site_dir();
    open(dir.path());
    let options = ["--user", NOBODY].map(OsStr::new);
    let server = Server::start_for_site(dir.path(), &options);
    let nobody = User::from_name(NOBODY).unwrap().unwrap();
    let (uid, gid) = (nobody.uid, nobody.gid);
    assert_all(&server, "Uid", &format!("{uid}\t{uid}\t{uid}\t{uid}"));
    assert_all(&server, "Gid", &format!("{gid}\t{gid}\t{gid}\t{gid}"));
    for field in ["CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd"] {
        assert_all(&server, field, "0000000000000000");
    }
    assert!(
        !of_threads(&server, "Groups").contains(&"0".to_owned()),
        "root's groups"
    );
    ticket_in(&server.script());
    // What root leaves for it, it can read.
    let mut token = Command::new(env!("CARGO_BIN_EXE_pxe-server"));
    token.args(["token", "new", "--name", "a", "--role", "viewer", "--state"]);
    let made = token.arg(dir.path().join("state")).output().unwrap();
    let bearer = format!("Bearer {}", String::from_utf8(made.stdout).unwrap().trim());
    let answer = server.get_with("api/v1/site", &[("Authorization", &bearer)]);
    assert_eq!(answer.status(), 200, "{}", answer.text().unwrap());
    assert_eq!(server.terminate(), Some(0));
    // What it wrote is its own, and is used again.
    let server = Server::start_for_site(dir.path(), &options);
    assert!(
        server.script().contains("report?ticket="),
        "its ticket is not used yet"
    );
}

#[test]
fn a_state_that_the_user_may_not_write_is_refused_by_name() {
    if !geteuid().is_root() {
        eprintln!("SKIP: a_state_that_the_user_may_not_write: needs root");
        return;
    }
    let dir = site_dir();
    open(dir.path());
    let serve = |user: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pxe-server"));
        command.args([
            "serve",
            "--interface",
            "lo",
            "--dhcp",
            "off",
            "--http-port",
            "0",
        ]);
        command.args(["--tftp-port", "0", "--user", user, "--site"]);
        let output = command.arg(dir.path().join("site")).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let state = dir.path().join("site/state");
    std::fs::create_dir(&state).unwrap();
    std::fs::write(state.join("machines.redb"), "").unwrap();
    let text = serve(NOBODY);
    let want = format!(
        "error: the server cannot be confined\ncause: `nobody` may not write {}: ",
        state.display()
    );
    assert!(text.contains(&want), "{text}");
    assert!(
        text.contains("hint:  give it the whole state directory"),
        "{text}"
    );
    // The directory alone is not enough.
    let nobody = User::from_name(NOBODY).unwrap().unwrap();
    nix::unistd::chown(&state, Some(nobody.uid), None).unwrap();
    let text = serve(NOBODY);
    assert!(
        text.contains(&format!(
            "may not write {}",
            state.join("machines.redb").display()
        )),
        "{text}"
    );
    assert!(serve("no-such-user").contains("cause: there is no user `no-such-user`"));
}

#[test]
fn a_link_in_the_media_leads_nowhere_else() {
    let (dir, far) = (site_dir(), tempfile::tempdir().unwrap());
    // What a link leads to at the start is meant.
    let initrd = dir.path().join("media/initrd.img");
    std::fs::rename(&initrd, far.path().join("initrd.img")).unwrap();
    symlink(far.path().join("initrd.img"), &initrd).unwrap();
    let secret = far.path().join("secret");
    std::fs::write(&secret, vec![b's'; 100_000]).unwrap();
    let server = Server::start(dir.path());
    if !has_landlock(&server, "a_link_in_the_media_leads_nowhere_else") {
        return;
    }
    let rootfs = dir.path().join("media/rootfs.img");
    assert_eq!(server.get("assets/rootfs.img").status(), 200);
    std::fs::remove_file(&rootfs).unwrap();
    symlink(&secret, &rootfs).unwrap();
    let answer = server.get("assets/rootfs.img");
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.text().unwrap(), "the server cannot read this file\n");
    assert!(
        server.log().contains("Permission denied"),
        "{}",
        server.log()
    );
    assert_eq!(server.get("assets/initrd.img").text().unwrap(), "initramfs");
}

#[test]
fn a_site_goes_on_changing_within_its_reach_and_is_refused_beyond() {
    let (dir, far) = (site_dir(), tempfile::tempdir().unwrap());
    let options = ["--may-read".as_ref(), far.path().as_os_str()];
    let copy = |to: &Path| {
        let copied = Command::new("cp")
            .arg("-r")
            .arg(dir.path().join("media"))
            .arg(to)
            .status();
        assert!(copied.unwrap().success());
    };
    let (near, outside) = (far.path().join("new"), tempfile::tempdir().unwrap());
    let outside = outside.path().join("media");
    copy(&outside);
    let name = |media: &Path| {
        let text = format!("media: {}\nipxe: {{dir: ../ipxe}}\n", media.display());
        std::fs::write(dir.path().join("site/site.yaml"), text).unwrap();
    };
    let server = Server::start_for_site(dir.path(), &options);
    if !has_landlock(&server, "a_site_goes_on_changing_within_its_reach") {
        return;
    }
    // New directories and files of the site.
    std::fs::create_dir_all(dir.path().join("site/configs/more")).unwrap();
    std::fs::write(dir.path().join("site/groups/all.yaml"), "profile: worker\n").unwrap();
    let generation = |server: &Server| server.json("api/v1/site")["generation"].as_u64();
    server.wait_for("the new group", |server| generation(server) == Some(2));
    copy(&near);
    std::fs::write(near.join("vmlinuz"), "KERNEL").unwrap();
    name(&near);
    server.wait_for("the new media", |server| generation(server) == Some(3));
    assert_eq!(server.get("assets/vmlinuz").text().unwrap(), "KERNEL");
    name(&outside);
    server.wait_for("the refusal", |server| {
        !server.json("api/v1/site")["refused"].is_null()
    });
    let refused = server.json("api/v1/site")["refused"].clone();
    let manifest = outside.join("manifest.json");
    let want = format!(
        "{} is out of the reach that the server has had since its start; a new start takes it in",
        manifest.display()
    );
    assert_eq!(refused["error"], want.as_str());
    let check = server
        .request(reqwest::Method::POST, "api/v1/site/check")
        .send()
        .unwrap();
    assert!(
        check.text().unwrap().contains("is out of the reach"),
        "as the check says"
    );
    assert_eq!(server.get("assets/vmlinuz").text().unwrap(), "KERNEL");
    assert_eq!(
        server.get(&format!("machines/{MAC}/ignition")).status(),
        200
    );
}

#[test]
fn media_without_a_file_that_machines_do_not_need_are_served() {
    let dir = site_dir();
    let path = dir.path().join("media/manifest.json");
    let mut manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    manifest["iso"] = manifest["kernel"].clone();
    manifest["iso"]["file"] = "os.iso".into();
    std::fs::write(&path, manifest.to_string()).unwrap();
    let server = Server::start(dir.path());
    assert_eq!(server.get("assets/vmlinuz").status(), 200);
    assert_eq!(server.get("assets/os.iso").status(), 503);
    // It is looked for where it is when it comes.
    std::fs::write(dir.path().join("media/os.iso"), b"kernel").unwrap();
    assert_eq!(server.get("assets/os.iso").status(), 200);
}
