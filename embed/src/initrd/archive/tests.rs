//! Archives written, concatenated, compressed, broken and read again.

use super::*;

fn sample() -> Archive {
    let mut archive = Archive::default();
    archive.insert("config.ign", "{}").unwrap();
    archive
        .insert("etc/coreos-firstboot-network/a.nmconnection", "[ipv4]")
        .unwrap();
    archive
}

fn read(bytes: &[u8]) -> Result<Archive, InitrdError> {
    Archive::read(bytes, Limits::AREA)
}

fn compress_zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

fn compress_gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn directories_precede_their_children() {
    let mut names = Vec::new();
    walk(
        sample().to_cpio().unwrap().as_slice(),
        Limits::AREA,
        |entry, _| {
            names.push((entry.name.clone(), format!("{:o}", entry.mode)));
            Ok(ControlFlow::Continue(()))
        },
    )
    .unwrap();
    let want = [
        ("config.ign", "100600"),
        ("etc", "40755"),
        ("etc/coreos-firstboot-network", "40755"),
        ("etc/coreos-firstboot-network/a.nmconnection", "100600"),
    ];
    assert_eq!(
        names,
        want.map(|(name, mode)| (name.to_owned(), mode.to_owned()))
    );
}

#[test]
fn concatenated_members_of_every_compression_are_read() {
    let mut later = Archive::default();
    later.insert("config.ign", "later").unwrap();
    let mut initrd = Vec::new();
    for member in [
        sample().to_cpio().unwrap(),
        vec![0; 512],
        compress_gzip(&sample().to_cpio().unwrap()),
        b"\x50\x2a\x4d\x18\x03\0\0\0abc".to_vec(),
        compress_zstd(&sample().to_cpio().unwrap()),
        vec![0; 3],
        later.to_xz_cpio().unwrap(),
        vec![0; 700],
    ] {
        initrd.extend(member);
    }
    let archive = read(&initrd).unwrap();
    assert_eq!(archive.get("config.ign"), Some(b"later".as_slice()));
    assert_eq!(archive.iter().count(), 2);
}

#[test]
fn zeros_alone_are_an_empty_archive() {
    assert!(read(&[0; 256 * 1024]).unwrap().is_empty());
}

#[test]
fn every_truncation_is_an_error() {
    for full in [
        sample().to_cpio().unwrap(),
        compress_zstd(&sample().to_cpio().unwrap()),
        sample().to_xz_cpio().unwrap(),
    ] {
        assert!(read(&full).is_ok());
        for cut in 1..full.len() {
            assert!(
                read(&full[..cut]).is_err(),
                "cut at {cut} of {}",
                full.len()
            );
        }
    }
}

#[test]
fn lying_headers_are_bounded() {
    let mut cpio = sample().to_cpio().unwrap();
    cpio[54..62].copy_from_slice(b"fffffff0");
    assert!(matches!(read(&cpio), Err(InitrdError::Io(_))));
    let mut cpio = sample().to_cpio().unwrap();
    cpio[94..102].copy_from_slice(b"ffffffff");
    assert!(matches!(
        read(&cpio),
        Err(InitrdError::Header("bad name length"))
    ));
    cpio[94..102].copy_from_slice(b"+0000001");
    assert!(matches!(
        read(&cpio),
        Err(InitrdError::Header("a number is not hexadecimal"))
    ));
}

#[test]
fn a_bomb_stops_at_the_limit() {
    let mut archive = Archive::default();
    archive.insert("zeros", vec![0; 1 << 20]).unwrap();
    let limits = Limits {
        bytes: 1 << 16,
        entries: 10,
    };
    let error = Archive::read(archive.to_xz_cpio().unwrap().as_slice(), limits).unwrap_err();
    let InitrdError::Io(error) = error else {
        panic!("{error:?}")
    };
    assert!(error.to_string().contains("over 65536"), "{error}");
    let error = Archive::read(
        sample().to_cpio().unwrap().as_slice(),
        Limits {
            bytes: 1 << 20,
            entries: 1,
        },
    )
    .unwrap_err();
    assert!(matches!(
        error,
        InitrdError::Limit {
            what: "number of entries",
            limit: 1
        }
    ));
}

#[test]
fn data_after_a_compressed_archive_is_refused() {
    let mut cpio = sample().to_cpio().unwrap();
    cpio.extend(b"evil");
    assert!(matches!(
        read(&compress_gzip(&cpio)),
        Err(InitrdError::Trailing)
    ));
}

#[test]
fn unknown_members_are_named() {
    assert!(matches!(
        read(b"\x02\x21\x4c\x18...."),
        Err(InitrdError::Compression("lz4"))
    ));
    assert!(matches!(read(b"hello world"), Err(InitrdError::UnknownMember(m)) if m == b"hello "));
}

#[test]
fn paths_that_leave_the_root_are_refused() {
    for bad in ["../x", "a/../../x", "/etc/passwd", "a//b", ""] {
        assert!(
            matches!(
                Archive::default().insert(bad, ""),
                Err(InitrdError::Traversal(_))
            ),
            "{bad}"
        );
    }
}

#[test]
fn what_cpio_reads_is_what_was_written() {
    use std::process::{Command, Stdio};
    let spawned = Command::new("cpio")
        .args(["-t", "--quiet"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut child) = spawned else {
        eprintln!("SKIP: what_cpio_reads_is_what_was_written: the cpio program is not installed");
        return;
    };
    child
        .stdin
        .take()
        .unwrap()
        .write_all(&sample().to_cpio().unwrap())
        .unwrap();
    let listed = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(
        listed,
        "config.ign\netc\netc/coreos-firstboot-network\netc/coreos-firstboot-network/a.nmconnection\n"
    );
}

proptest::proptest! {
    #[test]
    fn any_archive_survives_every_encoding(files in proptest::collection::btree_map(
        "[a-z]{1,8}(/[a-z.]{1,3}x){0,3}", proptest::collection::vec(proptest::num::u8::ANY, 0..300), 0..8)) {
        let mut archive = Archive::default();
        for (path, bytes) in files {
            // A path that is also another's directory cannot be in one tree.
            if !archive.iter().any(|(other, _)| other.starts_with(&format!("{path}/")) || path.starts_with(&format!("{other}/"))) {
                archive.insert(&path, bytes).unwrap();
            }
        }
        let cpio = archive.to_cpio().unwrap();
        proptest::prop_assert_eq!(cpio.len() % 4, 0);
        for encoded in [compress_gzip(&cpio), compress_zstd(&cpio), archive.to_xz_cpio().unwrap(), cpio] {
            proptest::prop_assert_eq!(&read(&encoded).unwrap(), &archive);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400), magic in 0usize..6) {
        let magics: [&[u8]; 6] = [b"", newc::MAGIC, b"\x1f\x8b\x08", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18"];
        let input = [magics[magic], &bytes].concat();
        let _ = Archive::read(input.as_slice(), Limits { bytes: 1 << 20, entries: 100 });
    }
}
