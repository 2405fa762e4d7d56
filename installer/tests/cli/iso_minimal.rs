//! `pack minimal-iso` and `iso extract minimal-iso`.

use std::fs;
use std::path::Path;

use crate::command::run;
use crate::live_iso::{Iso, KARGS_SIZE, write};

const KARGS: &str = "quiet coreos.liveiso=test-live";
const URL: &str = "https://example.com/rootfs.img";

fn with_medium(tree: &Path) {
    let mut area = format!("{KARGS}\n").into_bytes();
    area.resize(KARGS_SIZE, b'#');
    write(
        tree,
        "boot/grub/grub.cfg",
        [b"linux ".as_slice(), &area, b"\n"].concat(),
    );
    let json = format!(
        r#"{{"default": "{KARGS}", "size": 200, "files": [{{"path": "boot/grub/grub.cfg", "offset": 6}}]}}"#
    );
    // The JSON is written again with new lines, which must fit.
    write(tree, "coreos/kargs.json", format!("{json:400}"));
    write(tree, "images/pxeboot/vmlinuz", vec![3; 10_000]);
}

/// A full image that describes a minimal one, and the bytes of that.
fn packed(test: &str) -> Option<(Iso, Vec<u8>)> {
    let full = Iso::edited(test, |tree| {
        with_medium(tree);
        write(tree, "images/pxeboot/rootfs.img", vec![7; 100_000]);
        write(tree, "coreos/miniso.dat", vec![0; 16 * 1024]);
    })?;
    let minimal = Iso::edited(test, with_medium)?;
    let ran = run(&["pack", "minimal-iso", full.arg(), minimal.arg()], b"");
    assert_eq!(ran.status, 0, "{}", ran.err);
    assert!(ran.err.contains("files of"), "{}", ran.err);
    assert!(minimal.path.exists());
    assert_ne!(full.bytes(), full.pristine);
    Some((full, minimal.pristine))
}

fn kargs(image: &Path, args: &[&str]) -> String {
    let args = [&["iso", "kargs", "show", image.to_str().unwrap()], args].concat();
    String::from_utf8(run(&args, b"").quiet()).unwrap()
}

#[test]
fn a_minimal_image_comes_out_to_a_file_and_to_a_pipe() {
    let test = "a_minimal_image_comes_out_to_a_file_and_to_a_pipe";
    let Some((full, minimal)) = packed(test) else {
        return;
    };
    let (out, rootfs) = (full.at("out.iso"), full.at("rootfs.img"));
    let paths = (out.to_str().unwrap(), rootfs.to_str().unwrap());
    let extract = ["iso", "extract", "minimal-iso"];
    let options = [
        "--rootfs-url",
        URL,
        "--output-rootfs",
        paths.1,
        full.arg(),
        paths.0,
    ];
    run(&[&extract[..], &options].concat(), b"").quiet();
    assert_eq!(fs::read(&rootfs).unwrap(), vec![7; 100_000]);
    assert_eq!(
        kargs(&out, &[]),
        format!("quiet coreos.live.rootfs_url={URL}\n")
    );
    assert_eq!(kargs(&out, &["-d"]), "quiet\n");
    let piped = run(
        &[&extract[..], &["--rootfs-url", URL, full.arg()]].concat(),
        b"",
    )
    .quiet();
    assert!(piped == fs::read(&out).unwrap());

    // All that is not kernel arguments is as it was packed.
    let plain = run(&[&extract[..], &[full.arg()]].concat(), b"").quiet();
    assert_eq!(plain.len(), minimal.len());
    let differing = plain.iter().zip(&minimal).filter(|(a, b)| a != b).count();
    assert!(differing > 0 && differing < KARGS_SIZE + 400, "{differing}");
}

#[test]
fn an_image_that_is_not_as_it_was_packed_is_refused() {
    let test = "an_image_that_is_not_as_it_was_packed_is_refused";
    let Some((full, _)) = packed(test) else {
        return;
    };
    let out = full.at("out.iso");
    let extract = [
        "iso",
        "extract",
        "minimal-iso",
        full.arg(),
        out.to_str().unwrap(),
    ];
    run(&["iso", "kargs", "modify", "-a", "nosmt", full.arg()], b"").quiet();
    run(&extract, b"").fails(
        1,
        &format!(
            "error: Cannot operate on ISO with embedded customizations: {}\n\
             hint:  `coreos-installer iso reset` makes it pristine; with `-o` in a new file\n",
            full.arg()
        ),
    );
    run(&["iso", "reset", full.arg()], b"").quiet();
    let mut bytes = full.bytes();
    let at = bytes
        .windows(9)
        .position(|window| window == [3; 9])
        .unwrap();
    bytes[at] = 4;
    fs::write(&full.path, bytes).unwrap();
    let ran = run(&extract, b"");
    assert_eq!(ran.status, 1);
    assert!(ran.err.contains("wrong final digest"), "{}", ran.err);
    assert!(!out.exists());
    let ran = run(&["iso", "extract", "minimal-iso", full.arg()], b"");
    assert_eq!((ran.status, ran.out.len()), (1, 0));
}

#[test]
fn outputs_that_exist_urls_with_spaces_and_other_images_are_refused() {
    let test = "outputs_that_exist_urls_with_spaces_and_other_images_are_refused";
    let Some((full, _)) = packed(test) else {
        return;
    };
    let taken = full.file("taken", b"precious");
    let ran = run(&["iso", "extract", "minimal-iso", full.arg(), &taken], b"");
    assert!(ran.err.contains("File exists"), "{}", ran.err);
    let out = full.at("out.iso");
    let args = ["--output-rootfs", &taken, full.arg(), out.to_str().unwrap()];
    let ran = run(
        &[&["iso", "extract", "minimal-iso"][..], &args].concat(),
        b"",
    );
    assert!(ran.err.contains("File exists"), "{}", ran.err);
    assert!(!out.exists());
    assert_eq!(fs::read(&taken).unwrap(), b"precious");
    run(
        &[
            "iso",
            "extract",
            "minimal-iso",
            "--rootfs-url",
            "a b",
            full.arg(),
        ],
        b"",
    )
    .fails(
        1,
        "error: rootfs URL `a b` contains white space\nhint:  write white space as %20\n",
    );
    let Some(other) = Iso::new(test) else { return };
    run(&["iso", "extract", "minimal-iso", other.arg()], b"").fails(
        1,
        &format!(
            "error: {} does not support extracting a minimal ISO\n\
             hint:  take an image whose build packed one\n",
            other.arg()
        ),
    );
}

#[test]
fn packing_deletes_the_minimal_image_only_when_it_is_packed() {
    let test = "packing_deletes_the_minimal_image_only_when_it_is_packed";
    let Some(full) = Iso::edited(test, with_medium) else {
        return;
    };
    let Some(minimal) = Iso::edited(test, with_medium) else {
        return;
    };
    let args = [
        "pack",
        "minimal-iso",
        "--consume",
        full.arg(),
        minimal.arg(),
    ];
    let ran = run(&args, b"");
    assert_eq!(ran.status, 1);
    assert!(
        ran.err
            .contains("ISO image has no file `coreos/miniso.dat`"),
        "{}",
        ran.err
    );
    assert_eq!(
        (full.bytes(), minimal.bytes()),
        (full.pristine.clone(), minimal.pristine.clone())
    );
    let edit = |tree: &Path| {
        with_medium(tree);
        write(tree, "coreos/miniso.dat", vec![0; 16 * 1024]);
    };
    let Some(full) = Iso::edited(test, edit) else {
        return;
    };
    let args = [
        "pack",
        "minimal-iso",
        "--consume",
        full.arg(),
        minimal.arg(),
    ];
    assert_eq!(run(&args, b"").status, 0);
    assert!(!minimal.path.exists());
}
