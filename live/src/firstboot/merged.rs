//! The merged config that Ignition leaves in `/run/ignition.json`: only the names of what it made
//! are read; what they became is read from the system itself. Ignition spec 3.x.

use serde::Deserialize;

/// Names of everything that a config makes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct MergedConfig {
    /// Users and groups.
    pub passwd: Passwd,
    /// Files, directories, links.
    pub storage: Storage,
    /// systemd units.
    pub systemd: Systemd,
}

/// `passwd`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Passwd {
    /// Users.
    pub users: Vec<Named>,
    /// Groups.
    pub groups: Vec<Named>,
}

/// `storage`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Storage {
    /// Files.
    pub files: Vec<Node>,
    /// Directories.
    pub directories: Vec<Node>,
    /// Symbolic and hard links.
    pub links: Vec<Node>,
}

/// `systemd`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Systemd {
    /// Units.
    pub units: Vec<Unit>,
}

/// Something with a name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Named {
    /// Its name.
    pub name: String,
}

/// Something with a path.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Node {
    /// Absolute path.
    pub path: String,
}

/// A unit.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Unit {
    /// Its name.
    pub name: String,
    /// Its drop-ins.
    #[serde(default)]
    pub dropins: Vec<Named>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_the_rest_is_left() {
        let json = r#"{"ignition":{"version":"3.4.0-experimental","config":{"replace":{"verification":{}}}},
            "kernelArguments":{},"passwd":{"users":[{"name":"core","groups":["adm"]}]},
            "storage":{"files":[{"group":{},"path":"/etc/x","user":{},"contents":{"source":"data:,x"}}]},
            "systemd":{"units":[{"name":"a.service","enabled":true,"dropins":[{"name":"b.conf","contents":"c"}]}]}}"#;
        let merged: MergedConfig = serde_json::from_str(json).unwrap();
        assert_eq!(
            merged.passwd.users,
            [Named {
                name: "core".into()
            }]
        );
        assert_eq!(
            merged.storage.files,
            [Node {
                path: "/etc/x".into()
            }]
        );
        assert_eq!(
            merged.systemd.units[0].dropins,
            [Named {
                name: "b.conf".into()
            }]
        );
        assert_eq!(
            serde_json::from_str::<MergedConfig>("{}").unwrap(),
            MergedConfig::default()
        );
    }
}
