//! A small site with media, for unit tests and (included by path) for `tests/serve`.

use std::path::Path;

use embed::digest::Sha256Digest;
use embed::manifest::{Artifact, FORMAT, Manifest};
use embed::medium::LiveImage;

/// The one machine of the site.
pub(crate) const MAC: &str = "52:54:00:12:34:56";

/// A directory with `site/`, `media/` and `ipxe/`.
pub(crate) fn site_dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write_site(dir.path());
    dir
}

fn write_site(dir: &Path) {
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    let artifact = |file: &str, bytes: &[u8]| {
        write(&format!("media/{file}"), bytes);
        Artifact {
            file: file.into(),
            size: bytes.len() as u64,
            sha256: Sha256Digest::of(bytes),
        }
    };
    let manifest = Manifest {
        format: FORMAT,
        source: LiveImage {
            name: "os".into(),
            version: "1".into(),
            architecture: "x86_64".into(),
            sector_size: 512,
            size: 1,
            sha256: Sha256Digest::of(b"x"),
        },
        kargs: vec![],
        kernel: artifact("vmlinuz", b"kernel"),
        initramfs: artifact("initrd.img", b"initramfs"),
        rootfs: artifact("rootfs.img", &[7; 100_000]),
        iso: None,
        image: None,
    };
    write("media/manifest.json", manifest.to_json().as_bytes());
    write("ipxe/undionly.kpxe", &[1; 3000]);
    write("ipxe/snponly.efi", &[2; 5000]);
    write("site/site.yaml", b"media: ../media\nipxe: {dir: ../ipxe}\n");
    write("site/profiles/worker.yaml", b"name: worker\ninstall: {device: /dev/vda}\nkargs: [console=ttyS0]\nignition: worker.ign\n");
    write(
        "site/groups/rack.yaml",
        format!("profile: worker\nselector: {{mac: ['{MAC}']}}\n").as_bytes(),
    );
    write(
        "site/configs/worker.ign",
        br#"{"ignition":{"version":"3.4.0"}}"#,
    );
}
