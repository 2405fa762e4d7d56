//! The description of a provisioned root: complete, stable, and different when it matters.

use super::*;
use std::os::unix::fs::symlink;

const CONFIG: &str = r#"{
  "passwd":{"users":[{"name":"core"},{"name":"ghost"}],"groups":[{"name":"ops"}]},
  "storage":{"files":[{"path":"/etc/motd"},{"path":"/etc/machine-id"},{"path":"/opt/absent"}],
             "directories":[{"path":"/opt/data"}],"links":[{"path":"/opt/link"}]},
  "systemd":{"units":[{"name":"a.service","dropins":[{"name":"x.conf"}]},{"name":"b.service"},{"name":"c.service"}]}}"#;

fn config() -> MergedConfig {
    serde_json::from_str(CONFIG).unwrap()
}

fn write(root: &Path, path: &str, text: &str, mode: u32) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

fn provisioned() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    write(
        root,
        "etc/passwd",
        "root:x:0:0::/root:/bin/sh\ncore:x:1000:1000:CoreOS Admin:/home/core:/bin/bash\n",
        0o644,
    );
    write(root, "etc/shadow", "core:*:19000::::::\n", 0o600);
    write(
        root,
        "etc/group",
        "sudo:x:27:core\nadm:x:4:syslog,core\nops:x:1001:\n",
        0o644,
    );
    write(
        root,
        "home/core/.ssh/authorized_keys.d/ignition",
        "ssh-ed25519 AAAA test\n",
        0o600,
    );
    write(root, "etc/motd", "hello\n", 0o644);
    write(root, "etc/machine-id", "0123\n", 0o444);
    fs::create_dir_all(root.join("opt/data")).unwrap();
    fs::set_permissions(root.join("opt/data"), fs::Permissions::from_mode(0o750)).unwrap();
    symlink("/etc/motd", root.join("opt/link")).unwrap();
    write(root, "etc/systemd/system/a.service", "[Service]\n", 0o644);
    write(
        root,
        "etc/systemd/system/a.service.d/x.conf",
        "[Unit]\n",
        0o644,
    );
    fs::create_dir_all(root.join("etc/systemd/system/multi-user.target.wants")).unwrap();
    symlink(
        "/etc/systemd/system/a.service",
        root.join("etc/systemd/system/multi-user.target.wants/a.service"),
    )
    .unwrap();
    symlink("/dev/null", root.join("etc/systemd/system/b.service")).unwrap();
    dir
}

fn described(root: &Path) -> String {
    describe(&config(), root).unwrap()
}

#[test]
fn every_named_thing_has_one_line_with_what_it_became() {
    let dir = provisioned();
    let me = fs::metadata(dir.path()).unwrap();
    let (uid, gid) = (me.uid(), me.gid());
    let sha = |text: &str| Sha256Digest::of(text.as_bytes());
    let want = [
        format!("directory /opt/data 0750 {uid}:{gid}"),
        format!("file /etc/motd 0644 {uid}:{gid} {}", sha("hello\n")),
        "group ops ops:x:1001:".to_owned(),
        format!("link /opt/link {uid}:{gid} /etc/motd"),
        "path /opt/absent missing".to_owned(),
        format!(
            "unit a.service {} enabled multi-user.target.wants dropins x.conf={}",
            sha("[Service]\n"),
            sha("[Unit]\n")
        ),
        "unit b.service masked enabled  dropins ".to_owned(),
        "unit c.service none enabled  dropins ".to_owned(),
        format!(
            "user core:x:1000:1000:CoreOS Admin:/home/core:/bin/bash password {} groups adm,sudo keys {} none",
            sha("*"),
            sha("ssh-ed25519 AAAA test\n")
        ),
        "user ghost missing".to_owned(),
    ];
    assert_eq!(described(dir.path()).lines().collect::<Vec<_>>(), want);
}

#[test]
fn the_same_things_elsewhere_give_the_same_text() {
    let (one, two) = (provisioned(), provisioned());
    write(two.path(), "etc/machine-id", "4567\n", 0o444);
    write(two.path(), "etc/unrelated", "x", 0o644);
    assert_eq!(described(one.path()), described(two.path()));
}

#[test]
fn every_difference_that_matters_shows() {
    type Change<'a> = (&'a str, &'a dyn Fn(&Path));
    let changes: [Change<'_>; 7] = [
        ("content", &|root| write(root, "etc/motd", "hullo\n", 0o644)),
        ("mode", &|root| write(root, "etc/motd", "hello\n", 0o600)),
        ("key", &|root| {
            write(
                root,
                "home/core/.ssh/authorized_keys.d/ignition",
                "other\n",
                0o600,
            )
        }),
        ("password", &|root| {
            write(root, "etc/shadow", "core:$y$x:19000::::::\n", 0o600)
        }),
        ("group", &|root| {
            write(
                root,
                "etc/group",
                "sudo:x:27:\nadm:x:4:core\nops:x:1001:\n",
                0o644,
            )
        }),
        ("enabled", &|root| {
            fs::remove_file(root.join("etc/systemd/system/multi-user.target.wants/a.service"))
                .unwrap()
        }),
        ("dropin", &|root| {
            write(
                root,
                "etc/systemd/system/a.service.d/x.conf",
                "[Install]\n",
                0o644,
            )
        }),
    ];
    let same = described(provisioned().path());
    for (what, change) in changes {
        let dir = provisioned();
        change(dir.path());
        assert_ne!(described(dir.path()), same, "{what}");
    }
}

#[test]
fn the_order_in_the_config_does_not_matter() {
    let dir = provisioned();
    let mut turned = config();
    turned.storage.files.reverse();
    turned.systemd.units.reverse();
    turned.passwd.users.reverse();
    assert_eq!(
        describe(&turned, dir.path()).unwrap(),
        described(dir.path())
    );
}
