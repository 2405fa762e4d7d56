//! Transfers that break off: they go on with the right bytes or not at all, and the disk has the
//! image or does not boot.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use embed::progress::Progress;
use installer::cancel::Cancel;
use installer::install::{DiskState, InstallCause, InstallError};
use installer::observe::{FetchNotice, Observer};
use installer::pipeline::ImageError;
use installer::seal::SealError;
use installer::source::{Access, Location, Retries, SourceError, Stage};

use crate::disk::{LoopDisk, OLD, assert_unbootable};
use crate::image::{Published, SIZE, Signer, compress, raw};
use crate::request::{or_skip, request, run};
use crate::server::{Answer, End, File, Parts, Server};

const DISK: usize = 64 * 1024 * 1024;

pub(crate) struct Fixture {
    pub(crate) raw: Vec<u8>,
    pub(crate) file: File,
    pub(crate) signature: Vec<u8>,
    pub(crate) published: Published,
}

pub(crate) fn fixture() -> Fixture {
    let signer = Signer::new();
    let raw = raw(512);
    let bytes = compress(&raw, "zst");
    let signature = signer.sign(&bytes);
    let published = Published::new("os.zst", &bytes, Some(&signature), &signer);
    Fixture {
        raw,
        file: File::new(&bytes),
        signature,
        published,
    }
}

pub(crate) fn quick(retries: u32) -> Access {
    Access {
        retries: Retries::Count(retries),
        first_delay: Duration::from_millis(1),
        ..Access::default()
    }
}

impl Fixture {
    pub(crate) fn tenth(&self, n: usize) -> usize {
        self.file.body.len() * n / 10
    }

    /// A server with the signature and these answers for the image.
    pub(crate) fn server(&self, answers: Vec<Answer>) -> Server {
        let signature = vec![Answer::Body(self.signature.clone())];
        Server::new([("/os.zst.sig", signature), ("/os.zst", answers)])
    }

    pub(crate) fn install(
        &self,
        places: &[&Server],
        access: Access,
        disk: &LoopDisk,
    ) -> Result<(), Box<InstallError>> {
        let mut urls = places.iter().map(|server| server.url("/os.zst"));
        let mut request = request(&self.published, disk);
        request.source = Location::Url {
            url: urls.next().unwrap(),
            mirrors: urls.collect(),
            access,
        };
        run(request).map(|_| ())
    }

    #[track_caller]
    pub(crate) fn assert_on(&self, disk: &LoopDisk) {
        assert!(disk.bytes()[..SIZE] == self.raw[..], "not the image");
    }
}

/// The source's error of an install that had begun to read.
fn source_error(error: &InstallError) -> &SourceError {
    match &error.source {
        InstallCause::Seal(SealError::Image(ImageError::Source(error))) => error,
        InstallCause::Source(error) => error,
        other => panic!("not about the source: {other:?}"),
    }
}

#[test]
fn a_transfer_cut_at_every_tenth_goes_on_where_it_broke_off() {
    let disk = or_skip!("resume_tenths", LoopDisk::new(DISK, 512));
    let f = fixture();
    let mut answers: Vec<_> = (1..10).map(|n| f.file.cut(f.tenth(n))).collect();
    answers.push(f.file.whole());
    let server = f.server(answers);
    // One retry is enough: whatever comes resets the count.
    f.install(&[&server], quick(1), &disk).unwrap();
    f.assert_on(&disk);
    let ranges = server.ranges("/os.zst");
    let expected: Vec<_> = (1..10).map(|n| format!("bytes={}-", f.tenth(n))).collect();
    assert_eq!(ranges[0], None);
    let asked: Vec<_> = ranges[1..].iter().flatten().cloned().collect();
    assert_eq!(asked, expected);
}

/// Remembers what a fetch met.
#[derive(Default)]
struct Notices(RefCell<Vec<FetchNotice>>);

impl Observer for Notices {
    fn event(&self, _: Progress) {}

    fn fetch(&self, notice: &FetchNotice) {
        self.0.borrow_mut().push(notice.clone());
    }
}

#[test]
fn what_a_transfer_meets_is_told_while_it_runs() {
    let disk = or_skip!("resume_notices", LoopDisk::new(DISK, 512));
    let f = fixture();
    let first = f.server(vec![f.file.cut(f.tenth(4)), Answer::Status(404)]);
    let second = f.server(vec![f.file.whole()]);
    let mut request = request(&f.published, &disk);
    request.source = Location::Url {
        url: first.url("/os.zst"),
        mirrors: vec![second.url("/")],
        access: quick(1),
    };
    let notices = Notices::default();
    installer::install::install(request, &notices, &Cancel::new()).unwrap();
    f.assert_on(&disk);
    let notices = notices.0.into_inner();
    let (url, next) = (first.url("/os.zst"), second.url("/os.zst"));
    let broken = format!("reading {url} failed after {} bytes: ", f.tenth(4));
    match &notices[0] {
        FetchNotice::Retry { url: u, reason, .. } => {
            assert_eq!(u, &url);
            assert!(reason.starts_with(&broken), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        notices[1..],
        [
            FetchNotice::Mirror {
                reason: format!("{url} answered with HTTP status 404"),
                url,
                next: next.clone(),
            },
            FetchNotice::Again {
                url: next,
                bytes: f.tenth(4) as u64,
            },
        ]
    );
}

#[test]
fn a_server_that_gets_parts_wrong_sends_all_and_no_wrong_byte_is_written() {
    let f = fixture();
    for parts in [
        Parts::Ignored,
        Parts::WrongStart,
        Parts::WrongTotal,
        Parts::WrongVersion,
        Parts::Refused,
    ] {
        let disk = or_skip!("resume_parts", LoopDisk::new(DISK, 512));
        let file = f.file.with_parts(parts);
        let server = f.server(vec![file.cut(f.tenth(3)), file.whole()]);
        f.install(&[&server], quick(1), &disk).unwrap();
        f.assert_on(&disk);
        let requests = if parts == Parts::Ignored { 2 } else { 3 };
        assert_eq!(server.ranges("/os.zst").len(), requests);
    }
}

#[test]
fn without_a_strong_validator_all_is_sent_again() {
    let f = fixture();
    let date = |second: u8| format!("Sun, 06 Nov 1994 08:49:{second:02} GMT");
    for (version, ranged) in [
        (vec![], false),
        (vec![("ETag", "W/\"v1\"".to_owned())], false),
        (vec![("Last-Modified", date(37))], false),
        (vec![("Last-Modified", date(37)), ("Date", date(37))], false),
        (vec![("Last-Modified", date(37)), ("Date", date(38))], true),
    ] {
        let disk = or_skip!("resume_validator", LoopDisk::new(DISK, 512));
        let mut file = f.file.clone();
        file.version = version.clone();
        let server = f.server(vec![file.cut(f.tenth(5)), file.whole()]);
        f.install(&[&server], quick(1), &disk).unwrap();
        f.assert_on(&disk);
        let ranges = server.ranges("/os.zst");
        assert_eq!(ranges.len(), 2);
        assert_eq!(ranges[1].is_some(), ranged, "{version:?}");
    }
}

#[test]
fn a_file_that_changed_meanwhile_is_refused_and_the_disk_does_not_boot() {
    let f = fixture();
    let mut other = f.file.clone();
    other.version = vec![("ETag", "\"v2\"".to_owned())];
    let mut body = f.file.body.to_vec();
    body[1000] ^= 1;
    other.body = body.into();
    let disk = or_skip!("resume_changed", LoopDisk::new(DISK, 512));
    let at = f.tenth(6);
    let server = f.server(vec![f.file.cut(at), other.whole()]);
    let error = f.install(&[&server], quick(9), &disk).unwrap_err();
    match source_error(&error) {
        SourceError::Changed { at: compared, .. } => assert_eq!(*compared, at as u64),
        other => panic!("{other:?}"),
    }
    assert_eq!(error.state, DiskState::Unbootable { saved: 0 });
    assert_unbootable(&disk.bytes(), 512, &[]);
    assert_eq!(server.ranges("/os.zst").len(), 2, "a change is final");
}

#[test]
fn a_file_that_has_another_length_now_is_refused() {
    let f = fixture();
    let mut longer = f.file.clone();
    longer.version.clear();
    let cut = longer.cut(f.tenth(6));
    longer.body = [&f.file.body[..], b"more"].concat().into();
    let disk = or_skip!("resume_length", LoopDisk::new(DISK, 512));
    let server = f.server(vec![cut, longer.whole()]);
    let error = f.install(&[&server], quick(9), &disk).unwrap_err();
    match source_error(&error) {
        SourceError::ChangedLength { want, got, .. } => assert_eq!(want + 4, *got),
        other => panic!("{other:?}"),
    }
    assert_unbootable(&disk.bytes(), 512, &[]);
}

#[test]
fn retries_without_progress_end_with_the_count() {
    let f = fixture();
    let disk = or_skip!("resume_count", LoopDisk::new(DISK, 512));
    let server = f.server(vec![f.file.cut(f.tenth(4)), Answer::Status(503)]);
    let error = f.install(&[&server], quick(3), &disk).unwrap_err();
    assert!(
        matches!(
            source_error(&error),
            SourceError::Status { status: 503, .. }
        ),
        "{error:?}"
    );
    assert_eq!(server.ranges("/os.zst").len(), 4);
    assert_unbootable(&disk.bytes(), 512, &[]);
}

#[test]
fn a_mirror_goes_on_where_the_first_place_failed_for_good() {
    let f = fixture();
    let disk = or_skip!("mirror", LoopDisk::new(DISK, 512));
    let first = f.server(vec![f.file.cut(f.tenth(4)), Answer::Status(404)]);
    let mut copy = f.file.clone();
    copy.version = vec![("ETag", "\"elsewhere\"".to_owned())];
    let second = f.server(vec![copy.cut(f.tenth(7)), copy.whole()]);
    f.install(&[&first, &second], quick(1), &disk).unwrap();
    f.assert_on(&disk);
    // Another server's version says nothing about this one's: its start is compared first.
    assert_eq!(
        second.ranges("/os.zst"),
        [None, Some(format!("bytes={}-", f.tenth(7)))]
    );
}

#[test]
fn a_mirror_with_another_file_is_refused_and_every_place_is_named_with_its_reason() {
    let f = fixture();
    let disk = or_skip!("mirror_other", LoopDisk::new(DISK, 512));
    let first = f.server(vec![f.file.cut(f.tenth(4)), Answer::Status(410)]);
    let mut other = f.file.clone();
    let mut body = other.body.to_vec();
    body[f.tenth(3)] ^= 1;
    other.body = body.into();
    let second = f.server(vec![other.whole()]);
    let third = f.server(vec![Answer::Status(403)]);
    let error = f
        .install(&[&first, &second, &third], quick(1), &disk)
        .unwrap_err();
    match source_error(&error) {
        SourceError::Mirrors { failures } => {
            let places: Vec<_> = failures.iter().map(|f| f.url.clone()).collect();
            assert_eq!(
                places,
                [&first, &second, &third].map(|server| server.url("/os.zst"))
            );
            for (failure, reason) in failures.iter().zip(["410", "changed", "403"]) {
                assert!(failure.reason.contains(reason), "{failure:?}");
            }
        }
        other => panic!("{other:?}"),
    }
    assert_unbootable(&disk.bytes(), 512, &[]);
}

#[test]
fn a_mirror_is_asked_when_the_first_place_has_neither_image_nor_signature() {
    let f = fixture();
    let disk = or_skip!("mirror_first_404", LoopDisk::new(DISK, 512));
    let first = Server::new([]);
    let second = f.server(vec![f.file.whole()]);
    f.install(&[&first, &second], quick(0), &disk).unwrap();
    f.assert_on(&disk);
}

#[test]
fn silence_ends_with_the_stage_it_came_at() {
    let f = fixture();
    let silence = Duration::from_secs(20);
    let at = f.tenth(5);
    let mut stalling = f.file.clone();
    stalling.end = Some((at, End::Stall(silence)));
    for (answer, expected) in [
        (Answer::Silence(silence), Stage::Headers),
        (stalling.whole(), Stage::Body { at: at as u64 }),
    ] {
        let disk = or_skip!("stall", LoopDisk::new(DISK, 512));
        let server = f.server(vec![answer]);
        let access = Access {
            patience: Duration::from_secs(1),
            ..quick(0)
        };
        let started = Instant::now();
        let error = f.install(&[&server], access, &disk).unwrap_err();
        assert!(started.elapsed() < silence);
        match source_error(&error) {
            SourceError::Stalled { stage, .. } => assert_eq!(*stage, expected),
            other => panic!("{other:?}"),
        }
        match error.state {
            DiskState::Untouched => assert!(disk.bytes().iter().all(|b| *b == OLD)),
            _ => assert_unbootable(&disk.bytes(), 512, &[]),
        }
    }
}

#[test]
fn a_transfer_that_fell_silent_goes_on() {
    let f = fixture();
    let disk = or_skip!("stall_resume", LoopDisk::new(DISK, 512));
    let mut stalling = f.file.clone();
    stalling.end = Some((f.tenth(5), End::Stall(Duration::from_secs(20))));
    let server = f.server(vec![stalling.whole(), f.file.whole()]);
    let access = Access {
        patience: Duration::from_secs(2),
        ..quick(1)
    };
    f.install(&[&server], access, &disk).unwrap();
    f.assert_on(&disk);
}
