//! The description of a machine and how it becomes a QEMU command line.
//!
//! Devices are tried for booting in the order in which they were added.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{Accel, Drive, Firmware, Nic, Vm};

/// What a machine boots first.
#[derive(Clone, Debug)]
pub enum Boot {
    /// Firmware, which then tries the devices.
    Firmware(Firmware),
    /// A kernel handed over by QEMU, for cases whose subject is not the firmware.
    Kernel {
        /// Kernel image.
        kernel: PathBuf,
        /// Initrd; several are concatenated by the caller.
        initrd: Option<PathBuf>,
        /// Kernel arguments.
        kargs: String,
    },
}

/// What a reboot by the guest does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnReboot {
    /// The machine starts again, as real ones do.
    Restart,
    /// QEMU ends; needed after [`Boot::Kernel`], which would hand over the same kernel again.
    Exit,
}

enum Device {
    Drive(Drive),
    Nic(Nic),
}

/// A machine to be started.
#[expect(
    missing_debug_implementations,
    reason = "its QEMU command line is in the log directory"
)]
pub struct Machine {
    name: String,
    directory: PathBuf,
    accel: Accel,
    memory_mib: u32,
    boot: Boot,
    on_reboot: OnReboot,
    devices: Vec<Device>,
    fw_cfg: Vec<String>,
}

impl Machine {
    /// A machine without any device, to be started by an isolated process and with a `name` that
    /// no other of its running machines has. Its serial log `NAME.serial.log`, command line and UEFI
    /// variables are kept in `directory`.
    pub fn new(name: &str, directory: &Path, accel: Accel, boot: Boot) -> Self {
        Self {
            name: name.to_owned(),
            directory: directory.to_owned(),
            accel,
            memory_mib: 2048,
            boot,
            on_reboot: OnReboot::Restart,
            devices: Vec::new(),
            fw_cfg: Vec::new(),
        }
    }

    /// Sets the memory size.
    #[must_use]
    pub fn memory_mib(mut self, size: u32) -> Self {
        self.memory_mib = size;
        self
    }

    /// Sets what a reboot by the guest does.
    #[must_use]
    pub fn on_reboot(mut self, action: OnReboot) -> Self {
        self.on_reboot = action;
        self
    }

    /// Adds a drive.
    #[must_use]
    pub fn drive(mut self, drive: Drive) -> Self {
        self.devices.push(Device::Drive(drive));
        self
    }

    /// Adds a network card.
    #[must_use]
    pub fn nic(mut self, nic: Nic) -> Self {
        self.devices.push(Device::Nic(nic));
        self
    }

    /// Gives the guest a file by the firmware configuration device.
    #[must_use]
    pub fn fw_cfg_file(mut self, name: &str, file: &Path) -> Self {
        self.fw_cfg
            .push(format!("name={name},file={}", file.display()));
        self
    }

    /// Gives the guest or its firmware a word by the firmware configuration device.
    #[must_use]
    pub fn fw_cfg_string(mut self, name: &str, value: &str) -> Self {
        self.fw_cfg.push(format!("name={name},string={value}"));
        self
    }

    /// Switches the machine on.
    pub fn start(self) -> Result<Vm> {
        let serial = self.directory.join(format!("{}.serial.log", self.name));
        // Socket paths are limited to 107 bytes, which a log directory's may exceed.
        let qmp = Path::new("/run").join(format!("{}.qmp", self.name));
        let arguments = self.arguments(&serial, &qmp)?;
        Vm::spawn(&self.name, &self.directory, &arguments, &serial, &qmp)
    }

    fn arguments(&self, serial: &Path, qmp: &Path) -> Result<Vec<OsString>> {
        let vars = self.directory.join(format!("{}.vars", self.name));
        let mut arguments: Vec<OsString> = ["-nodefaults", "-display", "none", "-smp", "1", "-m"]
            .map(Into::into)
            .into();
        arguments.push(self.memory_mib.to_string().into());
        arguments.extend(self.accel.arguments());
        match &self.boot {
            Boot::Firmware(firmware) => arguments.extend(firmware.arguments(&vars)?),
            Boot::Kernel {
                kernel,
                initrd,
                kargs,
            } => {
                arguments.extend(Firmware::SeaBios.arguments(&vars)?);
                arguments.extend([
                    "-kernel".into(),
                    kernel.into(),
                    "-append".into(),
                    kargs.into(),
                ]);
                if let Some(initrd) = initrd {
                    arguments.extend(["-initrd".into(), initrd.into()]);
                }
            }
        }
        // Guests that wait for entropy would make every boot slower, and by chance.
        arguments.extend(["-object", "rng-random,id=rng,filename=/dev/urandom"].map(Into::into));
        arguments.extend(["-device", "virtio-rng-pci,rng=rng"].map(Into::into));
        // Opened for appending: a second start of the same machine goes on in the same log.
        arguments.push("-chardev".into());
        arguments.push(format!("file,id=serial,path={},append=on", serial.display()).into());
        arguments.extend(["-serial".into(), "chardev:serial".into()]);
        arguments.push("-qmp".into());
        arguments.push(format!("unix:{},server=on,wait=off", qmp.display()).into());
        if self.on_reboot == OnReboot::Exit {
            arguments.push("-no-reboot".into());
        }
        // Index 0 belongs to a kernel that QEMU hands over.
        for (index, device) in self.devices.iter().enumerate() {
            match device {
                Device::Drive(drive) => arguments.extend(drive.arguments(index, index + 1)),
                Device::Nic(nic) => arguments.extend(nic.arguments(Some(index + 1))),
            }
        }
        if !self
            .devices
            .iter()
            .any(|device| matches!(device, Device::Nic(_)))
        {
            arguments.extend(Nic::None.arguments(None));
        }
        for entry in &self.fw_cfg {
            arguments.extend(["-fw_cfg".into(), entry.into()]);
        }
        Ok(arguments)
    }
}
