//! Installs of real images, signed by real keys, onto loop devices: what is on the disk after a
//! success, and after every kind of failure.

#[cfg(test)]
mod access;
#[cfg(test)]
mod boot;
#[cfg(test)]
mod changing;
#[cfg(test)]
mod command;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod formats;
#[cfg(test)]
mod http;
#[cfg(test)]
mod image;
#[cfg(test)]
mod inspect;
#[cfg(test)]
mod keep;
#[cfg(test)]
mod lying;
#[cfg(test)]
mod mapped;
#[cfg(test)]
mod osmet;
#[cfg(test)]
mod packed;
#[cfg(test)]
mod packed_download;
#[cfg(test)]
mod packed_http;
#[cfg(test)]
mod packed_lies;
#[cfg(test)]
mod packed_read;
#[cfg(test)]
mod packed_unsigned;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod request;
#[cfg(test)]
mod resume;
#[cfg(test)]
mod retrofit;
#[cfg(test)]
mod server;
#[cfg(test)]
mod signals;
#[cfg(test)]
mod stale;
#[cfg(test)]
mod system;
#[cfg(test)]
mod trust;
#[cfg(test)]
mod verify;
