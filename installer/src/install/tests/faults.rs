//! The whole install path broken on purpose: a source and a disk that fail, stall, fall short or
//! lie, at every step of an install. What each must lead to is in the two tables here, which know
//! nothing but where the fault strikes.

use super::*;

/// How much a source gives at a time, bytes: 28 steps, the first four of which are the head.
const PIECE: usize = 256 * 1024;

/// How a source breaks at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReadFault {
    /// It ends.
    End,
    /// EIO.
    Broken,
    /// EINTR.
    Interrupted,
    /// One byte at a time, for a while.
    Short,
    /// It takes its time.
    Slow,
    /// One bit is another.
    Flipped,
}

const READ_FAULTS: [ReadFault; 6] = [
    ReadFault::End,
    ReadFault::Broken,
    ReadFault::Interrupted,
    ReadFault::Short,
    ReadFault::Slow,
    ReadFault::Flipped,
];

struct Source {
    bytes: Cursor<Vec<u8>>,
    /// Where the fault strikes, and which; it strikes once.
    fault: Option<(usize, ReadFault)>,
    /// Single bytes that are still to be given.
    single: usize,
}

impl Source {
    fn boxed(bytes: Vec<u8>, at: usize, fault: ReadFault) -> Box<Self> {
        Box::new(Self {
            bytes: Cursor::new(bytes),
            fault: Some((at, fault)),
            single: 0,
        })
    }
}

impl Read for Source {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let at = usize::try_from(self.bytes.position()).unwrap();
        let room = buf.len().min(PIECE - at % PIECE);
        let buf = &mut buf[..room];
        let fault = self.fault.take_if(|(place, _)| *place <= at);
        match fault.map(|(_, fault)| fault) {
            Some(ReadFault::End) => {
                self.bytes.set_position(u64::MAX / 2);
                return Ok(0);
            }
            Some(ReadFault::Broken) => return Err(io::Error::from_raw_os_error(5)),
            Some(ReadFault::Interrupted) => return Err(io::ErrorKind::Interrupted.into()),
            Some(ReadFault::Short) => self.single = 600,
            Some(ReadFault::Slow) => std::thread::sleep(std::time::Duration::from_millis(5)),
            Some(ReadFault::Flipped) => {
                let read = self.bytes.read(buf)?;
                buf[0] ^= 1;
                return Ok(read);
            }
            None => {}
        }
        if self.single > 0 {
            self.single -= 1;
            return self.bytes.read(&mut buf[..1]);
        }
        self.bytes.read(buf)
    }
}

/// The table of sources: the error in words, and the state in which the disk is left; `None` for an
/// install that is complete. Until all of the head is there, nothing is written.
fn expected_of_source(fault: ReadFault, at: usize) -> Option<(String, DiskState)> {
    let state = if at < MIB {
        DiskState::Untouched
    } else {
        DiskState::Unbootable { saved: 1 }
    };
    match fault {
        ReadFault::End => Some((format!("ended after {at} of {IMAGE}"), state)),
        ReadFault::Broken => Some((format!("unreadable at {at}"), state)),
        // Only all of the bytes tell.
        ReadFault::Flipped => Some(("digest".to_owned(), DiskState::Unbootable { saved: 1 })),
        ReadFault::Interrupted | ReadFault::Short | ReadFault::Slow => None,
    }
}

/// The table of disks: a disk that works again afterwards holds the kept partitions; one that does
/// not is in a state that nobody knows.
fn expected_of_disk(fault: DiskFault) -> Option<DiskState> {
    match fault {
        DiskFault::Once | DiskFault::Torn => Some(DiskState::Unbootable { saved: 1 }),
        DiskFault::Dead => Some(DiskState::Unknown),
        DiskFault::Slow => None,
    }
}

/// An error in words.
fn in_words(cause: &InstallCause) -> String {
    match cause {
        InstallCause::Seal(SealError::Image(ImageError::Source(error))) => match error {
            SourceError::Length { want, got, .. } => format!("ended after {got} of {want}"),
            SourceError::Read { offset, .. } => format!("unreadable at {offset}"),
            other => panic!("{other:?}"),
        },
        InstallCause::Seal(SealError::Image(ImageError::Verify(VerifyError::Digest {
            ..
        }))) => "digest".to_owned(),
        InstallCause::Seal(SealError::Disk { what, .. }) => (*what).to_owned(),
        InstallCause::Seal(SealError::Boot(BootError::Edit(_))) => "boot".to_owned(),
        InstallCause::Saved(SavedError::Read(_)) => "table".to_owned(),
        InstallCause::Cancelled(_) => "interrupted".to_owned(),
        other => panic!("{other:?}"),
    }
}

/// Asserts that the disk is in the state that is said, and that it never boots half written.
fn assert_is(disk: &Recorder, state: Option<DiskState>, what: &str) {
    let bytes = disk.bytes();
    let names = || -> Vec<String> {
        let parts = table_of(&bytes).unwrap_or_else(|| panic!("{what}: no table"));
        parts.into_iter().map(|(name, _)| name).collect()
    };
    match state {
        Some(DiskState::Untouched) => assert!(bytes == old_disk(), "{what}: it was touched"),
        Some(DiskState::Unbootable { saved: 1 }) => {
            assert!(!boots(&bytes), "{what}: it boots");
            assert_eq!(names(), ["data"], "{what}");
        }
        Some(DiskState::Unknown) => {}
        Some(other) => panic!("{what}: {other:?}"),
        None => {
            let mut image = image();
            image[MARK_AT..MARK_AT + 512].copy_from_slice(&MARK);
            assert!(
                bytes[MIB..IMAGE - 512 * 64] == image[MIB..IMAGE - 512 * 64],
                "{what}"
            );
            assert!(boots(&bytes), "{what}: it does not boot");
            assert_eq!(names(), ["ESP", "boot", "root", "data"], "{what}");
        }
    }
    assert_safe(&bytes, &done(), true, what);
}

/// The disk after an install that nothing disturbed.
fn done() -> Vec<u8> {
    static DONE: OnceLock<Vec<u8>> = OnceLock::new();
    let make = || {
        let disk = Recorder::new(old_disk());
        run(&disk, Sha256Digest::of(&image()), "data").unwrap();
        disk.bytes()
    };
    DONE.get_or_init(make).clone()
}

#[test]
fn a_source_that_breaks_at_any_step_leaves_what_the_table_says() {
    let (bytes, digest) = (image(), Sha256Digest::of(&image()));
    for at in (0..IMAGE).step_by(PIECE) {
        for fault in READ_FAULTS {
            let what = format!("{fault:?} at {at}");
            let source = Source::boxed(bytes.clone(), at, fault);
            let disk = Recorder::new(old_disk());
            let pipeline = pipeline_of(source, Some(IMAGE as u64), digest, &Cancel::new());
            let outcome = run_pipeline(&disk, pipeline, "data").map(|_| ());
            let outcome = outcome.err().map(|e| (in_words(&e.source), e.state));
            let expected = expected_of_source(fault, at);
            assert_eq!(outcome, expected, "{what}");
            assert_is(&disk, expected.map(|(_, state)| state), &what);
        }
    }
}

#[test]
fn a_source_of_another_length_than_it_says_is_refused_where_that_shows() {
    let digest = Sha256Digest::of(&image());
    let (short, exact, long) = (IMAGE as u64 - 1, IMAGE as u64, IMAGE as u64 + 1);
    let unbootable = DiskState::Unbootable { saved: 1 };
    let mut grown = image();
    grown.push(0);
    let cut = image()[..IMAGE - 1].to_vec();
    for (bytes, says, expected) in [
        // A file that grew or shrank since it was opened, a server that lies: one byte is enough.
        (
            image(),
            Some(long),
            format!("ended after {exact} of {long}"),
        ),
        (
            grown.clone(),
            Some(exact),
            format!("ended after {long} of {exact}"),
        ),
        (
            image(),
            Some(short),
            format!("ended after {exact} of {short}"),
        ),
        (
            cut.clone(),
            Some(exact),
            format!("ended after {short} of {exact}"),
        ),
        // Without a promise only the digest can tell.
        (grown, None, "digest".to_owned()),
        (cut, None, "digest".to_owned()),
    ] {
        let disk = Recorder::new(old_disk());
        let pipeline = pipeline_of(Box::new(Cursor::new(bytes)), says, digest, &Cancel::new());
        let error = run_pipeline(&disk, pipeline, "data").unwrap_err();
        assert_eq!(
            (in_words(&error.source), error.state),
            (expected.clone(), unbootable)
        );
        assert_is(&disk, Some(unbootable), &expected);
    }
}

#[test]
fn a_disk_that_breaks_at_any_step_leaves_what_the_table_says() {
    let digest = Sha256Digest::of(&image());
    let whole = Recorder::new(old_disk());
    run(&whole, digest, "data").unwrap();
    let log = whole.log();
    assert!(log.len() > 15, "{}", log.len());
    let is_mark = |op: &Op| matches!(op, Op::Write(at, data) if *at == MARK_AT && data == &MARK);
    for (step, op) in log.iter().enumerate() {
        for fault in [
            DiskFault::Once,
            DiskFault::Torn,
            DiskFault::Dead,
            DiskFault::Slow,
        ] {
            let what = format!("{fault:?} at step {step}");
            let disk = Recorder::new(old_disk()).breaking(step, fault);
            let outcome = run(&disk, digest, "data").map(|_| ());
            let expected = expected_of_disk(fault);
            let state = outcome.as_ref().err().map(|error| error.state);
            assert_eq!(state, expected, "{what}");
            if let Err(error) = outcome {
                let words = in_words(&error.source);
                match op {
                    Op::Flush => assert_eq!(words, "flush", "{what}"),
                    op if is_mark(op) => assert_eq!(words, "boot", "{what}"),
                    Op::Write(..) => {
                        assert!(matches!(&*words, "write" | "zero"), "{what}: {words}")
                    }
                }
            }
            assert_is(&disk, state, &what);
        }
    }
}

#[test]
fn a_disk_whose_table_cannot_be_read_is_not_touched_if_something_is_to_be_kept() {
    let digest = Sha256Digest::of(&image());
    let whole = Recorder::new(old_disk());
    run(&whole, digest, "data").unwrap();
    assert!(whole.reads() >= 2, "header and entries");
    for read in 0..whole.reads() {
        let disk = Recorder::new(old_disk()).unreadable(read);
        let error = run(&disk, digest, "data").unwrap_err();
        assert_eq!(in_words(&error.source), "table");
        assert_eq!(error.state, DiskState::Untouched);
        assert_is(&disk, Some(error.state), &format!("read {read}"));
    }
}

#[test]
fn a_disk_that_is_smaller_than_it_says_is_found_out_before_its_start_is_touched() {
    let digest = Sha256Digest::of(&image());
    for end in [DISK - 512, IMAGE, 2 * MIB] {
        let disk = Recorder::new(old_disk()).ending_at(end);
        let error = run(&disk, digest, "data").unwrap_err();
        // The first write is the table's backup, at the end that is not there.
        assert_eq!(in_words(&error.source), "write");
        assert_eq!(error.state, DiskState::Unknown);
        assert!(disk.bytes() == old_disk(), "something was written");
        assert!(disk.log().is_empty());
    }
}

#[test]
fn a_compressed_source_that_is_cut_anywhere_never_boots_and_says_what_is_on_the_disk() {
    let mut bytes = image();
    // Something that does not pack well, so that the cuts are spread over the image.
    let mut noise = 1u32;
    for byte in &mut bytes[MIB..4 * MIB] {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = noise.to_be_bytes()[0];
    }
    let packed = zstd::encode_all(bytes.as_slice(), 1).unwrap();
    let mut states = Vec::new();
    for tenth in 0..10 {
        let cut = packed.len() * tenth / 10;
        let disk = Recorder::new(old_disk());
        let source = Cursor::new(packed[..cut].to_vec());
        let length = Some(packed.len() as u64);
        let digest = Sha256Digest::of(&packed);
        let pipeline = pipeline_of(Box::new(source), length, digest, &Cancel::new());
        let error = run_pipeline(&disk, pipeline, "data").unwrap_err();
        let words = format!("ended after {cut} of {}", packed.len());
        assert_eq!(in_words(&error.source), words);
        assert_is(&disk, Some(error.state), &words);
        states.push(error.state);
    }
    assert_eq!(states[0], DiskState::Untouched);
    assert_eq!(states[9], DiskState::Unbootable { saved: 1 });
}

#[test]
fn a_signal_at_any_step_leaves_kept_partitions_only_or_a_complete_install() {
    let digest = Sha256Digest::of(&image());
    let whole = Recorder::new(old_disk());
    run(&whole, digest, "data").unwrap();
    let log = whole.log();
    let is_mark = |op: &Op| matches!(op, Op::Write(at, data) if *at == MARK_AT && data == &MARK);
    // Once all is verified, what is left is shorter than undoing it.
    let verified = log.iter().position(is_mark).unwrap();
    for step in 0..log.len() {
        let cancel = Cancel::new();
        let disk = Recorder::new(old_disk()).signalled(step, cancel.clone());
        let source = Box::new(Cursor::new(image()));
        let pipeline = pipeline_of(source, Some(IMAGE as u64), digest, &cancel);
        let outcome = run_pipeline(&disk, pipeline, "data").err();
        let outcome = outcome.map(|e| (in_words(&e.source), e.state));
        let undone = ("interrupted".to_owned(), DiskState::Unbootable { saved: 1 });
        let expected = (step < verified).then_some(undone);
        assert_eq!(outcome, expected, "step {step}");
        let state = outcome.map(|(_, state)| state);
        assert_is(&disk, state, &format!("signal at step {step}"));
    }
}
