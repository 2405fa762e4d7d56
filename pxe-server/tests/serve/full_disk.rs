//! The state on a disk that becomes full: nothing is acknowledged that is not kept, installed
//! machines boot their disks, and the server goes on by itself when there is room again.

use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use embed::report::Event;

use crate::fixture::site_dir;
use crate::process::{PROGRAM, Server, ticket_in};

/// A mount namespace in which a directory is a small disk; it ends with this.
struct SmallDisk(Child);

impl SmallDisk {
    /// None where there can be no such thing.
    fn at(directory: &Path) -> Option<Self> {
        std::fs::create_dir_all(directory).unwrap();
        let script =
            "mount -t tmpfs -o size=8m,mode=755 tmpfs \"$1\" && echo mounted && exec sleep 3600";
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-c", script, "sh"])
            .arg(directory);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut disk = Self(command.spawn().ok()?);
        let mut line = String::new();
        let mut told = BufReader::new(disk.0.stdout.take()?);
        told.read_line(&mut line).ok()?;
        (line == "mounted\n").then_some(disk)
    }

    /// The program in that namespace.
    fn program(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--mount=/proc/{}/ns/mnt", self.0.id()));
        command.arg("--").arg(PROGRAM);
        command
    }

    /// A path there as seen from here.
    fn path(&self, path: &Path) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.0.id()));
        root.join(path.strip_prefix("/").unwrap())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn fill(path: &Path) {
    let mut file = File::create(path).unwrap();
    loop {
        match file.write_all(&[0; 512]) {
            Ok(()) => {}
            Err(error) => return assert_eq!(error.kind(), ErrorKind::StorageFull),
        }
    }
}

/// What the machine `number` is told to do.
fn ask(server: &Server, number: u16) -> (u16, String) {
    let [high, low] = number.to_be_bytes();
    let answer = server.get(&format!("ipxe?mac=02-00-00-00-{high:02x}-{low:02x}"));
    (answer.status().as_u16(), answer.text().unwrap())
}

#[test]
fn nothing_is_acknowledged_on_a_full_disk_and_room_heals_it() {
    let dir = site_dir();
    let state = dir.path().join("state");
    let Some(disk) = SmallDisk::at(&state) else {
        eprintln!("SKIP: nothing_is_acknowledged_on_a_full_disk: needs root for a mount namespace");
        return;
    };
    std::fs::write(dir.path().join("site/groups/all.yaml"), "profile: worker\n").unwrap();
    let start = || Server::start_by(disk.program(), dir.path(), &[]);
    let server = start();
    let ticket = ticket_in(&server.script());
    let device = "/dev/vda".to_owned();
    assert_eq!(
        server.report(&ticket, Event::InstallStarted { device }, 1),
        204
    );
    assert_eq!(server.report(&ticket, Event::Installed, 2), 204);

    let ballast = disk.path(&state).join("ballast");
    fill(&ballast);
    let mut acknowledged = Vec::new();
    let refused = (0..5000).find(|number| {
        let (status, text) = ask(&server, *number);
        assert_eq!(status, 200, "{text}");
        if text.contains("report?ticket=") {
            acknowledged.push((*number, ticket_in(&text)));
            return false;
        }
        assert!(text.contains("the server cannot write its state"), "{text}");
        true
    });
    let stranger = refused.expect("the disk is full at last");
    let log = server.log();
    assert!(
        log.contains("events lost: the state cannot be written"),
        "{log}"
    );
    assert!(
        server.script().contains("this machine is installed"),
        "it needs no disk of ours"
    );

    std::fs::remove_file(&ballast).unwrap();
    let (_, text) = ask(&server, stranger);
    assert!(
        text.contains("report?ticket="),
        "it goes on by itself: {text}"
    );
    acknowledged.push((stranger, ticket_in(&text)));
    server.kill();

    let server = start();
    assert_eq!(server.state(), "installed");
    for (number, ticket) in acknowledged {
        assert_eq!(ticket_in(&ask(&server, number).1), ticket, "{number}");
    }
}
