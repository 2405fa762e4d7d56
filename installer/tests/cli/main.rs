//! The `coreos-installer` command as users and scripts meet it: arguments in; files, output, exact
//! error lines and exit status out.

#[cfg(test)]
mod butane;
#[cfg(test)]
mod command;
#[cfg(test)]
mod customize;
#[cfg(test)]
mod dev;
#[cfg(test)]
mod disks;
#[cfg(test)]
mod fetch;
#[cfg(test)]
mod help;
#[cfg(test)]
mod ignition;
#[cfg(test)]
mod install;
#[cfg(test)]
mod iso;
#[cfg(test)]
mod iso_extract;
#[cfg(test)]
mod iso_kargs;
#[cfg(test)]
mod iso_minimal;
#[cfg(test)]
mod live_iso;
#[cfg(test)]
mod network;
#[cfg(test)]
mod pack;
#[cfg(test)]
mod pxe;
