//! Live ISO images to edit, made by xorriso.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A live image in a directory of its own.
pub(crate) struct Iso {
    dir: tempfile::TempDir,
    pub(crate) path: PathBuf,
    pub(crate) pristine: Vec<u8>,
}

impl Iso {
    /// A pristine image; `None` where xorriso is not installed.
    pub(crate) fn new(test: &str) -> Option<Self> {
        Self::edited(test, |_| ())
    }

    /// An image whose tree `edit` changed before it was made.
    pub(crate) fn edited(test: &str, edit: impl FnOnce(&Path)) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let path = live_iso(test, dir.path(), edit)?;
        let pristine = fs::read(&path).unwrap();
        Some(Self {
            dir,
            path,
            pristine,
        })
    }

    /// A path beside the image.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file beside the image.
    pub(crate) fn file(&self, name: &str, content: &[u8]) -> String {
        fs::write(self.at(name), content).unwrap();
        self.at(name).to_str().unwrap().to_owned()
    }

    /// The image's directory.
    pub(crate) fn dir(&self) -> &str {
        self.dir.path().to_str().unwrap()
    }

    /// The image as an argument.
    pub(crate) fn arg(&self) -> &str {
        self.path.to_str().unwrap()
    }

    /// The image as it is now.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        fs::read(&self.path).unwrap()
    }

    /// Names in the image's directory.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

/// Bytes of a kernel argument area of the images.
pub(crate) const KARGS_SIZE: usize = 200;

/// Bytes of the embed area of the images.
pub(crate) const AREA_SIZE: usize = 64 * 1024;

/// Writes a file of a tree.
pub(crate) fn write(root: &Path, path: &str, content: impl AsRef<[u8]>) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Makes `live.iso` in `dir` after `edit` changed its tree. `None`, said loudly, where xorriso is
/// not installed.
fn live_iso(test: &str, dir: &Path, edit: impl FnOnce(&Path)) -> Option<PathBuf> {
    let tree = dir.join("tree");
    let mut area = b"quiet console=ttyS0\n".to_vec();
    area.resize(KARGS_SIZE, b'#');
    write(
        &tree,
        "boot/grub/grub.cfg",
        [b"linux ".as_slice(), &area, b"\n"].concat(),
    );
    write(&tree, "images/ignition.img", vec![0; AREA_SIZE]);
    write(
        &tree,
        "coreos/igninfo.json",
        r#"{"file": "images/ignition.img"}"#,
    );
    write(
        &tree,
        "coreos/features.json",
        r#"{"installer-config": true, "live-initrd-network": true}"#,
    );
    write(
        &tree,
        "coreos/kargs.json",
        r#"{"default": "quiet console=ttyS0", "size": 200,
            "files": [{"path": "boot/grub/grub.cfg", "offset": 6}]}"#,
    );
    edit(&tree);
    let iso = dir.join("live.iso");
    let made = Command::new("xorriso")
        .args(["-as", "mkisofs", "-quiet", "-V", "test-live", "-r", "-o"])
        .args([&iso, &tree])
        .output();
    match made {
        Ok(output) => assert!(output.status.success(), "{output:?}"),
        Err(_) => {
            eprintln!("SKIP: {test}: xorriso is not installed");
            return None;
        }
    }
    fs::remove_dir_all(tree).unwrap();
    Some(iso)
}
