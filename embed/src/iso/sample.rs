//! Small live images for tests, made by xorriso.

use std::path::Path;
use std::process::Command;

/// Bytes of each kernel argument area.
pub(super) const KARGS_SIZE: usize = 200;

/// Writes a file of a tree.
pub(super) fn write(root: &Path, path: &str, content: impl AsRef<[u8]>) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

fn tree(root: &Path) {
    let mut area = b"quiet console=ttyS0\n".to_vec();
    area.resize(KARGS_SIZE, b'#');
    let config = [b"linux /vmlinuz ".as_slice(), &area, b"\ninitrd /initrd\n"].concat();
    write(root, "boot/grub/grub.cfg", &config);
    write(root, "EFI/debian/grub.cfg", &config);
    write(root, "images/ignition.img", vec![0; 64 * 1024]);
    write(
        root,
        "coreos/igninfo.json",
        r#"{"file":"images/ignition.img"}"#,
    );
    write(
        root,
        "coreos/features.json",
        r#"{"installer-config":true,"unknown":{}}"#,
    );
    let places: Vec<_> = ["boot/grub/grub.cfg", "EFI/debian/grub.cfg"]
        .map(|path| serde_json::json!({"path": path, "offset": 15}))
        .into();
    let json =
        serde_json::json!({"default": "quiet console=ttyS0", "size": KARGS_SIZE, "files": places});
    write(root, "coreos/kargs.json", json.to_string());
}

/// A live image whose tree `edit` changed; `None`, said loudly, where xorriso is not installed.
pub(super) fn image(test: &str, edit: impl FnOnce(&Path)) -> Option<Vec<u8>> {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("tree");
    tree(&root);
    edit(&root);
    let iso = dir.path().join("live.iso");
    let run = Command::new("xorriso")
        .args([
            "-as",
            "mkisofs",
            "-quiet",
            "-V",
            "test-live",
            "-r",
            "-J",
            "-o",
        ])
        .args([&iso, &root])
        .output();
    match run {
        Ok(output) => assert!(output.status.success(), "{output:?}"),
        Err(_) => {
            eprintln!("SKIP: {test}: xorriso is not installed");
            return None;
        }
    }
    Some(std::fs::read(iso).unwrap())
}
