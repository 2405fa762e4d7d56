//! A stream on an HTTP server on loopback: files signed by a key made on the fly, metadata about
//! them, and transfers that break off or stand still where a test says so.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use embed::digest::Sha256Digest;
use serde_json::{Value, json};
use tempfile::TempDir;

/// What a build consists of, by the type and format of stream metadata.
pub(crate) const PARTS: [(&str, &str); 4] = [
    ("pxe", "kernel"),
    ("pxe", "initramfs"),
    ("pxe", "rootfs"),
    ("raw.xz", "disk"),
];

/// What is done to the next answer with this name in its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It ends after so many bytes, once.
    Cut(usize),
    /// Nothing comes after so many bytes, and the connection stays.
    Stall(usize),
}

#[derive(Default)]
struct Shared {
    files: BTreeMap<String, Vec<u8>>,
    faults: BTreeMap<String, Fault>,
    asked: Vec<(String, Option<String>)>,
    /// Connections that stand still.
    standing: Vec<TcpStream>,
}

/// A stream called `stable`, and a key.
pub(crate) struct Publisher {
    home: TempDir,
    server: String,
    shared: Arc<Mutex<Shared>>,
}

impl Publisher {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::set_permissions(home.path(), Permissions::from_mode(0o700)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::<Mutex<Shared>>::default();
        let answering = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = answering.clone();
                std::thread::spawn(move || answer(stream, &shared));
            }
        });
        let publisher = Self {
            home,
            server,
            shared,
        };
        let key = [
            "--quick-gen-key",
            "Stream <s@example.com>",
            "ed25519",
            "sign",
            "never",
        ];
        publisher.gpg(&key);
        fs::write(publisher.key(), publisher.gpg(&["--export"])).unwrap();
        publisher
    }

    fn gpg(&self, words: &[&str]) -> Vec<u8> {
        let mut command = Command::new("gpg");
        command.arg("--homedir").arg(self.home.path());
        command.args([
            "--batch",
            "--quiet",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            "",
        ]);
        let output = command.args(words).output().expect("gpg is there");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        output.stdout
    }

    /// The public key.
    pub(crate) fn key(&self) -> PathBuf {
        self.home.path().join("key.gpg")
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/streams/stable.json", self.server)
    }

    pub(crate) fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        let file = self.home.path().join("signed");
        fs::write(&file, bytes).unwrap();
        self.gpg(&["--output", "-", "--detach-sign", file.to_str().unwrap()])
    }

    /// The content of a part of a build, by the last word of its file's name.
    pub(crate) fn content(release: &str, part: &str) -> Vec<u8> {
        let line = format!("{part} of {release}\n");
        let bytes = line.repeat(if part == "rootfs" { 30_000 } else { 3_000 });
        match part {
            "disk" => compressed(bytes.as_bytes()),
            _ => bytes.into_bytes(),
        }
    }

    pub(crate) fn name(release: &str, part: &str) -> String {
        format!("os-{release}-{part}")
    }

    /// Makes `release` what the stream publishes.
    pub(crate) fn publish(&self, release: &str) {
        for (_, part) in PARTS {
            let (name, bytes) = (Self::name(release, part), Self::content(release, part));
            self.put(&format!("/builds/{name}.sig"), self.sign(&bytes));
            self.put(&format!("/builds/{name}"), bytes);
        }
        self.describe(&self.metadata(release));
    }

    /// What the stream says of `release`.
    pub(crate) fn metadata(&self, release: &str) -> Value {
        let mut formats = json!({});
        for (format, part) in PARTS {
            let location = format!("{}/builds/{}", self.server, Self::name(release, part));
            let sha256 = Sha256Digest::of(&Self::content(release, part));
            let signature = format!("{location}.sig");
            formats[format][part] = json!({
                "location": location, "signature": signature, "sha256": sha256,
            });
        }
        let metal = json!({"release": release, "formats": formats});
        let architecture = json!({"artifacts": {"metal": metal}});
        json!({"stream": "stable", "architectures": {"x86_64": architecture}})
    }

    pub(crate) fn describe(&self, metadata: &Value) {
        self.put("/streams/stable.json", metadata.to_string().into_bytes());
    }

    pub(crate) fn put(&self, path: &str, bytes: Vec<u8>) {
        self.shared.lock().unwrap().files.insert(path.into(), bytes);
    }

    pub(crate) fn take(&self, path: &str) {
        self.shared.lock().unwrap().files.remove(path);
    }

    pub(crate) fn fault(&self, name: &str, fault: Fault) {
        self.shared
            .lock()
            .unwrap()
            .faults
            .insert(name.into(), fault);
    }

    pub(crate) fn heal(&self, name: &str) {
        self.shared.lock().unwrap().faults.remove(name);
    }

    /// Whether an answer stands still.
    pub(crate) fn stands(&self) -> bool {
        !self.shared.lock().unwrap().standing.is_empty()
    }

    /// What was asked for since the last time, with the ranges.
    pub(crate) fn asked(&self) -> Vec<(String, Option<String>)> {
        std::mem::take(&mut self.shared.lock().unwrap().asked)
    }

    /// The command that mirrors this stream into `dir`.
    pub(crate) fn mirror(&self, dir: &Path) -> Command {
        let mut command = mirror(dir, &self.key());
        command.args(["--url", &self.url()]);
        command
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        let mut command = Command::new("gpgconf");
        command.arg("--homedir").arg(self.home.path());
        let _ = command.args(["--kill", "all"]).status();
    }
}

/// The command that fills the mirror in `dir`, believing `key`.
pub(crate) fn mirror(dir: &Path, key: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pxe-server"));
    command
        .args(["mirror", "--progress", "none", "--into"])
        .arg(dir);
    command.arg("--keyring").arg(key);
    command
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("image");
    fs::write(&file, bytes).unwrap();
    let output = Command::new("xz").args(["-0", "-c"]).arg(file).output();
    let output = output.expect("xz is there");
    assert!(output.status.success());
    output.stdout
}

/// Answers one request of a connection.
fn answer(mut stream: TcpStream, shared: &Mutex<Shared>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let mut lines = lines.by_ref().map_while(Result::ok);
    let request = lines.next().unwrap_or_default();
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let range = head.iter().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("range").then(|| value.to_owned())
    });
    let (body, fault) = {
        let mut shared = shared.lock().unwrap();
        shared.asked.push((path.clone(), range.clone()));
        let fault = shared.faults.iter().find(|(name, _)| path.ends_with(*name));
        let fault = fault.map(|(name, fault)| (name.clone(), *fault));
        if let Some((name, Fault::Cut(_))) = &fault {
            shared.faults.remove(name);
        }
        (
            shared.files.get(&path).cloned(),
            fault.map(|(_, fault)| fault),
        )
    };
    let Some(body) = body else {
        let _ =
            stream.write_all(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        return;
    };
    let from = range.and_then(|range| {
        range
            .strip_prefix("bytes=")?
            .strip_suffix('-')?
            .parse()
            .ok()
    });
    let from: usize = from.unwrap_or(0);
    let (size, rest) = (body.len(), &body[from.min(body.len())..]);
    let status = match from {
        0 => "200 OK".to_owned(),
        from => format!(
            "206 Part\r\nContent-Range: bytes {from}-{}/{size}",
            size - 1
        ),
    };
    let tag = Sha256Digest::of(&body);
    let length = rest.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nETag: \"{tag}\"\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    let sent = match fault {
        Some(Fault::Cut(bytes) | Fault::Stall(bytes)) => &rest[..bytes.min(length)],
        None => rest,
    };
    // The client may have left.
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(sent);
    if let Some(Fault::Stall(_)) = fault {
        shared.lock().unwrap().standing.push(stream);
    }
}
