//! What GRUB needs on a medium: its configuration with the kernel argument area, and the stub that
//! leads every GRUB (ours for BIOS, the image's signed one for UEFI) to it.

mod config;
mod core;

pub use config::{AreaError, Config, KargsJson, config, kargs_area_size, stub};
pub use core::{BOOT_CODE, CoreError, bios_image, boot_code};
