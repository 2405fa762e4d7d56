//! Bootable media made from one verified OS image.
#![forbid(unsafe_code)]

pub mod iso;
