//! The servers, each a process of its own, and the CPU time that they take.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::unistd::{SysconfVar, sysconf};
use tests::programs::program;

use super::data::Data;

/// A running server; it ends with this value.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) fn nginx_is_there() -> bool {
        let asked = Command::new("nginx")
            .arg("-v")
            .stderr(Stdio::null())
            .status();
        asked.is_ok_and(|status| status.success())
    }

    /// nginx as its administrators set it up for files: sendfile, a worker for each core.
    pub(crate) fn nginx(scratch: &Path, data: &Data) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let scratch_text = scratch.display();
        let config = format!(
            "daemon off;\npid {scratch_text}/nginx.pid;\nerror_log {scratch_text}/nginx.log;\nuser root;\n\
             worker_processes auto;\nevents {{ worker_connections 4096; }}\n\
             http {{\n  access_log off;\n  sendfile on;\n  tcp_nopush on;\n  keepalive_requests 100000000;\n\
             server {{ listen {address}; root {}; }}\n}}\n",
            data.assets().display()
        );
        let path = scratch.join("nginx.conf");
        fs::write(&path, config)?;
        let child = Command::new("nginx")
            .arg("-c")
            .arg(&path)
            .spawn()
            .context("starting nginx")?;
        let server = Self { child, address };
        let give_up = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(address).is_err() {
            ensure!(Instant::now() < give_up, "nginx does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    /// Ours with the site.
    pub(crate) fn site(data: &Data) -> Result<Self> {
        Self::ours("--site", &data.site_dir(), &data.state()?)
    }

    /// Ours with the files as a matchbox directory's assets.
    pub(crate) fn assets(data: &Data) -> Result<Self> {
        Self::ours("--matchbox", &data.book(), &data.state()?)
    }

    fn ours(source: &str, directory: &Path, state: &Path) -> Result<Self> {
        let mut child = Command::new(program("pxe-server")?)
            .args([
                "serve",
                "--dhcp",
                "off",
                "--interface",
                "lo",
                "--machine-rate",
                "0",
            ])
            .args(["--http-port", "0", "--tftp-port", "0", source])
            .arg(directory)
            .arg("--state")
            .arg(state)
            .stderr(Stdio::piped())
            .spawn()
            .context("starting pxe-server")?;
        let log = child.stderr.take().context("the server has no log")?;
        let mut lines = BufReader::new(log).lines();
        let mut said = lines.by_ref().map_while(Result::ok);
        let ready = said.find(|line| line.contains("ready: "));
        let ready = ready.context("pxe-server did not start")?;
        std::thread::spawn(move || lines.for_each(drop));
        let port = ready
            .split([' ', ','])
            .skip_while(|word| *word != "http")
            .nth(1);
        let port: u16 = port.context("no port in the log")?.parse()?;
        Ok(Self {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
        })
    }

    /// CPU time that its processes have taken so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let own = self.child.id();
        let children = fs::read_to_string(format!("/proc/{own}/task/{own}/children"))?;
        let mut ticks = 0;
        for id in [own.to_string().as_str()]
            .into_iter()
            .chain(children.split_whitespace())
        {
            let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
            // After the name, which is in brackets: user time is the 12th field, system time next.
            let fields = stat
                .rsplit(')')
                .next()
                .unwrap_or_default()
                .split_whitespace();
            for field in fields.skip(11).take(2) {
                ticks += field.parse::<u64>()?;
            }
        }
        let second = sysconf(SysconfVar::CLK_TCK)?.context("no clock")?;
        Ok(Duration::from_secs_f64(ticks as f64 / second as f64))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // nginx's workers go with it on SIGTERM only.
        let pid = self.child.id().to_string();
        drop(Command::new("kill").args(["-TERM", &pid]).status());
        drop(self.child.wait());
    }
}
