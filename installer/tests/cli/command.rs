//! Runs the built `coreos-installer` and says how it ended.

use std::ffi::OsStr;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// What a run left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

/// Runs the command with `args` and `stdin`; standard output is a pipe.
pub(crate) fn run<S: AsRef<OsStr>>(args: &[S], stdin: &[u8]) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_coreos-installer"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that fails early does not read its input; then the pipe is closed.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    let output = child.wait_with_output().unwrap();
    Ran {
        status: output.status.code().unwrap_or(-1),
        out: output.stdout,
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Ran {
    /// Asserts success without a word on standard error, and gives standard output.
    #[track_caller]
    pub(crate) fn quiet(self) -> Vec<u8> {
        assert_eq!((self.status, self.err.as_str()), (0, ""));
        self.out
    }

    /// Asserts a failure with exactly these lines on standard error.
    #[track_caller]
    pub(crate) fn fails(self, status: i32, err: &str) {
        assert_eq!((self.status, self.err.as_str()), (status, err));
        assert_eq!(self.out, b"");
    }
}
