//! `iso ignition …`: edits in place, to a new file and to a pipe; and what is refused leaves every
//! file as it was.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::command::run;
use crate::live_iso::Iso;

const CONFIG: &[u8] = b"{\"ignition\": {\"version\": \"3.3.0\"}}\n";
const OTHER: &[u8] = b"{\"ignition\": {\"version\": \"3.4.0\"}}";

#[test]
fn a_config_is_embedded_shown_replaced_and_removed() {
    let Some(iso) = Iso::new("a_config_is_embedded_shown_replaced_and_removed") else {
        return;
    };
    run(&["iso", "ignition", "embed", iso.arg()], CONFIG).quiet();
    assert_ne!(iso.bytes(), iso.pristine);
    assert_eq!(
        run(&["iso", "ignition", "show", iso.arg()], b"").quiet(),
        CONFIG
    );

    let other = iso.file("other.ign", OTHER);
    run(
        &["iso", "ignition", "embed", "-f", "-i", &other, iso.arg()],
        b"",
    )
    .quiet();
    assert_eq!(
        run(&["iso", "ignition", "show", iso.arg()], b"").quiet(),
        OTHER
    );

    run(&["iso", "ignition", "remove", iso.arg()], b"").quiet();
    assert_eq!(iso.bytes(), iso.pristine);
    run(&["iso", "ignition", "remove", iso.arg()], b"").quiet();
    assert_eq!(iso.bytes(), iso.pristine);
}

#[test]
fn the_same_edit_in_place_to_a_file_and_to_a_pipe_gives_the_same_bytes() {
    let test = "the_same_edit_in_place_to_a_file_and_to_a_pipe_gives_the_same_bytes";
    let Some(iso) = Iso::new(test) else { return };
    fs::set_permissions(&iso.path, PermissionsExt::from_mode(0o640)).unwrap();
    let new = iso.at("new.iso");
    run(
        &[
            "iso",
            "ignition",
            "embed",
            "-o",
            new.to_str().unwrap(),
            iso.arg(),
        ],
        CONFIG,
    )
    .quiet();
    assert_eq!(iso.bytes(), iso.pristine);
    let piped = run(&["iso", "ignition", "embed", "-o", "-", iso.arg()], CONFIG).quiet();
    run(&["iso", "ignition", "embed", iso.arg()], CONFIG).quiet();
    assert_eq!(fs::read(&new).unwrap(), iso.bytes());
    assert!(piped == iso.bytes());
    assert_eq!(
        fs::metadata(&new).unwrap().permissions().mode() & 0o7777,
        0o640
    );
    assert_eq!(iso.names(), ["live.iso", "new.iso"]);
}

#[test]
fn an_embedded_config_is_only_replaced_by_force() {
    let Some(iso) = Iso::new("an_embedded_config_is_only_replaced_by_force") else {
        return;
    };
    run(&["iso", "ignition", "embed", iso.arg()], CONFIG).quiet();
    let before = iso.bytes();
    run(&["iso", "ignition", "embed", iso.arg()], OTHER).fails(
        1,
        &format!(
            "error: {} already has an embedded Ignition config\n\
             hint:  `--force` replaces it; `coreos-installer iso ignition show` prints it\n",
            iso.arg()
        ),
    );
    assert_eq!(iso.bytes(), before);
}

#[test]
fn an_output_file_that_exists_is_left_as_it_is() {
    let Some(iso) = Iso::new("an_output_file_that_exists_is_left_as_it_is") else {
        return;
    };
    let taken = iso.file("taken.iso", b"precious");
    run(
        &["iso", "ignition", "embed", "-o", &taken, iso.arg()],
        CONFIG,
    )
    .fails(
        1,
        &format!(
            "error: writing {taken}\ncause: File exists (os error 17)\n\
             hint:  existing files are never overwritten; choose another name\n"
        ),
    );
    assert_eq!(fs::read(&taken).unwrap(), b"precious");
    assert_eq!(iso.bytes(), iso.pristine);
    assert_eq!(iso.names(), ["live.iso", "taken.iso"]);
}

#[test]
fn an_image_without_a_config_shows_none() {
    let Some(iso) = Iso::new("an_image_without_a_config_shows_none") else {
        return;
    };
    run(&["iso", "ignition", "show", iso.arg()], b"").fails(
        1,
        &format!(
            "error: No embedded Ignition config in {}\n\
             hint:  `iso ignition embed` and `pxe ignition wrap` put a config there\n",
            iso.arg()
        ),
    );
}

#[test]
fn a_config_that_does_not_fit_is_refused() {
    let Some(iso) = Iso::new("a_config_that_does_not_fit_is_refused") else {
        return;
    };
    // Digits of a simple generator: JSON's text, but not compressible below the area.
    let mut state = 1u64;
    let noise: String = (0..200_000)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            char::from(b'0' + u8::try_from((state >> 33) % 10).unwrap())
        })
        .collect();
    let config = format!(r#"{{"ignition": {{"version": "3.3.0"}}, "x": "{noise}"}}"#);
    let ran = run(&["iso", "ignition", "embed", iso.arg()], config.as_bytes());
    assert_eq!(ran.status, 1);
    assert!(
        ran.err
            .contains("is too large for the embed area of 65536 bytes"),
        "{}",
        ran.err
    );
    assert_eq!(iso.bytes(), iso.pristine);
}

#[test]
fn bytes_that_are_no_config_are_embedded_with_a_warning() {
    let Some(iso) = Iso::new("bytes_that_are_no_config_are_embedded_with_a_warning") else {
        return;
    };
    let ran = run(&["iso", "ignition", "embed", iso.arg()], b"{}");
    assert_eq!(ran.status, 0);
    assert_eq!(
        ran.err,
        "error: config has no `ignition.version`\n --> -:1:1\n  |\n1 | {}\n  | ^^ $.ignition\n  |\n  \
         = help: an Ignition config has `\"ignition\": {\"version\": \"3.4.0\"}`\n\n\
         warning: the config is embedded as it is, errors included\n"
    );
    assert_eq!(
        run(&["iso", "ignition", "show", iso.arg()], b"").quiet(),
        b"{}"
    );
}

#[test]
fn files_that_are_no_live_image_are_refused_untouched() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("no.iso");
    for content in [vec![], vec![0; 64 * 1024], b"x".repeat(64 * 1024)] {
        fs::write(&path, &content).unwrap();
        let ran = run(
            &["iso", "ignition", "embed", path.to_str().unwrap()],
            CONFIG,
        );
        assert_eq!(ran.status, 1);
        let want = format!("error: opening ISO image {}\ncause: ", path.display());
        assert!(ran.err.starts_with(&want), "{}", ran.err);
        assert_eq!(fs::read(&path).unwrap(), content);
    }
    let test = "files_that_are_no_live_image_are_refused_untouched";
    let edit = |tree: &Path| {
        fs::remove_dir_all(tree.join("coreos")).unwrap();
        fs::remove_dir_all(tree.join("images")).unwrap();
    };
    let Some(iso) = Iso::edited(test, edit) else {
        return;
    };
    let ran = run(&["iso", "ignition", "embed", iso.arg()], CONFIG);
    assert_eq!(ran.status, 1);
    assert!(
        ran.err.contains("Unrecognized CoreOS ISO image"),
        "{}",
        ran.err
    );
    assert_eq!(iso.bytes(), iso.pristine);
}
