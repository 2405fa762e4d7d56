//! Real clusters of etcd on loopback, for unit tests and (included by path) for `tests/serve`. The
//! programs are Debian's, unpacked by `tests/setup/install.sh` or installed.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How long a machine that is busy with other things may take for anything.
const PATIENCE: Duration = Duration::from_secs(120);

/// Members of one cluster; they end with the test.
pub(crate) struct Cluster {
    members: Vec<Member>,
    options: Vec<String>,
    dir: tempfile::TempDir,
}

struct Member {
    child: Option<Child>,
    client: u16,
    peer: u16,
}

/// Debian's `etcd` or `etcdctl`.
fn program(name: &str) -> Option<PathBuf> {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/debian/usr/bin");
    let installed = ["/usr/bin", "/usr/local/bin"].map(PathBuf::from);
    let mut places = std::iter::once(unpacked).chain(installed);
    places.find_map(|dir| Some(dir.join(name)).filter(|path| path.exists()))
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

impl Cluster {
    /// Starts so many members; none, and says so, where etcd is not installed.
    pub(crate) fn start(test: &str, members: usize) -> Option<Self> {
        Self::start_with(test, members, &[])
    }

    /// The same with more options for all members.
    pub(crate) fn start_with(test: &str, members: usize, options: &[&str]) -> Option<Self> {
        if program("etcd").is_none() || program("etcdctl").is_none() {
            eprintln!("SKIP: {test}: etcd is neither unpacked nor installed; run `make setup`");
            return None;
        }
        let member = |_| Member {
            child: None,
            client: free_port(),
            peer: free_port(),
        };
        let mut cluster = Self {
            members: (0..members).map(member).collect(),
            options: options.iter().map(ToString::to_string).collect(),
            dir: tempfile::tempdir().unwrap(),
        };
        (0..members).for_each(|number| cluster.spawn(number));
        cluster.wait_healthy();
        Some(cluster)
    }

    fn spawn(&mut self, number: usize) {
        let name = |number: usize| format!("m{number}");
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let all = self.members.iter().enumerate();
        let all: Vec<String> = all
            .map(|(number, member)| format!("{}={}", name(number), url(member.peer)))
            .collect();
        let member = &self.members[number];
        let log = self.dir.path().join(format!("{}.log", name(number)));
        let mut command = Command::new(program("etcd").unwrap());
        command
            .args(["--name", &name(number)])
            .arg("--data-dir")
            .arg(self.dir.path().join(name(number)))
            .args(["--initial-advertise-peer-urls", &url(member.peer)])
            .args(["--listen-peer-urls", &url(member.peer)])
            .args(["--initial-cluster", &all.join(",")])
            .args(["--heartbeat-interval", "200", "--election-timeout", "2000"]);
        if !self
            .options
            .iter()
            .any(|option| option.starts_with("--cert-file"))
        {
            command.args(["--listen-client-urls", &url(member.client)]);
            command.args(["--advertise-client-urls", &url(member.client)]);
        } else {
            let url = format!("https://127.0.0.1:{}", member.client);
            command.args([
                "--listen-client-urls",
                &url,
                "--advertise-client-urls",
                &url,
            ]);
        }
        let log = File::options().create(true).append(true).open(log).unwrap();
        command
            .args(&self.options)
            .stdout(Stdio::null())
            .stderr(log);
        self.members[number].child = Some(command.spawn().unwrap());
    }

    /// Waits until a quorum answers.
    pub(crate) fn wait_healthy(&self) {
        if self.options.is_empty() {
            let end = Instant::now() + PATIENCE;
            while !self.ctl(&["get", "x"]).status.success() {
                assert!(
                    Instant::now() < end,
                    "etcd does not get ready: {}",
                    self.logs()
                );
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }

    fn logs(&self) -> String {
        let log = |number| self.dir.path().join(format!("m{number}.log"));
        let text = |number| std::fs::read_to_string(log(number)).unwrap_or_default();
        (0..self.members.len()).map(text).collect()
    }

    fn hosts(&self) -> String {
        let host = |member: &Member| format!("127.0.0.1:{}", member.client);
        self.members.iter().map(host).collect::<Vec<_>>().join(",")
    }

    /// What `--store` takes.
    pub(crate) fn address(&self) -> String {
        format!("etcd://{}", self.hosts())
    }

    /// Runs etcdctl.
    pub(crate) fn ctl(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(program("etcdctl").unwrap());
        command.env("ETCDCTL_API", "3");
        command.args(["--endpoints", &self.hosts()]).args(arguments);
        command.output().unwrap()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self, number: usize) {
        let mut child = self.members[number].child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Starts a member that was killed, with the data that it had.
    pub(crate) fn restart(&mut self, number: usize) {
        self.spawn(number);
    }

    fn signal(&self, number: usize, signal: &str) {
        let pid = self.members[number]
            .child
            .as_ref()
            .unwrap()
            .id()
            .to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// SIGSTOP: connections stay, answers do not come.
    pub(crate) fn freeze(&self, number: usize) {
        self.signal(number, "-STOP");
    }

    /// SIGCONT.
    pub(crate) fn thaw(&self, number: usize) {
        self.signal(number, "-CONT");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in self
            .members
            .iter_mut()
            .filter_map(|member| member.child.as_mut())
        {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
