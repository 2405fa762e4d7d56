//! Live images made by xorriso, edited and read again. The image is made by another program so
//! that the reader is not tested against its own idea of the format.

use std::io::Cursor;
use std::path::Path;
use std::process::Command;

use super::super::{apply_in_place, copy_with};
use super::*;

const KARGS_SIZE: usize = 200;

fn write(root: &Path, path: &str, content: impl AsRef<[u8]>) {
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

/// `None`, said loudly, where xorriso is not installed.
fn image(test: &str, edit: impl FnOnce(&Path)) -> Option<Vec<u8>> {
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

fn config(text: &str) -> Archive {
    let mut archive = Archive::default();
    archive.insert("config.ign", text).unwrap();
    archive
}

#[test]
fn embedding_and_removing_gives_the_pristine_bytes_back() {
    let Some(pristine) = image(
        "embedding_and_removing_gives_the_pristine_bytes_back",
        |_| (),
    ) else {
        return;
    };
    let mut live = LiveIso::open(Cursor::new(pristine.clone())).unwrap();
    assert_eq!(
        live.features(),
        Features {
            installer_config: true,
            live_initrd_network: false
        }
    );
    assert!(live.embedded().unwrap().is_empty());

    let mut edited = Vec::new();
    let region = live.embed(&config("{}")).unwrap();
    copy_with(
        pristine.as_slice(),
        &mut edited,
        std::slice::from_ref(&region),
    )
    .unwrap();
    let mut in_place = pristine.clone();
    apply_in_place(Cursor::new(&mut in_place), &[region]).unwrap();
    assert_eq!(edited, in_place);
    assert_eq!(edited.len(), pristine.len());

    let mut live = LiveIso::open(Cursor::new(edited.clone())).unwrap();
    assert_eq!(live.embedded().unwrap(), config("{}"));
    let region = live.embed(&Archive::default()).unwrap();
    apply_in_place(Cursor::new(&mut edited), &[region]).unwrap();
    assert_eq!(edited, pristine);
}

#[test]
fn kargs_change_in_every_area_and_reset() {
    let Some(pristine) = image("kargs_change_in_every_area_and_reset", |_| ()) else {
        return;
    };
    let live = LiveIso::open(Cursor::new(pristine.clone())).unwrap();
    assert_eq!(live.kargs().unwrap().to_string(), "quiet console=ttyS0");
    let regions = live.set_kargs(&Kargs::parse("a b")).unwrap();
    assert_eq!(regions.len(), 2);
    let mut edited = pristine.clone();
    apply_in_place(Cursor::new(&mut edited), &regions).unwrap();
    let live = LiveIso::open(Cursor::new(edited.clone())).unwrap();
    assert_eq!(live.kargs().unwrap().to_string(), "a b");
    let regions = live.set_kargs(&live.default_kargs().unwrap()).unwrap();
    apply_in_place(Cursor::new(&mut edited), &regions).unwrap();
    assert_eq!(edited, pristine);

    let long = Kargs::parse(&"x".repeat(KARGS_SIZE));
    let error = live.set_kargs(&long).unwrap_err();
    assert!(
        matches!(
            error,
            IsoError::KargsTooLarge {
                size: 200,
                area: 199
            }
        ),
        "{error:?}"
    );
}

#[test]
fn content_larger_than_the_area_is_refused() {
    let Some(pristine) = image("content_larger_than_the_area_is_refused", |_| ()) else {
        return;
    };
    let live = LiveIso::open(Cursor::new(pristine)).unwrap();
    let mut state = 1u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(100_000)
    .collect();
    let mut archive = Archive::default();
    archive.insert("config.ign", noise).unwrap();
    let error = live.embed(&archive).unwrap_err();
    assert!(
        matches!(error, IsoError::TooLarge { area: 65_536, .. }),
        "{error:?}"
    );
}

#[test]
fn hostile_area_descriptions_are_refused() {
    let test = "hostile_area_descriptions_are_refused";
    for (path, content, want) in [
        (
            "coreos/igninfo.json",
            r#"{"file":"images/ignition.img","offset":99999999}"#,
            "starts after its file",
        ),
        (
            "coreos/igninfo.json",
            r#"{"file":"images/ignition.img","offset":1,"length":18446744073709551615}"#,
            "ends after its file",
        ),
        (
            "coreos/kargs.json",
            r#"{"default":"","size":0,"files":[]}"#,
            "bad size",
        ),
        (
            "coreos/kargs.json",
            r#"{"default":"","size":2049,"files":[]}"#,
            "bad size",
        ),
        (
            "coreos/kargs.json",
            r#"{"default":"","size":9,"files":[]}"#,
            "no place is named",
        ),
        (
            "coreos/kargs.json",
            r#"{"default":"","size":9,"files":[{"path":"x"}]}"#,
            "its file is missing",
        ),
        (
            "coreos/kargs.json",
            r#"{"default":"","size":3,"files":[{"path":"boot/grub/grub.cfg"}]}"#,
            "text has no end",
        ),
    ] {
        let Some(image) = image(test, |root| write(root, path, content)) else {
            return;
        };
        let error = LiveIso::open(Cursor::new(image)).unwrap_err();
        assert!(
            matches!(&error, IsoError::Area { why, .. } if *why == want),
            "{content}: {error:?}"
        );
    }
}

#[test]
fn what_is_no_live_image_is_refused() {
    let test = "what_is_no_live_image_is_refused";
    let remove = |root: &Path| {
        std::fs::remove_file(root.join("images/ignition.img")).unwrap();
    };
    let Some(other) = image(test, remove) else {
        return;
    };
    assert!(matches!(
        LiveIso::open(Cursor::new(other.clone())),
        Err(IsoError::NotLive(_))
    ));
    let half = &other[..other.len() / 2];
    assert!(matches!(
        LiveIso::open(Cursor::new(half)),
        Err(IsoError::Incomplete { .. })
    ));
    assert!(matches!(
        LiveIso::open(Cursor::new([0; 99_999])),
        Err(IsoError::Format("no volume descriptor"))
    ));
    assert!(matches!(
        LiveIso::open(Cursor::new([])),
        Err(IsoError::Format(_))
    ));
}
