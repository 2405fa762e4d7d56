//! Whether this machine has the memory to hold the live root. Reads `/proc/meminfo` and decides;
//! the mounts are made elsewhere.

/// Memory that the running live system itself needs beside the rootfs, bytes: services, the page
/// cache under an install, and the overlay's upper layer.
pub const SYSTEM_NEEDS: u64 = 256 * MIB;

const MIB: u64 = 1024 * 1024;

/// What `/proc/meminfo` says, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// All memory that the kernel manages.
    pub total: u64,
    /// What can be taken without swapping.
    pub available: u64,
}

/// The live root does not fit.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "not enough memory for the live system: its rootfs takes {} MiB and the system {} MiB, but {} MiB of {} MiB are available",
    .rootfs.div_ceil(MIB), SYSTEM_NEEDS / MIB, .memory.available / MIB, .memory.total / MIB
)]
pub struct TooSmall {
    /// Size of the rootfs, bytes.
    pub rootfs: u64,
    /// What the machine has.
    pub memory: Memory,
}

impl TooSmall {
    /// Bytes that are missing.
    pub fn missing(&self) -> u64 {
        self.rootfs
            .saturating_add(SYSTEM_NEEDS)
            .saturating_sub(self.memory.available)
    }
}

impl Memory {
    /// Reads the text of `/proc/meminfo`. A missing line counts as zero.
    pub fn parse(meminfo: &str) -> Self {
        let field = |name: &str| {
            meminfo
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
                .unwrap_or(0)
                .saturating_mul(1024)
        };
        Self {
            total: field("MemTotal"),
            available: field("MemAvailable"),
        }
    }

    /// Checks that a rootfs of `rootfs` bytes can be kept in memory beside a running system.
    pub fn check(self, rootfs: u64) -> Result<(), TooSmall> {
        if self.available < rootfs.saturating_add(SYSTEM_NEEDS) {
            return Err(TooSmall {
                rootfs,
                memory: self,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMINFO: &str =
        "MemTotal:        2031616 kB\nMemFree:          100 kB\nMemAvailable:     512000 kB\n";

    #[test]
    fn meminfo_is_read_in_bytes() {
        let memory = Memory::parse(MEMINFO);
        assert_eq!(
            memory,
            Memory {
                total: 2031616 * 1024,
                available: 512000 * 1024
            }
        );
        assert_eq!(
            Memory::parse("garbage\nMemTotal: x kB"),
            Memory {
                total: 0,
                available: 0
            }
        );
    }

    #[test]
    fn the_limit_is_rootfs_plus_system() {
        let memory = Memory {
            total: 1024 * MIB,
            available: 500 * MIB,
        };
        assert_eq!(memory.check(244 * MIB), Ok(()));
        let error = memory.check(244 * MIB + 1).unwrap_err();
        assert_eq!(error.missing(), 1);
        assert_eq!(
            error.to_string(),
            "not enough memory for the live system: its rootfs takes 245 MiB and the system 256 MiB, but 500 MiB of 1024 MiB are available"
        );
        assert!(memory.check(u64::MAX).is_err());
    }
}
