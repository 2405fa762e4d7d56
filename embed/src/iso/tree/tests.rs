//! Whole trees of images made by xorriso, and of images damaged on purpose.

use std::io::Cursor;
use std::path::Path;

use crate::iso::sample::{image, write};
use crate::iso::{Descriptor, IsoError, IsoReader};

/// Place of the directory record of the file or directory that is called `name`.
fn record(image: &[u8], name: &[u8]) -> usize {
    let found = image.windows(name.len()).position(|window| window == name);
    found.unwrap() - 33
}

#[test]
fn a_tree_is_listed_with_directories_before_their_files() {
    let test = "a_tree_is_listed_with_directories_before_their_files";
    let Some(image) = image(test, |root| write(root, "images/pxeboot/vmlinuz", "kernel")) else {
        return;
    };
    let mut iso = IsoReader::open(Cursor::new(image)).unwrap();
    let paths: Vec<String> = iso.tree().unwrap().into_iter().map(|e| e.path).collect();
    assert_eq!(
        paths,
        [
            "BOOT",
            "BOOT/GRUB",
            "BOOT/GRUB/GRUB.CFG",
            "COREOS",
            "COREOS/FEATURES.JSO",
            "COREOS/IGNINFO.JSO",
            "COREOS/KARGS.JSO",
            "EFI",
            "EFI/DEBIAN",
            "EFI/DEBIAN/GRUB.CFG",
            "IMAGES",
            "IMAGES/IGNITION.IMG",
            "IMAGES/PXEBOOT",
            "IMAGES/PXEBOOT/VMLINUZ",
        ]
    );
    let files = iso.files_in("images/pxeboot").unwrap();
    assert_eq!(files[0].path, "VMLINUZ");
    let mut content = Vec::new();
    iso.copy_extent(files[0].extent, &mut content).unwrap();
    assert_eq!(content, b"kernel");
    assert!(matches!(iso.files_in("nowhere"), Err(IsoError::NoFile(_))));
    let descriptors = iso.descriptors().unwrap();
    assert!(
        matches!(&descriptors[0], Descriptor::Primary { volume_id, .. } if volume_id == "test-live"),
        "{descriptors:?}"
    );
    assert_eq!(descriptors[1..], [Descriptor::Supplementary]);
}

#[test]
fn a_file_of_several_extents_is_one_if_they_follow_each_other() {
    let test = "a_file_of_several_extents_is_one_if_they_follow_each_other";
    let edit = |root: &Path| {
        write(root, "big/a.dat", vec![1; 4096]);
        write(root, "big/b.dat", vec![2; 10]);
    };
    let Some(mut image) = image(test, edit) else {
        return;
    };
    let (first, second) = (record(&image, b"A.DAT;1"), record(&image, b"B.DAT;1"));
    image[first + 25] |= 0x80;
    let mut broken = image.clone();
    let mut iso = IsoReader::open(Cursor::new(broken.clone())).unwrap();
    let error = iso.find("big/a.dat").unwrap_err();
    assert!(matches!(
        error,
        IsoError::Format("the pieces of a file are scattered")
    ));

    image[second + 33] = b'A';
    let mut iso = IsoReader::open(Cursor::new(image)).unwrap();
    assert_eq!(iso.files_in("big").unwrap().len(), 1);
    let content = iso.read("big/a.dat", 1 << 20).unwrap();
    assert_eq!(content, [vec![1; 4096], vec![2; 10]].concat());

    broken[second + 25] |= 0x80;
    broken[first + 25] &= !0x80;
    let mut iso = IsoReader::open(Cursor::new(broken)).unwrap();
    let error = iso.find("big/a.dat").unwrap_err();
    assert!(matches!(
        error,
        IsoError::Format("a file has no last piece")
    ));
}

#[test]
fn a_directory_inside_of_itself_ends_the_walk() {
    let test = "a_directory_inside_of_itself_ends_the_walk";
    let Some(mut image) = image(test, |root| write(root, "outer/inner/x", "x")) else {
        return;
    };
    let mut iso = IsoReader::open(Cursor::new(image.clone())).unwrap();
    let outer = iso.find_directory("outer").unwrap().unwrap();
    let inner = record(&image, b"INNER");
    let sector = u32::try_from(outer.offset / 2048).unwrap();
    image[inner + 2..inner + 6].copy_from_slice(&sector.to_le_bytes());
    let mut iso = IsoReader::open(Cursor::new(image)).unwrap();
    let error = iso.tree().unwrap_err();
    assert!(matches!(
        error,
        IsoError::Format("too many files or directories")
    ));
}
