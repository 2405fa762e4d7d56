//! Which shared libraries a program needs, as its own dynamic linker finds them on this machine:
//! the interpreter from the ELF program headers (System V ABI, chapter 5), the rest by asking it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

const ELF64_LITTLE: &[u8] = b"\x7fELF\x02\x01";
const PT_INTERP: u32 = 3;
/// Longest path of an interpreter, bytes.
const MAX_PATH: usize = 4096;

/// Why a program's libraries are not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LibraryError {
    /// No program of a 64-bit machine.
    #[error("it is not a 64-bit ELF program")]
    NotElf,
    /// The dynamic linker could not be asked.
    #[error("cannot run {}", .linker.display())]
    Linker {
        /// The dynamic linker.
        linker: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A library that is not there.
    #[error("{} does not find all of its libraries: {said}", .linker.display())]
    Missing {
        /// The dynamic linker.
        linker: PathBuf,
        /// What it said.
        said: String,
    },
}

/// A program's dynamic linker and libraries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Libraries {
    pub(super) linker: PathBuf,
    pub(super) files: Vec<PathBuf>,
}

/// What the program at `path`, whose bytes are `bytes`, needs; `None` if it is static.
pub(super) fn of_program(path: &Path, bytes: &[u8]) -> Result<Option<Libraries>, LibraryError> {
    if !bytes.starts_with(ELF64_LITTLE) {
        return Err(LibraryError::NotElf);
    }
    let Some(linker) = interpreter(bytes) else {
        return Ok(None);
    };
    let output = Command::new(&linker)
        .arg("--list")
        .arg(path)
        .env("LC_ALL", "C")
        .output()
        .map_err(|source| LibraryError::Linker {
            linker: linker.clone(),
            source,
        })?;
    let listing = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() || listing.contains("not found") {
        let said = [output.stdout, output.stderr].concat();
        return Err(LibraryError::Missing {
            linker,
            said: String::from_utf8_lossy(&said).trim().to_owned(),
        });
    }
    let files = listing.lines().filter_map(library).collect();
    Ok(Some(Libraries { linker, files }))
}

/// The file in a line `libx.so.1 => /lib/libx.so.1 (0x…)`; other lines name the kernel's own library
/// and the dynamic linker.
fn library(line: &str) -> Option<PathBuf> {
    let (_, rest) = line.split_once(" => ")?;
    let (path, _) = rest.rsplit_once(" (")?;
    Some(PathBuf::from(path))
}

/// The dynamic linker that the program headers name.
fn interpreter(elf: &[u8]) -> Option<PathBuf> {
    let number = |at: usize, len: usize| {
        let field = elf.get(at..at.checked_add(len)?)?;
        let value = field
            .iter()
            .rev()
            .fold(0u64, |n, &byte| n << 8 | u64::from(byte));
        usize::try_from(value).ok()
    };
    let (table, size, count) = (number(0x20, 8)?, number(0x36, 2)?, number(0x38, 2)?);
    let header = (0..count).find_map(|index| {
        let at = table.checked_add(index.checked_mul(size)?)?;
        (number(at, 4)? == PT_INTERP as usize).then_some(at)
    })?;
    let (start, length) = (
        number(header.checked_add(8)?, 8)?,
        number(header.checked_add(0x20)?, 8)?,
    );
    let bytes = elf.get(start..start.checked_add(length.min(MAX_PATH))?)?;
    let path = bytes.split(|&byte| byte == 0).next()?;
    std::str::from_utf8(path).ok().map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_those_that_the_linker_lists() {
        for (line, want) in [
            (
                "\tlibssl.so.3 => /lib/x/libssl.so.3 (0x00007f6469a5e000)",
                Some("/lib/x/libssl.so.3"),
            ),
            ("\tlinux-vdso.so.1 (0x00007f6469b19000)", None),
            ("\t/lib64/ld-linux-x86-64.so.2 (0x00007f6469b1b000)", None),
        ] {
            assert_eq!(library(line), want.map(PathBuf::from), "{line}");
        }
    }

    #[test]
    fn headers_that_lie_name_no_interpreter() {
        let mut elf = ELF64_LITTLE.to_vec();
        elf.resize(0x100, 0xff);
        assert_eq!(interpreter(&elf), None);
        assert_eq!(interpreter(&elf[..0x30]), None);
        let error = of_program(Path::new("script"), b"#!/bin/sh").unwrap_err();
        assert!(matches!(error, LibraryError::NotElf));
    }
}
