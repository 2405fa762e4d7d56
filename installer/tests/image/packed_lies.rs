//! Packed images whose file is not what the signed manifest lists, from files and from servers, and
//! servers that change their mind. What must come of each is worked out from the good file alone.

use embed::chunks::Manifest;
use installer::cancel::Cancel;
use installer::image::{SignaturePlace, Terms, read_verified};
use installer::install::{DiskState, InstallCause, InstallError};
use installer::observe::Silent;
use installer::pipeline::ImageError;
use installer::seal::SealError;
use installer::source::{Location, ManifestPlace, SourceError};
use installer::verify::{Keyring, SignaturePolicy, VerifyError};

use crate::disk::{LoopDisk, OLD, assert_unbootable};
use crate::image::{SIZE, Signer, raw};
use crate::packed::{DISK, Packed, make, verify_error};
use crate::request::{or_skip, run};
use crate::resume::quick;
use crate::server::{Answer, File, Parts, Server};

/// A way in which a packed file is wrong.
type Lie = (&'static str, fn(&mut Vec<u8>, &Manifest));

/// Where the frame of the chunk with this number is in the file.
fn frame(list: &Manifest, number: usize) -> std::ops::Range<usize> {
    let chunk = &list.chunks()[number];
    let at = |place: u64| usize::try_from(place).unwrap();
    at(chunk.frame_offset)..at(chunk.frame_end())
}

/// A place between two frames, where there are frames of zeroes.
fn zeroes(list: &Manifest) -> usize {
    let gap = (1..list.chunks().len())
        .map(|n| frame(list, n - 1).end..frame(list, n).start)
        .find(|gap| !gap.is_empty());
    let gap = gap.expect("the image has zeroes inside");
    (gap.start + gap.end) / 2
}

/// In the order in which one disk can be used for all: first what must not touch it, last what must
/// leave the image there.
const LIES: [Lie; 13] = [
    ("nothing at all", |file, _| file.clear()),
    ("a byte before the first frame", |file, _| file.insert(0, 0)),
    ("a frame without its last byte", |file, list| {
        file.remove(frame(list, 2).end - 1);
    }),
    ("a frame with a byte more", |file, list| {
        file.insert(frame(list, 2).end, 0);
    }),
    ("the frame of another chunk", |file, list| {
        let other = file[frame(list, 1)].to_vec();
        let place = frame(list, 4);
        let len = other.len().min(place.len());
        file[place.start..place.start + len].copy_from_slice(&other[..len]);
    }),
    ("two frames in each other's place", |file, list| {
        let (first, second) = (frame(list, 4), frame(list, 5));
        let swapped = [&file[second.clone()], &file[first.clone()]].concat();
        file.splice(first.start..second.end, swapped);
    }),
    ("a bit in a frame's header", |file, list| {
        file[frame(list, 3).start + 4] ^= 0x20;
    }),
    ("a last frame that is cut", |file, list| {
        let last = list.chunks().len() - 1;
        file.truncate(frame(list, last).end - 1);
    }),
    ("none", |_, _| {}),
    ("a bit in the zeroes", |file, list| file[zeroes(list)] ^= 1),
    ("a bit in the seek table", |file, _| {
        let at = file.len() - 20;
        file[at] ^= 1;
    }),
    ("a seek table that is cut", |file, _| {
        file.truncate(file.len() - 3);
    }),
    ("something after the end", |file, _| file.push(0)),
];

#[derive(Debug, PartialEq, Eq)]
enum Expected {
    Good,
    /// The first chunk that cannot be had, in the order of the image.
    BadChunk(usize),
    /// The file ends within the frame of this chunk.
    Ends(usize),
}

/// What an install must make of `file` in place of `good`: it needs the frames and no more.
fn expected(good: &[u8], list: &Manifest, file: &[u8]) -> Expected {
    for number in 0..list.chunks().len() {
        let place = frame(list, number);
        match file.get(place.clone()) {
            None => return Expected::Ends(number),
            Some(frame) if *frame != good[place] => return Expected::BadChunk(number),
            Some(_) => {}
        }
    }
    Expected::Good
}

#[track_caller]
fn check(what: &str, want: &Expected, done: Result<(), Box<InstallError>>, disk: &LoopDisk) {
    let bytes = disk.bytes();
    let error = match (done, want) {
        (Ok(()), Expected::Good) => {
            return assert!(bytes[..SIZE] == raw(512)[..], "{what}: not the image");
        }
        (Ok(()), want) => panic!("{what}: installed, but {want:?}"),
        (Err(error), _) => error,
    };
    let number = match (want, &error.source) {
        (
            Expected::BadChunk(n),
            InstallCause::Seal(SealError::Image(ImageError::Verify(VerifyError::Chunk {
                number,
                ..
            }))),
        ) if n == number => *n,
        (
            Expected::Ends(n),
            InstallCause::Seal(SealError::Image(ImageError::Source(
                SourceError::Length { .. } | SourceError::Read { .. },
            ))),
        ) => *n,
        (want, other) => panic!("{what}: {other:?} instead of {want:?}"),
    };
    if number == 0 {
        assert_eq!(error.state, DiskState::Untouched, "{what}");
        assert!(bytes.iter().all(|byte| *byte == OLD), "{what}");
    } else {
        assert_eq!(error.state, DiskState::Unbootable { saved: 0 }, "{what}");
        assert_unbootable(&bytes, 512, &[]);
    }
}

fn server(manifest: Vec<Answer>, signature: &[u8], image: Vec<Answer>) -> Server {
    let signature = vec![Answer::Body(signature.to_vec())];
    Server::new([
        ("/os.chunks.json", manifest),
        ("/os.chunks.json.sig", signature),
        ("/os.raw.zst", image),
    ])
}

fn of(packed: &Packed, image: Vec<Answer>) -> Server {
    let manifest = vec![Answer::Body(packed.manifest.clone())];
    server(manifest, &packed.manifest_signature, image)
}

fn install(
    packed: &Packed,
    places: &[&Server],
    retries: u32,
    disk: &LoopDisk,
) -> Result<(), Box<InstallError>> {
    let mut urls = places.iter().map(|server| server.url("/os.raw.zst"));
    let mut request = packed.request(disk);
    request.source = Location::Url {
        url: urls.next().unwrap(),
        mirrors: urls.collect(),
        access: quick(retries),
    };
    run(request).map(drop)
}

#[test]
fn a_file_that_is_not_the_listed_one_gives_the_image_or_the_first_chunk_that_is_wrong() {
    let disk = or_skip!("packed_lies_file", LoopDisk::new(DISK, 512));
    let packed = Packed::new();
    let (list, dir) = (packed.list(), packed.publish());
    for (what, lie) in LIES {
        let mut file = packed.image.clone();
        lie(&mut file, &list);
        let want = expected(&packed.image, &list, &file);
        std::fs::write(dir.path().join("os.raw.zst"), file).unwrap();
        let done = packed.install(dir.path(), &disk).map(drop);
        check(what, &want, done, &disk);
    }
}

#[test]
fn a_server_that_gives_another_file_than_listed_gives_the_same() {
    let disk = or_skip!("packed_lies_server", LoopDisk::new(DISK, 512));
    let packed = Packed::new();
    let list = packed.list();
    // The ones that a client of a server sees in another way than a reader of a file.
    for (what, lie) in LIES.into_iter().filter(|(what, _)| {
        what.contains("first frame") || what.contains("byte more") || what.contains("cut")
    }) {
        let mut file = packed.image.clone();
        lie(&mut file, &list);
        let want = expected(&packed.image, &list, &file);
        let server = of(&packed, vec![File::new(&file).whole()]);
        let done = install(&packed, &[&server], 0, &disk);
        check(what, &want, done, &disk);
    }
}

#[test]
fn whoever_checks_a_packed_file_is_told_of_every_byte_that_is_not_the_listed_one() {
    let packed = Packed::new();
    let (list, dir) = (packed.list(), packed.publish());
    for (what, lie) in LIES {
        let mut file = packed.image.clone();
        lie(&mut file, &list);
        std::fs::write(dir.path().join("os.raw.zst"), &file).unwrap();
        let terms = Terms {
            manifest: &ManifestPlace::Beside,
            signature: SignaturePlace::Beside,
            digest: None,
            policy: SignaturePolicy::Require,
            keyring: &Keyring::empty().with_file(&packed.key),
        };
        let source = Location::File(dir.path().join("os.raw.zst"));
        let read = read_verified(&source, &terms, &Silent, &Cancel::new());
        let good = match (expected(&packed.image, &list, &file), &read) {
            (Expected::Good, Ok(_)) => file == packed.image,
            (Expected::BadChunk(n), Err(ImageError::Verify(VerifyError::Chunk { number, .. }))) => {
                n == *number
            }
            (
                Expected::Good | Expected::Ends(_),
                Err(ImageError::Source(SourceError::Length { .. })),
            ) => file.len() < packed.image.len(),
            (Expected::Good, Err(ImageError::Verify(VerifyError::PackedSurplus { size, .. }))) => {
                *size == packed.image.len() as u64 && file.len() > packed.image.len()
            }
            (Expected::Good, Err(ImageError::Verify(VerifyError::PackedDigest(unlisted)))) => {
                unlisted.want == list.file().sha256 && file.len() == packed.image.len()
            }
            _ => false,
        };
        assert!(good, "{what}: {read:?}");
    }
}

#[test]
fn servers_that_answer_a_range_with_something_else_never_get_it_onto_the_disk() {
    let packed = Packed::new();
    let list = packed.list();
    // The transfer breaks off in the middle of this frame.
    let number = 5;
    let cut = frame(&list, number).start + 1;
    let disk = or_skip!("packed_lies_ranges", LoopDisk::new(DISK, 512));
    for (parts, want) in [
        (Parts::Shifted, Expected::BadChunk(number)),
        (Parts::Right, Expected::Good),
        (Parts::Nameless, Expected::Good),
        // What else they say of the file is of no interest: the frames have their digests.
        (Parts::WrongTotal, Expected::Good),
        (Parts::WrongVersion, Expected::Good),
    ] {
        let file = File::new(&packed.image).with_parts(parts);
        let liar = of(&packed, vec![file.cut(cut), file.whole()]);
        let done = install(&packed, &[&liar], 1, &disk);
        let what = match parts {
            Parts::Shifted => "shifted",
            _ => "another answer",
        };
        check(what, &want, done, &disk);
    }

    let file = File::new(&packed.image).with_parts(Parts::Refused);
    let refuses = of(&packed, vec![file.cut(cut), file.whole()]);
    let error = install(&packed, &[&refuses], 1, &disk).unwrap_err();
    let refused = matches!(
        &error.source,
        InstallCause::Seal(SealError::Image(ImageError::Source(SourceError::Status {
            status: 416,
            ..
        })))
    );
    assert!(refused, "{error:?}");
    assert_unbootable(&disk.bytes(), 512, &[]);

    // With a place that tells the truth, every chunk that the liar gives is had from there.
    let file = File::new(&packed.image).with_parts(Parts::Shifted);
    let liar = of(&packed, vec![file.cut(cut), file.whole()]);
    let honest = of(&packed, vec![File::new(&packed.image).whole()]);
    let done = install(&packed, &[&liar, &honest], 1, &disk);
    check("shifted, and a mirror", &Expected::Good, done, &disk);
}

#[test]
fn an_image_or_a_manifest_that_is_replaced_on_the_way_is_never_mixed() {
    let signer = Signer::new();
    let old = Packed::signed(&make(&raw(512)), &signer);
    let mut newer = raw(512);
    // In the last chunk, beyond the partitions.
    let last = old.list().chunks().last().unwrap().offset;
    let last = usize::try_from(last).unwrap();
    newer[last + 100] ^= 0xff;
    let new = Packed::signed(&make(&newer), &signer);
    let (number, at) = (old.list().chunks().len() - 1, old.image.len() / 2);
    assert!(frame(&old.list(), number).start > at);
    let body = |bytes: &[u8]| Answer::Body(bytes.to_vec());

    // The manifest is another one after the break; its signature, and the image, are the old ones.
    let disk = or_skip!("packed_replaced", LoopDisk::new(DISK, 512));
    let cut = |packed: &Packed| {
        let half = packed.manifest.len() / 2;
        Answer::Cut(packed.manifest.clone(), half)
    };
    let manifests = vec![cut(&old), body(&new.manifest)];
    let mixed = server(manifests, &old.manifest_signature, vec![body(&old.image)]);
    let error = install(&old, &[&mixed], 1, &disk).unwrap_err();
    let bad = matches!(verify_error(&error), VerifyError::BadSignature { .. });
    assert!(bad, "{error:?}");
    assert_eq!(error.state, DiskState::Untouched);
    assert!(disk.bytes().iter().all(|byte| *byte == OLD));

    // The image is another one after the break.
    let images = vec![File::new(&old.image).cut(at), File::new(&new.image).whole()];
    let done = install(&old, &[&of(&old, images)], 1, &disk);
    check("image", &Expected::BadChunk(number), done, &disk);

    // The manifest and its signature are the new ones, and the image the old one.
    let manifests = vec![cut(&old), body(&new.manifest)];
    let mixed = server(manifests, &new.manifest_signature, vec![body(&old.image)]);
    let done = install(&new, &[&mixed], 1, &disk);
    check("manifest", &Expected::BadChunk(number), done, &disk);

    // All is new after the break.
    let manifests = vec![cut(&old), body(&new.manifest)];
    let whole = server(manifests, &new.manifest_signature, vec![body(&new.image)]);
    install(&new, &[&whole], 1, &disk).unwrap();
    assert!(disk.bytes()[..SIZE] == newer[..]);
}
