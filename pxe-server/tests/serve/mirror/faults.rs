//! What is refused, and that nothing of it is seen: the build before stays current, whole.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::publisher::{Fault, Publisher};
use super::{assert_holds, assert_whole, done, index, names, refused, shelf};

/// A mirror that holds build 1 of a stream that publishes 2 by now.
fn mirrored() -> (Publisher, tempfile::TempDir) {
    let (publisher, dir) = (Publisher::new(), tempfile::tempdir().unwrap());
    publisher.publish("1");
    done(&mut publisher.mirror(dir.path()));
    publisher.publish("2");
    (publisher, dir)
}

/// Nothing but build 1 is there, and what a next run may go on with; which then takes build 2.
fn assert_old_then_new(publisher: &Publisher, mirror: &Path) {
    let mut seen = names(&shelf(mirror));
    seen.retain(|name| name != ".incoming-2");
    assert_eq!(seen, [".lock", "1", "index.json"]);
    publisher.publish("2");
    done(&mut publisher.mirror(mirror));
    assert_holds(mirror, "2", &["1"]);
}

#[test]
fn files_that_nobody_vouches_for_are_refused() {
    let sig = "/builds/os-2-rootfs.sig";
    type Damage = fn(&Publisher);
    let cases: [(Damage, &str); 5] = [
        (
            |publisher| {
                let mut metadata = publisher.metadata("2");
                let formats =
                    &mut metadata["architectures"]["x86_64"]["artifacts"]["metal"]["formats"];
                formats["pxe"]["rootfs"]["sha256"] = formats["pxe"]["kernel"]["sha256"].clone();
                publisher.describe(&metadata);
            },
            "has sha256",
        ),
        (
            |publisher| publisher.put("/builds/os-2-rootfs.sig", publisher.sign(b"another file")),
            "does not match",
        ),
        (
            |publisher| publisher.take("/builds/os-2-rootfs.sig"),
            "has no signature at",
        ),
        (
            |publisher| {
                let stranger = Publisher::new();
                let content = Publisher::content("2", "rootfs");
                publisher.put("/builds/os-2-rootfs.sig", stranger.sign(&content));
            },
            "which is not among the",
        ),
        (
            |publisher| {
                let mut content = Publisher::content("2", "rootfs");
                content.truncate(content.len() - 1);
                publisher.put("/builds/os-2-rootfs", content);
            },
            "does not match",
        ),
    ];
    let (publisher, dir) = mirrored();
    for (damage, want) in cases {
        damage(&publisher);
        let said = refused(&mut publisher.mirror(dir.path()));
        assert!(
            said.contains("nothing new of stream stable is mirrored"),
            "{said}"
        );
        assert!(said.contains("cannot mirror the rootfs"), "{said}");
        assert!(said.contains(want), "{want}: {said}");
        assert!(said.contains("\nhint:  "), "{said}");
        let left = names(&shelf(dir.path()).join(".incoming-2"));
        assert!(left.iter().all(|name| !name.contains("rootfs")), "{left:?}");
        publisher.put(sig, publisher.sign(&Publisher::content("2", "rootfs")));
        publisher.put("/builds/os-2-rootfs", Publisher::content("2", "rootfs"));
        publisher.describe(&publisher.metadata("2"));
    }
    assert_old_then_new(&publisher, dir.path());
}

#[test]
fn metadata_of_another_shape_or_stream_are_refused() {
    let (publisher, dir) = mirrored();
    let metal = "/architectures/x86_64/artifacts/metal";
    let cases = [
        (
            "/stream",
            "\"testing\"",
            "this is stream testing, and stable is wanted",
        ),
        (
            &format!("{metal}/release"),
            "null",
            "does not say which release it publishes",
        ),
        (
            &format!("{metal}/release"),
            "\"../2\"",
            "`../2` is no plain name",
        ),
        (
            &format!("{metal}/release"),
            "\".lock\"",
            "`.lock` is no plain name",
        ),
        (
            &format!("{metal}/formats/pxe/rootfs"),
            "null",
            "cannot tell what stream stable publishes",
        ),
        (
            &format!("{metal}/formats/pxe"),
            "{}",
            "stream stable publishes no kernel",
        ),
        (
            &format!("{metal}/formats/raw.xz"),
            "{}",
            "cannot tell what stream stable publishes",
        ),
    ];
    for (pointer, value, want) in cases {
        let mut metadata = publisher.metadata("2");
        *metadata.pointer_mut(pointer).unwrap() = serde_json::from_str(value).unwrap();
        publisher.describe(&metadata);
        let said = refused(&mut publisher.mirror(dir.path()));
        assert!(said.contains(want), "{pointer}: {said}");
    }
    let mut twice = publisher.metadata("2");
    let pxe = twice.pointer_mut(&format!("{metal}/formats/pxe")).unwrap();
    pxe["initramfs"] = pxe["kernel"].clone();
    publisher.describe(&twice);
    let said = refused(&mut publisher.mirror(dir.path()));
    assert!(said.contains("two files are called os-2-kernel"), "{said}");
    let mut other = publisher.mirror(dir.path());
    let said = refused(other.args(["--arch", "aarch64"]));
    assert!(said.contains("aarch64"), "{said}");
    assert_old_then_new(&publisher, dir.path());
}

/// Starts a run, and waits until it stands at a transfer.
fn standing(publisher: &Publisher, mirror: &Path, part: &str) -> Child {
    publisher.fault(part, Fault::Stall(1000));
    let mut command = publisher.mirror(mirror);
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    let give_up = Instant::now() + Duration::from_secs(300);
    while !publisher.stands() {
        assert!(Instant::now() < give_up, "the run asks for {part}");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

#[test]
fn a_run_that_is_killed_leaves_the_old_build_and_the_next_goes_on() {
    let (publisher, dir) = mirrored();
    let mut child = standing(&publisher, dir.path(), "2-disk");
    let said = refused(&mut publisher.mirror(dir.path()));
    assert!(
        said.contains("another `pxe-server mirror` is at work in"),
        "{said}"
    );
    assert!(said.contains("\nhint:  "), "{said}");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(
        names(&shelf(dir.path())),
        [".incoming-2", ".lock", "1", "index.json"]
    );

    publisher.heal("2-disk");
    publisher.asked();
    done(&mut publisher.mirror(dir.path()));
    let asked = publisher.asked();
    let fetched = |name: &str| asked.iter().any(|(path, _)| path.ends_with(name));
    assert!(fetched("2-disk") && fetched("2-rootfs.sig"), "{asked:?}");
    assert!(!fetched("2-rootfs"), "it was complete: {asked:?}");
    assert_holds(dir.path(), "2", &["1"]);
}

#[test]
fn a_run_that_is_told_to_stop_says_so_and_leaves_the_old_build() {
    let (publisher, dir) = mirrored();
    let child = standing(&publisher, dir.path(), "2-rootfs");
    let pid = child.id().to_string();
    done(Command::new("kill").args(["-TERM", &pid]));
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = super::stderr(&output);
    assert!(said.contains("cause: interrupted"), "{said}");
    publisher.heal("2-rootfs");
    assert_old_then_new(&publisher, dir.path());
}

#[test]
fn wherever_a_run_is_killed_the_index_names_a_whole_build() {
    const KILLS: u32 = 12;
    let (publisher, dir) = mirrored();
    let mirror = |number: u32| {
        let to = dir.path().join(format!("copy-{number}"));
        fs::create_dir(&to).unwrap();
        let mut copy = Command::new("cp");
        done(copy.arg("-R").arg(dir.path().join("stable")).arg(&to));
        to
    };
    let whole = mirror(0);
    let begin = Instant::now();
    done(&mut publisher.mirror(&whole));
    let time = begin.elapsed();
    assert_holds(&whole, "2", &["1"]);
    for number in 1..=KILLS {
        let mirror = mirror(number);
        let mut child = publisher
            .mirror(&mirror)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Wherever that is: what follows holds anywhere.
        std::thread::sleep(time * number / KILLS);
        let _ = child.kill();
        child.wait().unwrap();
        let (current, _) = index(&mirror);
        for release in names(&shelf(&mirror)) {
            if !release.starts_with('.') && release != "index.json" {
                assert_whole(&shelf(&mirror).join(&release), &release);
            }
        }
        assert!(shelf(&mirror).join(&current).is_dir(), "{current}");
        done(&mut publisher.mirror(&mirror));
        assert_holds(&mirror, "2", &["1"]);
        fs::remove_dir_all(mirror).unwrap();
    }
}

#[test]
fn a_build_that_is_superseded_while_it_is_fetched_leaves_nothing() {
    let (publisher, dir) = mirrored();
    let mut child = standing(&publisher, dir.path(), "2-initramfs");
    child.kill().unwrap();
    child.wait().unwrap();
    publisher.publish("3");
    done(&mut publisher.mirror(dir.path()));
    assert_holds(dir.path(), "3", &["1"]);
}

#[test]
fn a_full_disk_is_said_and_leaves_the_old_build() {
    let (publisher, dir) = (Publisher::new(), tempfile::tempdir().unwrap());
    publisher.publish("2");
    let words = publisher.mirror(&dir.path().join("mirror"));
    let script = "mount -t tmpfs -o size=256k none \"$1\" || exit 77
        mkdir -p \"$1/mirror/stable/x86_64\"
        shift
        \"$@\"
        code=$?
        ls -A \"$ROOM/mirror/stable/x86_64\"
        exit $code";
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(dir.path());
    command.env("ROOM", dir.path());
    command.arg(words.get_program()).args(words.get_args());
    let output = command.output().unwrap();
    if [Some(77), Some(1)].contains(&output.status.code()) && output.stdout.is_empty() {
        eprintln!("SKIP: a_full_disk: needs root for mount namespaces");
        return;
    }
    let said = super::stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot write "), "{said}");
    assert!(said.contains("hint:  make room on that disk"), "{said}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), ".lock\n");
    assert!(fs::read_dir(dir.path()).unwrap().next().is_none());
}
