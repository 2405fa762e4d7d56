//! The rows of the table: which source, and who installs it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use tests::contender::Make;

use super::image::Image;
use super::server::Server;
use super::signer::Signer;

/// Gives upstream's program the udev that it insists on, where there is none.
const WITH_UDEV: &str = r#"
if [ ! -e /run/udev/control ]; then
    mount -t tmpfs none /run
    mkdir -p /run/udev /run/bin
    : >/run/udev/control
    printf '#!/bin/sh\nexit 0\n' >/run/bin/udevadm
    chmod +x /run/bin/udevadm
    PATH=/run/bin:$PATH
fi
exec "$@"
"#;

/// One source and who installs it; the first contender is ours.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) contenders: Vec<(&'static str, Make)>,
}

/// Everything that rows need.
pub(crate) struct Bench {
    directory: PathBuf,
    disk: PathBuf,
    ours: PathBuf,
    peer: PathBuf,
    server: Server,
    signer: Signer,
}

impl Bench {
    pub(crate) fn new(image: &Image, disk: &Path, scratch: &Path) -> Result<Self> {
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(target) => target.into(),
            None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
        };
        let (ours, peer) = (
            target.join("release/coreos-installer"),
            target.join("bench-peer/bin/coreos-installer"),
        );
        for program in [&ours, &peer] {
            let name = program.display();
            ensure!(program.exists(), "{name} is not built; run tests/bench.sh");
        }
        let signer = Signer::new(scratch)?;
        image.pack(&ours, &signer)?;
        signer.sign(&image.file("signed.zst"))?;
        Ok(Self {
            directory: image.directory().to_owned(),
            disk: disk.to_owned(),
            ours,
            peer,
            server: Server::start(image.directory())?,
            signer,
        })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub(crate) fn rows(&self) -> Vec<Row> {
        vec![
            self.local("raw", "image.raw", "dd bs=4M if={image} iflag=fullblock"),
            self.local("zst", "image.zst", "zstd -dcq {image}"),
            self.packed(),
            self.local("gz", "image.gz", "pigz -dc {image}"),
            self.local("xz", "image.blocks.xz", "xz -T2 -dc {image}"),
            self.local("xz-one", "image.one.xz", "xz -dc {image}"),
            self.signed("zst-signed", "image.signed.zst", "image.zst"),
            self.http("http-raw", "image.raw"),
            self.http("http-zst", "image.zst"),
            self.http("http-xz", "image.blocks.xz"),
            self.http_packed(),
        ]
    }

    /// A local file, against upstream, a pipeline of the field's own tools, and decoding alone.
    fn local(&self, name: &'static str, file: &str, decode: &str) -> Row {
        let image = self.file(file);
        let contenders = vec![
            ("", self.ours(&["--insecure", "--image-file"], &image)),
            ("coreos-installer 0.27.0", self.peer("--image-file", &image)),
            (
                "piped to dd oflag=direct",
                self.shell(
                    &format!(
                        "{decode} | dd of={{disk}} bs=4M iflag=fullblock oflag=direct conv=fsync"
                    ),
                    &image,
                ),
            ),
            (
                "decoding alone",
                self.shell(&format!("{decode} >/dev/null"), &image),
            ),
        ];
        Row { name, contenders }
    }

    /// Many frames and a signed manifest, against upstream with the same image in one frame.
    fn packed(&self) -> Row {
        let packed = self.file("packed/image.raw.zst");
        let contenders = vec![
            ("", self.signed_ours(&packed)),
            (
                "coreos-installer, one frame",
                self.peer("--image-file", &self.file("image.zst")),
            ),
        ];
        let name = "zst-packed";
        Row { name, contenders }
    }

    /// A signature over everything, against the same without: upstream believes its built-in keys
    /// only.
    fn signed(&self, name: &'static str, file: &str, unsigned: &str) -> Row {
        let image = self.file(file);
        let contenders = vec![
            ("", self.signed_ours(&image)),
            (
                "ours, unsigned",
                self.ours(&["--insecure", "--image-file"], &self.file(unsigned)),
            ),
            ("gpg --verify alone", self.signer.verify(&image)),
        ];
        Row { name, contenders }
    }

    /// Over HTTP, against upstream and against our own install of the local file.
    fn http(&self, name: &'static str, file: &str) -> Row {
        let (url, path) = (self.server.url(file), self.file(file));
        let contenders = vec![
            ("", self.ours(&["--insecure", "--image-url"], url.as_ref())),
            (
                "ours, local",
                self.ours(&["--insecure", "--image-file"], &path),
            ),
            (
                "coreos-installer 0.27.0",
                self.peer("--image-url", url.as_ref()),
            ),
        ];
        Row { name, contenders }
    }

    /// Many frames and a signed manifest over HTTP.
    fn http_packed(&self) -> Row {
        let packed = "packed/image.raw.zst";
        let key = self.signer.key().to_string_lossy().into_owned();
        let options = ["--keyring", &key, "--image-url"];
        let contenders = vec![
            ("", self.ours(&options, self.server.url(packed).as_ref())),
            ("ours, local", self.signed_ours(&self.file(packed))),
            (
                "coreos-installer, one frame",
                self.peer("--image-url", self.server.url("image.zst").as_ref()),
            ),
        ];
        let name = "http-packed";
        Row { name, contenders }
    }

    fn ours(&self, options: &[&str], image: &Path) -> Make {
        let mut args: Vec<OsString> = ["install", "--progress", "none"].map(Into::into).into();
        args.extend(options.iter().map(Into::into));
        args.extend([image.into(), self.disk.clone().into()]);
        let program = self.ours.clone();
        Box::new(move || {
            let mut command = Command::new(&program);
            command.args(&args);
            command
        })
    }

    fn signed_ours(&self, image: &Path) -> Make {
        let key = self.signer.key().to_string_lossy().into_owned();
        self.ours(&["--keyring", &key, "--image-file"], image)
    }

    fn peer(&self, option: &'static str, image: &Path) -> Make {
        let (program, image, disk) = (self.peer.clone(), image.to_owned(), self.disk.clone());
        Box::new(move || {
            let mut command = Command::new("unshare");
            command
                .args(["--mount", "sh", "-c", WITH_UDEV, "sh"])
                .arg(&program)
                .args(["install", "--insecure", option])
                .args([&image, &disk]);
            command
        })
    }

    fn shell(&self, line: &str, image: &Path) -> Make {
        let line = line
            .replace("{image}", &image.to_string_lossy())
            .replace("{disk}", &self.disk.to_string_lossy());
        Box::new(move || {
            let mut command = Command::new("bash");
            command.args(["-o", "pipefail", "-c", &line]);
            command
        })
    }
}
