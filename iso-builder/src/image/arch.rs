//! The machine that a kernel is for, from its own header.

use std::fmt;

/// Machine of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Arch {
    /// 64-bit x86.
    X86_64,
    /// 64-bit Arm.
    Aarch64,
}

impl fmt::Display for Arch {
    /// As `uname -m` prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        })
    }
}

/// Machine of `kernel`: by the x86 boot protocol (`HdrS` at 0x202, 64-bit flag in `xloadflags`), the
/// arm64 image header (magic at 0x38) or the PE header of an EFI kernel; `None` when it is none.
pub fn of_kernel(kernel: &[u8]) -> Option<Arch> {
    let at = |offset: usize, len: usize| kernel.get(offset..offset.checked_add(len)?);
    let u16_at = |offset| {
        at(offset, 2)
            .and_then(|b| b.try_into().ok())
            .map(u16::from_le_bytes)
    };
    let u32_at = |offset| {
        at(offset, 4)
            .and_then(|b| b.try_into().ok())
            .map(u32::from_le_bytes)
    };
    if at(0x202, 4) == Some(b"HdrS") && u16_at(0x236).is_some_and(|flags| flags & 1 != 0) {
        return Some(Arch::X86_64);
    }
    if at(0x38, 4) == Some(b"ARM\x64") {
        return Some(Arch::Aarch64);
    }
    let pe = usize::try_from(u32_at(0x3c)?)
        .ok()
        .filter(|_| kernel.starts_with(b"MZ"))?;
    let machine = u16_at(pe.checked_add(4)?).filter(|_| at(pe, 4) == Some(b"PE\0\0"))?;
    match machine {
        0x8664 => Some(Arch::X86_64),
        0xaa64 => Some(Arch::Aarch64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pe(machine: u16) -> Vec<u8> {
        let mut out = vec![0u8; 0x80];
        out[..2].copy_from_slice(b"MZ");
        out[0x3c] = 0x60;
        out[0x60..0x64].copy_from_slice(b"PE\0\0");
        out[0x64..0x66].copy_from_slice(&machine.to_le_bytes());
        out
    }

    #[test]
    fn each_header_tells_its_machine() {
        assert_eq!(of_kernel(&pe(0x8664)), Some(Arch::X86_64));
        assert_eq!(of_kernel(&pe(0xaa64)), Some(Arch::Aarch64));
        assert_eq!(of_kernel(&pe(0x014c)), None);
        let mut bz = vec![0u8; 0x300];
        bz[0x202..0x206].copy_from_slice(b"HdrS");
        assert_eq!(of_kernel(&bz), None);
        bz[0x236] = 1;
        assert_eq!(of_kernel(&bz), Some(Arch::X86_64));
    }

    #[test]
    fn header_that_points_outside_the_kernel_is_no_header() {
        let mut lying = pe(0x8664);
        lying[0x3c..0x40].copy_from_slice(&[0xff; 4]);
        assert_eq!(of_kernel(&lying), None);
        assert_eq!(of_kernel(b"MZ"), None);
    }
}
