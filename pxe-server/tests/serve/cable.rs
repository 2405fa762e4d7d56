//! Two hosts on one cable: network namespaces that end with the test, with `s0` in the server's and
//! `c0` in the client's, and no way out of either.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A process that keeps a network namespace.
struct Host(Child);

impl Host {
    /// None where namespaces cannot be made.
    fn new() -> Option<Self> {
        let keeper = Command::new("unshare")
            .args(["--net", "sleep", "3600"])
            .stderr(Stdio::null())
            .spawn();
        let mut host = Self(keeper.ok()?);
        let ours = std::fs::read_link("/proc/self/ns/net").ok()?;
        let theirs = format!("/proc/{}/ns/net", host.0.id());
        let give_up = Instant::now() + Duration::from_secs(60);
        while std::fs::read_link(&theirs).ok()? == ours {
            if host.0.try_wait().ok()?.is_some() || Instant::now() > give_up {
                return None;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(host)
    }

    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.0.id()));
        command.arg("--").arg(program);
        command
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A cable with a server's host at 10.1.0.2 on one end and a client's on the other.
pub(crate) struct Cable {
    server: Host,
    client: Host,
}

impl Cable {
    /// None, and a line that says so, where the test cannot run.
    pub(crate) fn new(test: &str) -> Option<Self> {
        let skip = |reason: &str| eprintln!("SKIP: {test}: {reason}");
        let busybox = Command::new("busybox").arg("--list").output();
        if !busybox.is_ok_and(|list| list.stdout.windows(6).any(|name| name == b"udhcpc")) {
            skip("busybox with udhcpc is not installed");
            return None;
        }
        let (Some(server), Some(client)) = (Host::new(), Host::new()) else {
            skip("needs root for network namespaces");
            return None;
        };
        let cable = Self { server, client };
        let there = cable.client.0.id().to_string();
        for words in [
            &[
                "link", "add", "s0", "type", "veth", "peer", "name", "c0", "netns", &there,
            ][..],
            &["address", "add", "10.1.0.2/24", "dev", "s0"],
            &["link", "set", "s0", "up"],
            &["link", "set", "lo", "up"],
        ] {
            done(cable.server.command("ip").args(words));
        }
        done(cable.client("ip").args(["link", "set", "c0", "up"]));
        Some(cable)
    }

    /// A command on the client's host.
    pub(crate) fn client(&self, program: &str) -> Command {
        self.client.command(program)
    }

    /// A command on the server's host.
    pub(crate) fn host(&self, program: &str) -> Command {
        self.server.command(program)
    }

    /// The server for the site in `dir`, once it is ready.
    pub(crate) fn serve(&self, dir: &Path) -> Serving {
        let mut command = self.server.command(env!("CARGO_BIN_EXE_pxe-server"));
        command.args(["serve", "--interface", "s0", "--site"]);
        command
            .arg(dir.join("site"))
            .arg("--state")
            .arg(dir.join("state"));
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let ready = lines
            .by_ref()
            .map(Result::unwrap)
            .find(|line| line.contains("ready: "));
        let ready = ready.expect("the server is ready");
        assert!(ready.contains("DHCP 67 and 4011"), "{ready}");
        let log = std::thread::spawn(move || lines.map_while(Result::ok).collect());
        let log = Some(log);
        Serving { child, log }
    }
}

/// A running server on its end of the cable.
pub(crate) struct Serving {
    child: Child,
    log: Option<std::thread::JoinHandle<Vec<String>>>,
}

impl Serving {
    /// SIGHUP: read the site again.
    pub(crate) fn hang_up(&self) {
        let pid = self.child.id().to_string();
        done(Command::new("kill").args(["-HUP", &pid]));
    }

    /// SIGKILL, and what it has logged.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.log.take().unwrap().join().unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command that must succeed.
pub(crate) fn done(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {told}");
    output
}
