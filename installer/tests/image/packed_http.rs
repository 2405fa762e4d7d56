//! Packed images from servers that break off, send wrong bytes, or know no parts.

use std::sync::Mutex;

use embed::progress::Progress;
use installer::cancel::Cancel;
use installer::install::{DiskState, InstallError, install};
use installer::observe::{FetchNotice, Observer};
use installer::source::Location;
use installer::verify::VerifyError;

use crate::disk::{LoopDisk, assert_unbootable};
use crate::image::{SIZE, raw};
use crate::packed::{DISK, Packed, verify_error};
use crate::request::or_skip;
use crate::resume::quick;
use crate::server::{Answer, File, Parts, Server};

const IMAGE: &str = "/os.raw.zst";

/// A server with the manifest and these answers for the image.
fn server(packed: &Packed, answers: Vec<Answer>) -> Server {
    let body = |bytes: &Vec<u8>| vec![Answer::Body(bytes.clone())];
    Server::new([
        ("/os.chunks.json", body(&packed.manifest)),
        ("/os.chunks.json.sig", body(&packed.manifest_signature)),
        (IMAGE, answers),
    ])
}

/// Remembers what a fetch met.
#[derive(Default)]
struct Notices(Mutex<Vec<FetchNotice>>);

impl Observer for Notices {
    fn event(&self, _: Progress) {}

    fn fetch(&self, notice: &FetchNotice) {
        self.0.lock().unwrap().push(notice.clone());
    }
}

fn run(
    packed: &Packed,
    places: &[&Server],
    retries: u32,
    disk: &LoopDisk,
) -> (Result<(), Box<InstallError>>, Vec<FetchNotice>) {
    let mut urls = places.iter().map(|server| server.url(IMAGE));
    let mut request = packed.request(disk);
    request.source = Location::Url {
        url: urls.next().unwrap(),
        mirrors: urls.collect(),
        access: quick(retries),
    };
    let notices = Notices::default();
    let done = install(request, &notices, &Cancel::new());
    let notices = notices.0.into_inner().unwrap();
    (done.map(|_| ()).map_err(Box::new), notices)
}

#[track_caller]
fn assert_on(disk: &LoopDisk) {
    assert!(disk.bytes()[..SIZE] == raw(512)[..], "not the image");
}

#[test]
fn a_transfer_cut_at_every_tenth_goes_on_at_a_chunk() {
    let disk = or_skip!("packed_tenths", LoopDisk::new(DISK, 512));
    let packed = Packed::new();
    let file = File::new(&packed.image);
    let cut = |n: usize| file.cut(packed.image.len() * n / 10);
    let mut answers: Vec<_> = (1..10).map(cut).collect();
    answers.push(file.whole());
    let server = server(&packed, answers);
    // One retry is enough: every chunk that comes resets the count.
    run(&packed, &[&server], 1, &disk).0.unwrap();
    assert_on(&disk);
    let ranges = server.ranges(IMAGE);
    assert_eq!(ranges[0], None);
    let frames: Vec<_> = packed
        .list()
        .chunks()
        .iter()
        .map(|chunk| format!("bytes={}-", chunk.frame_offset))
        .collect();
    for range in ranges[1..].iter().flatten() {
        assert!(
            frames.contains(range),
            "{range} is not where a chunk begins"
        );
    }
    assert!(!server.requests().contains(&"/os.raw.zst.sig".to_owned()));
}

#[test]
fn servers_without_parts_or_with_wrong_ones_are_read_from_the_start() {
    for parts in [Parts::Ignored, Parts::WrongStart] {
        let disk = or_skip!("packed_no_ranges", LoopDisk::new(DISK, 512));
        let packed = Packed::new();
        let file = File::new(&packed.image).with_parts(parts);
        let half = file.cut(packed.image.len() / 2);
        let server = server(&packed, vec![half, file.whole()]);
        run(&packed, &[&server], 1, &disk).0.unwrap();
        assert_on(&disk);
    }
}

#[test]
fn a_bad_chunk_of_one_place_is_had_from_another_and_nothing_else_is() {
    let disk = or_skip!("packed_bad_chunk_mirror", LoopDisk::new(DISK, 512));
    let packed = Packed::new();
    let bad = server(&packed, vec![File::new(&packed.flipped(2)).whole()]);
    let good = server(&packed, vec![File::new(&packed.image).whole()]);
    let (done, notices) = run(&packed, &[&bad, &good], 0, &disk);
    done.unwrap();
    assert_on(&disk);
    let frame = packed.list().chunks()[2].frame_offset;
    assert_eq!(good.ranges(IMAGE), [Some(format!("bytes={frame}-"))]);
    match notices.as_slice() {
        [FetchNotice::BadChunk { url, next, .. }] => {
            assert_eq!((url, next), (&bad.url(IMAGE), &good.url(IMAGE)));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_chunk_that_was_damaged_on_the_way_is_had_from_the_same_place_again() {
    let disk = or_skip!("packed_bad_chunk_again", LoopDisk::new(DISK, 512));
    let packed = Packed::new();
    let damaged = File::new(&packed.flipped(2)).whole();
    let server = server(&packed, vec![damaged, File::new(&packed.image).whole()]);
    run(&packed, &[&server], 0, &disk).0.unwrap();
    assert_on(&disk);
}

#[test]
fn a_chunk_that_is_bad_everywhere_is_named_with_what_each_place_gave() {
    let disk = or_skip!("packed_bad_chunk_everywhere", LoopDisk::new(DISK, 512));
    let packed = Packed::new();
    let bad = server(&packed, vec![File::new(&packed.flipped(2)).whole()]);
    let gone = server(&packed, vec![Answer::Status(404)]);
    let (done, _) = run(&packed, &[&bad, &gone], 0, &disk);
    let error = done.unwrap_err();
    match verify_error(&error) {
        VerifyError::Chunk {
            number: 2,
            failures,
            ..
        } => {
            let places: Vec<_> = failures.iter().map(|f| f.url.clone()).collect();
            assert_eq!(places, [bad.url(IMAGE), gone.url(IMAGE), bad.url(IMAGE)]);
            assert!(
                failures[0]
                    .reason
                    .starts_with("it gave a frame with sha256 ")
            );
            assert!(
                failures[1]
                    .reason
                    .ends_with("answered with HTTP status 404")
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(error.state, DiskState::Unbootable { saved: 0 });
    assert_unbootable(&disk.bytes(), 512, &[]);
}

#[test]
fn a_place_that_ends_too_early_is_left_for_the_next_at_the_chunk() {
    let disk = or_skip!("packed_short_place", LoopDisk::new(DISK, 512));
    let packed = Packed::new();
    let half = packed.image.len() / 2;
    let short = server(&packed, vec![Answer::Body(packed.image[..half].to_vec())]);
    let good = server(&packed, vec![File::new(&packed.image).whole()]);
    let (done, notices) = run(&packed, &[&short, &good], 0, &disk);
    done.unwrap();
    assert_on(&disk);
    assert!(
        matches!(notices[0], FetchNotice::Mirror { .. }),
        "{notices:?}"
    );
    let range = good.ranges(IMAGE).remove(0).unwrap();
    assert_ne!(range, "bytes=0-");
}
