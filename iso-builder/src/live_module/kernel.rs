//! The kernel modules that an initramfs lacks, with those that they need, out of the image's root
//! file system, as they lie there (compressed or not); and the kernel's version, which names their
//! directory. Formats: modules.dep(5); Linux `Documentation/arch/x86/boot.rst`.

use std::collections::{BTreeMap, BTreeSet};

use super::{LiveModule, ModuleError, Survey};
use crate::image::{RootError, RootFiles};

/// Largest kernel module or index that is read, bytes.
const MAX_FILE: u64 = 64 << 20;
/// Longest version of a kernel, bytes.
const MAX_RELEASE: usize = 128;
/// What `modprobe` and systemd read to find modules; those that are in the root file system replace
/// the initramfs' own, which do not know the new modules.
const INDEXES: [&str; 12] = [
    "modules.alias",
    "modules.alias.bin",
    "modules.builtin",
    "modules.builtin.alias.bin",
    "modules.builtin.bin",
    "modules.builtin.modinfo",
    "modules.dep",
    "modules.dep.bin",
    "modules.devname",
    "modules.order",
    "modules.softdep",
    "modules.symbols.bin",
];

/// Files for the initramfs, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KernelModules {
    pub(super) files: BTreeMap<String, Vec<u8>>,
}

/// Version of an x86 kernel as `uname -r` prints it: the first word of the text that `setup_header`
/// points to.
pub fn kernel_release(kernel: &[u8]) -> Option<String> {
    let pointer = kernel.get(0x20e..0x210)?.try_into().ok()?;
    let at = usize::from(u16::from_le_bytes(pointer)).checked_add(0x200)?;
    let text = kernel.get(at..)?;
    let word = text
        .get(..MAX_RELEASE.min(text.len()))?
        .split(|&byte| byte == 0 || byte == b' ')
        .next()?;
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b".-+_~".contains(byte);
    let good = word.first().is_some_and(u8::is_ascii_digit) && word.iter().all(fits);
    good.then(|| String::from_utf8_lossy(word).into_owned())
}

impl KernelModules {
    /// What `module` needs and the initramfs of `survey` lacks, for the kernel `release`, out of what
    /// `open_root` opens.
    pub fn missing(
        module: &LiveModule,
        survey: &Survey,
        release: &str,
        open_root: impl FnOnce() -> Result<RootFiles, RootError>,
    ) -> Result<Self, ModuleError> {
        let there = Present::of(survey);
        let missing: Vec<(String, bool)> = module
            .kernel_modules()
            .into_iter()
            .filter(|(name, _)| !there.has(name))
            .collect();
        let required = || -> Vec<String> {
            let required = missing.iter().filter(|(_, required)| *required);
            required.map(|(name, _)| name.clone()).collect()
        };
        let root = match open_root() {
            Ok(root) => root,
            // Drivers that some machine may need are no reason to fail.
            Err(_) if required().is_empty() => return Ok(Self::default()),
            Err(source) => {
                return Err(ModuleError::Root {
                    missing: required(),
                    source,
                });
            }
        };
        let failed = |source| ModuleError::Root {
            missing: required(),
            source,
        };
        let store = Store::open(&root, release).map_err(failed)?;
        let mut wanted = BTreeSet::new();
        let mut nowhere = Vec::new();
        for (name, is_required) in &missing {
            match store.find(name) {
                Found::Files(files) => wanted.extend(files),
                Found::BuiltIn => {}
                Found::Nowhere if *is_required => nowhere.push(name.clone()),
                Found::Nowhere => {}
            }
        }
        if !nowhere.is_empty() {
            return Err(ModuleError::NoKernelModule(nowhere));
        }
        wanted.retain(|path| !there.has(module_name(path)));
        store.take(&wanted).map_err(failed)
    }
}

/// Name of the module in a file, as it is loaded: `-` and `_` are one.
fn module_name(path: &str) -> &str {
    let file = path.rsplit_once('/').map_or(path, |(_, file)| file);
    file.split_once(".ko").map_or(file, |(name, _)| name)
}

fn normal(name: &str) -> String {
    name.replace('-', "_")
}

/// The modules that an initramfs has, or its kernel.
struct Present(BTreeSet<String>);

impl Present {
    fn of(survey: &Survey) -> Self {
        let files = survey.paths().filter(|path| path.contains(".ko"));
        let builtin = survey.builtin.lines();
        Self(
            files
                .chain(builtin)
                .map(|path| normal(module_name(path)))
                .collect(),
        )
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains(&normal(name))
    }
}

/// The modules of the root file system.
struct Store<'a> {
    root: &'a RootFiles,
    release: &'a str,
    /// Files of each module, its own first, by its name.
    dependencies: BTreeMap<String, Vec<String>>,
    builtin: BTreeSet<String>,
}

enum Found {
    Files(Vec<String>),
    BuiltIn,
    Nowhere,
}

impl<'a> Store<'a> {
    fn open(root: &'a RootFiles, release: &'a str) -> Result<Self, RootError> {
        let text = |file: &str| -> Result<String, RootError> {
            let bytes = root.read(&format!("/usr/lib/modules/{release}/{file}"), MAX_FILE)?;
            Ok(String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned())
        };
        let dependencies = text("modules.dep")?
            .lines()
            .filter_map(|line| {
                let (own, others) = line.split_once(':')?;
                let files = std::iter::once(own).chain(others.split_whitespace());
                let files: Vec<String> = files.map(str::to_owned).collect();
                Some((normal(module_name(own)), files))
            })
            .collect();
        let builtin = text("modules.builtin")?;
        Ok(Self {
            root,
            release,
            dependencies,
            builtin: builtin
                .lines()
                .map(|path| normal(module_name(path)))
                .collect(),
        })
    }

    fn find(&self, name: &str) -> Found {
        let name = normal(name);
        match self.dependencies.get(&name) {
            Some(files) => Found::Files(files.clone()),
            None if self.builtin.contains(&name) => Found::BuiltIn,
            None => Found::Nowhere,
        }
    }

    /// The files of `modules` and the indexes; nothing when no module is wanted.
    fn take(&self, modules: &BTreeSet<String>) -> Result<KernelModules, RootError> {
        let mut taken = KernelModules::default();
        if modules.is_empty() {
            return Ok(taken);
        }
        let indexes = INDEXES.iter().map(|&name| name.to_owned());
        for file in modules.iter().cloned().chain(indexes) {
            let path = format!("usr/lib/modules/{}/{file}", self.release);
            // Names in the list of modules are not trusted to stay below it.
            if file.split('/').any(|part| matches!(part, "" | "." | "..")) {
                continue;
            }
            if let Some(bytes) = self.root.read(&format!("/{path}"), MAX_FILE)? {
                taken.files.insert(path, bytes);
            }
        }
        Ok(taken)
    }
}
