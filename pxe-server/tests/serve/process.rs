//! A running `pxe-server` on free ports, ended with the test.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use embed::report::{Event, Report};
use reqwest::Method;
use reqwest::blocking::{Client, RequestBuilder, Response};
use serde_json::Value;

use crate::fixture::MAC;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_pxe-server");

/// `pxe-server serve` without DHCP, on ports that are free, for a run that ends by itself.
pub(crate) fn serve() -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .args(["serve", "--interface", "lo", "--dhcp", "off"])
        .args(["--http-port", "0", "--tftp-port", "0"]);
    command
}

pub(crate) struct Server {
    child: Child,
    pub(crate) http: u16,
    pub(crate) https: Option<u16>,
    pub(crate) api: Option<u16>,
    pub(crate) tftp: u16,
    pub(crate) dhcp: u16,
    client: Client,
    log: Arc<Mutex<String>>,
}

/// A DHCP server port whose client and boot server ports are free, too.
fn free_dhcp_port() -> u16 {
    for _ in 0..100 {
        let port = UdpSocket::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let others = [port.checked_add(1), port.checked_add(3944)];
        if others
            .iter()
            .all(|other| other.is_some_and(|other| UdpSocket::bind(("127.0.0.1", other)).is_ok()))
        {
            return port;
        }
    }
    panic!("no three free ports");
}

fn site_and(dir: &Path, options: &[&OsStr]) -> Vec<OsString> {
    let site = ["--site".into(), dir.join("site").into()];
    let options = options.iter().map(OsString::from);
    site.into_iter().chain(options).collect()
}

/// Makes the site's root file system this large; what is added is zeros.
pub(crate) fn enlarge_rootfs(dir: &Path, size: u64) {
    let manifest = dir.join("media/manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("100000", &size.to_string())).unwrap();
    let rootfs = File::options()
        .write(true)
        .open(dir.join("media/rootfs.img"));
    rootfs.unwrap().set_len(size).unwrap();
}

impl Server {
    /// Starts a server for the site in `dir` and waits until it is ready.
    pub(crate) fn start(dir: &Path) -> Self {
        Self::start_for_site(dir, &[])
    }

    /// The same with more options.
    pub(crate) fn start_for_site(dir: &Path, options: &[&OsStr]) -> Self {
        Self::start_by(Command::new(PROGRAM), dir, options)
    }

    /// The same by a command that runs the program in some environment.
    pub(crate) fn start_by(program: Command, dir: &Path, options: &[&OsStr]) -> Self {
        let ports = [0, 0, free_dhcp_port()];
        Self::launch(program, dir, &site_and(dir, options), ports)
    }

    /// Starts another server for the same site, state and ports, which waits until it can have them.
    pub(crate) fn start_in_place_of(&self, dir: &Path) -> Self {
        let source = site_and(dir, &["--wait", "600"].map(OsStr::new));
        let ports = [self.http, self.tftp, self.dhcp];
        Self::launch(Command::new(PROGRAM), dir, &source, ports)
    }

    /// Starts a server for the matchbox data in `dir`, without DHCP.
    pub(crate) fn start_matchbox(dir: &Path) -> Self {
        Self::start_matchbox_in(dir, &[])
    }

    /// The same in an environment with these variables.
    pub(crate) fn start_matchbox_in(dir: &Path, environment: &[(&str, &OsStr)]) -> Self {
        let words = ["--dhcp", "off", "--matchbox"].map(OsString::from);
        let source = [&words[..], &[dir.join("data").into()]].concat();
        let mut program = Command::new(PROGRAM);
        program.envs(environment.iter().copied());
        Self::launch(program, dir, &source, [0, 0, free_dhcp_port()])
    }

    /// On these ports for HTTP, TFTP and DHCP; of the first two, 0 takes any.
    fn launch(mut program: Command, dir: &Path, source: &[OsString], ports: [u16; 3]) -> Self {
        let [http, tftp, dhcp] = ports.map(|port| port.to_string());
        let mut child = program
            .args(["serve", "--interface", "lo", "--http-port", &http])
            .args(["--tftp-port", &tftp, "--dhcp-port", &dhcp])
            .args(source)
            .arg("--state")
            .arg(dir.join("state"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::<Mutex<String>>::default();
        let keep = {
            let log = log.clone();
            move |line: &str| *log.lock().unwrap() += &format!("{line}\n")
        };
        let ready = lines
            .by_ref()
            .map(Result::unwrap)
            .inspect(|line| keep(line))
            .find(|line| line.contains("ready: "))
            .expect("the server is ready");
        // The pipe is read on, so that the server never waits for its log.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| keep(&line)));
        let number = |word: &str| {
            let mut parts = ready.split([' ', ',']).skip_while(|part| *part != word);
            Some(parts.nth(1)?.parse().unwrap())
        };
        let client = Client::builder()
            .timeout(Duration::from_secs(20))
            .build()
            .unwrap();
        Self {
            child,
            http: number("http").unwrap(),
            https: number("https"),
            api: number("api"),
            tftp: number("tftp").unwrap(),
            log,
            dhcp: ports[2],
            client,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.http)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path))
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.client.get(self.url(path)).send().unwrap()
    }

    pub(crate) fn json(&self, path: &str) -> Value {
        serde_json::from_slice(&self.get(path).bytes().unwrap()).unwrap()
    }

    pub(crate) fn head(&self, path: &str) -> Response {
        self.client.head(self.url(path)).send().unwrap()
    }

    pub(crate) fn get_if_none_match(&self, path: &str, tag: &str) -> Response {
        self.get_with(path, &[("If-None-Match", tag)])
    }

    pub(crate) fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        let request = self.client.get(self.url(path));
        let with =
            |request: RequestBuilder, (name, value): &(&str, &str)| request.header(*name, *value);
        headers.iter().fold(request, with).send().unwrap()
    }

    pub(crate) fn range(&self, path: &str, range: &str) -> Response {
        self.get_with(path, &[("Range", range)])
    }

    /// Memory that the server has, KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = format!("/proc/{}/status", self.pid());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.unwrap().split_whitespace().next().unwrap();
        number.parse().unwrap()
    }

    pub(crate) fn post(&self, path: &str, body: impl Into<reqwest::blocking::Body>) -> u16 {
        self.client
            .post(self.url(path))
            .body(body)
            .send()
            .unwrap()
            .status()
            .as_u16()
    }

    /// The script for the site's machine.
    pub(crate) fn script(&self) -> String {
        self.get("ipxe?mac=52-54-00-12-34-56&uuid=&serial=S%201&arch=x86_64&platform=efi")
            .text()
            .unwrap()
    }

    /// Posts a report of the site's machine; gives the status.
    pub(crate) fn report(&self, ticket: &str, event: Event, uptime_ms: u64) -> u16 {
        let body = serde_json::to_vec(&Report::new(event, uptime_ms)).unwrap();
        self.post(
            &format!("machines/52-54-00-12-34-56/report?ticket={ticket}"),
            body,
        )
    }

    /// The site's machine as the API shows it; null while it was never seen.
    pub(crate) fn machine(&self) -> Value {
        let answer = self.get(&format!("api/v1/machines/{MAC}"));
        match answer.status().as_u16() {
            404 => Value::Null,
            _ => serde_json::from_slice(&answer.bytes().unwrap()).unwrap(),
        }
    }

    pub(crate) fn state(&self) -> String {
        self.machine()["state"].as_str().unwrap().to_owned()
    }

    /// The names of the machine's events.
    pub(crate) fn events(&self) -> Vec<String> {
        let machine = self.machine();
        let timeline = machine["timeline"].as_array().into_iter().flatten();
        timeline
            .map(|entry| entry["event"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Asks until `done`; what is noted asynchronously appears within moments.
    pub(crate) fn wait_for(&self, what: &str, done: impl Fn(&Self) -> bool) {
        let give_up = Instant::now() + Duration::from_secs(120);
        while !done(self) {
            assert!(
                Instant::now() < give_up,
                "waiting for {what}: {}",
                self.machine()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// SIGKILL: no chance to write anything.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, which it has heard when its log says so.
    pub(crate) fn ask_to_stop(&self) {
        self.signal("-TERM");
        self.wait_for_log("ports and state are free");
    }

    /// Waits until its log says this.
    pub(crate) fn wait_for_log(&self, text: &str) {
        let give_up = Instant::now() + Duration::from_secs(120);
        while !self.log().contains(text) {
            assert!(
                Instant::now() < give_up,
                "waiting for {text}: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Its exit code, once it has ended.
    pub(crate) fn end(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([name, &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// SIGHUP: read the site again.
    pub(crate) fn hang_up(&self) {
        self.signal("-HUP");
    }

    /// SIGTERM, and the exit code.
    pub(crate) fn terminate(self) -> Option<i32> {
        self.signal("-TERM");
        self.end()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The ticket that an install script carries.
pub(crate) fn ticket_in(script: &str) -> String {
    let (_, rest) = script
        .split_once("report?ticket=")
        .expect("an install script");
    rest.chars().take_while(char::is_ascii_hexdigit).collect()
}
