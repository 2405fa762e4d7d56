//! matchbox data beside a site's own groups, for machines that none of these matches: reading them
//! with the site, whole or not at all, and finding the group of a machine.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::{Site, SiteError, Warning};
use crate::machine::Subject;
use crate::matchbox::{self, BookError, Labels, Library};

/// What a machine gets of the matchbox data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct FromMatchbox {
    /// The group.
    pub group: String,
    /// Its profile.
    pub profile: String,
    /// What that boots.
    pub kernel: String,
}

/// Reads the data directory and refuses what can never be served.
pub(super) fn load(dir: &Path) -> Result<Arc<Library>, SiteError> {
    let refused = |error| match error {
        // Like every other file of the site: it may be out of reach.
        BookError::Read { path, source } => SiteError::Read { path, source },
        source => SiteError::Matchbox {
            path: dir.to_owned(),
            source,
        },
    };
    let library = Library::load(dir).map_err(refused)?;
    library.check().map_err(refused)?;
    Ok(Arc::new(library))
}

/// Whatever makes matchbox data useless.
pub(super) fn warning(site: &Site) -> Option<Warning> {
    let library = site.matchbox.as_ref()?;
    let mut groups = site.groups.iter();
    let (name, _) = groups.find(|(_, group)| group.selector.conditions.is_empty())?;
    Some(Warning {
        path: library.dir.clone(),
        text: format!("no machine gets here: group `{name}` of the site takes all"),
    })
}

/// What matchbox would be told of the machine, as far as it is known.
fn labels(subject: &Subject) -> Labels {
    let facts = &subject.facts;
    let known = [
        ("uuid", facts.uuid.as_deref()),
        ("serial", facts.serial.as_deref()),
        ("asset", facts.asset.as_deref()),
        ("hostname", facts.hostname.as_deref()),
        ("arch", facts.arch.map(crate::boot::Arch::name)),
    ];
    let known = known.iter().filter_map(|(name, value)| {
        let value = (*value)?;
        Some(((*name).to_owned(), value.to_owned()))
    });
    let free = facts.labels.clone().into_iter();
    let mac = ("mac".to_owned(), subject.mac.to_string());
    let said: Vec<(String, String)> = std::iter::once(mac).chain(known).chain(free).collect();
    matchbox::labels(&said)
}

impl Site {
    /// The matchbox group of a machine that said `labels` of itself, with its data.
    pub fn matchbox_group(&self, labels: &Labels) -> Option<(&Arc<Library>, &matchbox::Group)> {
        let library = self.matchbox.as_ref()?;
        Some((library, library.select(labels)?))
    }

    /// The same of a machine that is known, by what is known of it.
    pub fn matchbox_group_of(
        &self,
        subject: &Subject,
    ) -> Option<(&Arc<Library>, &matchbox::Group)> {
        self.matchbox_group(&labels(subject))
    }

    /// Whether a matchbox group may match once the machine says more.
    pub(super) fn matchbox_may_match(&self, subject: &Subject) -> bool {
        let mut settled = labels(subject);
        settled.retain(|name, _| ["mac", "uuid"].contains(&name.as_str()));
        let library = self.matchbox.as_ref();
        library.is_some_and(|library| library.may_select(&settled))
    }

    /// What the machine gets of the matchbox data, for people.
    pub(super) fn matchbox_offer(&self, subject: &Subject) -> Option<FromMatchbox> {
        let (library, group) = self.matchbox_group_of(subject)?;
        let profile = library.profiles.get(&group.profile)?;
        Some(FromMatchbox {
            group: group.id.clone(),
            profile: profile.id.clone(),
            kernel: profile.boot.kernel.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{MAC, site_dir};
    use crate::mac::MacAddr;
    use crate::site::{CurrentSite, UnknownMachines, Watch};

    /// A site with matchbox data that have these files beside a group for everybody.
    fn beside(files: &[(&str, &str)], unknown: &str) -> tempfile::TempDir {
        let dir = site_dir();
        let site_yaml = dir.path().join("site/site.yaml");
        let mut text = std::fs::read_to_string(&site_yaml).unwrap();
        text += &format!("matchbox: ../old\nunknown-machines: {unknown}\n");
        std::fs::write(site_yaml, text).unwrap();
        let own = [
            (
                "groups/default.json",
                r#"{"id": "default", "profile": "etcd"}"#,
            ),
            (
                "profiles/etcd.json",
                r#"{"id": "etcd", "ignition_id": "etcd.bu", "boot": {"kernel": "/assets/k"}}"#,
            ),
            ("ignition/etcd.bu", "variant: fcos\nversion: 1.5.0\n"),
        ];
        for (name, text) in own.iter().chain(files) {
            let path = dir.path().join("old").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        dir
    }

    fn load(dir: &tempfile::TempDir) -> Result<Site, SiteError> {
        Site::load(&dir.path().join("site"))
    }

    #[test]
    fn the_sites_groups_decide_first_and_explain_names_who_decides_then() {
        let dir = beside(&[], "boot-disk");
        let site = load(&dir).unwrap();
        let own = site.explain(&Subject::new(MAC.parse().unwrap()));
        assert_eq!((own.chosen.is_some(), own.matchbox), (true, None));
        let stranger = site.explain(&Subject::new(MacAddr([2; 6])));
        assert!(stranger.chosen.is_none());
        assert!(
            stranger.to_string().starts_with(
                "02:02:02:02:02:02: no group of this site matches; matchbox group default does\n  profile etcd, boots /assets/k\n"
            ),
            "{stranger}"
        );
        assert_eq!(site.assets(), "media", "`assets` is matchbox's");
        assert!(site.warnings.is_empty(), "{:?}", site.warnings);
        std::fs::write(dir.path().join("site/groups/all.yaml"), "profile: worker\n").unwrap();
        let warnings = load(&dir).unwrap().warnings;
        assert_eq!(
            warnings.last().unwrap().text,
            "no machine gets here: group `all` of the site takes all"
        );
    }

    #[test]
    fn only_machines_that_no_matchbox_group_can_match_are_ignored() {
        let one = r#"{"id": "default", "profile": "etcd", "selector": {"mac": "02-00-00-00-00-01", "os": "x"}}"#;
        let dir = beside(&[("groups/default.json", one)], "ignore");
        let site = load(&dir).unwrap();
        assert_eq!(site.unknown_machines, UnknownMachines::Ignore);
        let may = |last: u8| site.may_serve(&Subject::new(MacAddr([2, 0, 0, 0, 0, last])));
        assert_eq!((may(1), may(2)), (true, false));
    }

    #[test]
    fn data_that_can_never_be_served_refuse_the_site_with_file_and_line() {
        let config = |name: &str| {
            format!(r#"{{"id": "etcd", "ignition_id": "{name}", "boot": {{"kernel": "k"}}}}"#)
        };
        for (name, text, file, line, want) in [
            (
                "groups/a.json",
                "{\n\n!".to_owned(),
                "groups/a.json",
                Some(3),
                "is no group or profile",
            ),
            (
                "groups/a.json",
                r#"{"id": "a", "profile": "none"}"#.to_owned(),
                "groups",
                None,
                "group `a` names the profile `none`, which is not there",
            ),
            (
                "profiles/etcd.json",
                config("gone.bu"),
                "ignition/gone.bu",
                None,
                "cannot read",
            ),
            (
                "profiles/etcd.json",
                config("../groups/default.json"),
                "ignition/../groups/default.json",
                None,
                "is no plain file name",
            ),
            (
                "ignition/etcd.bu",
                "a: b\nc: {{.x".to_owned(),
                "ignition/etcd.bu",
                Some(2),
                "line 2",
            ),
        ] {
            let dir = beside(&[(name, &text)], "boot-disk");
            let error = load(&dir).unwrap_err();
            let place = error.place();
            let old = dir.path().join("site/../old");
            assert_eq!(place, (old.join(file).as_path(), line), "{error:?}");
            let refused = crate::site::Refused::of(&error);
            let told = format!("{}: {}", refused.error, refused.cause.unwrap_or_default());
            assert!(told.contains(want), "{told}");
        }
    }

    #[test]
    fn a_change_of_a_config_is_taken_with_the_whole_site_or_not_at_all() {
        let dir = beside(&[], "boot-disk");
        let (current, mut watch): (CurrentSite, Watch) =
            Watch::begin(&dir.path().join("site")).unwrap();
        let config = || {
            let library = current.get().matchbox.clone().unwrap();
            matchbox::render_file(
                &library,
                matchbox::Folder::Ignition,
                "etcd.bu",
                &serde_json::json!({}),
            )
            .unwrap()
        };
        let write = |name: &str, text: &str| {
            std::fs::write(dir.path().join("old").join(name), text).unwrap();
        };
        write("ignition/etcd.bu", "changed");
        write("groups/broken.json", "{");
        watch.look(true);
        assert!(current.status().refused.is_some());
        assert!(config().starts_with("variant"), "as it was");
        std::fs::remove_file(dir.path().join("old/groups/broken.json")).unwrap();
        watch.look(false);
        watch.look(false);
        assert_eq!(current.status().refused, None);
        assert_eq!(config(), "changed");
    }
}
