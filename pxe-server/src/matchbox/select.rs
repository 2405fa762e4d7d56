//! The labels of a request, and the group that they select: the first, of those with the most
//! selectors, whose every selector is equal.

use std::collections::BTreeMap;

use super::book::Group;
use super::library::Library;
use crate::mac::MacAddr;

/// Labels by name.
pub type Labels = BTreeMap<String, String>;

/// Most labels of a request.
const MAX_LABELS: usize = 64;

/// The labels that a query carries: any key, the first value of each; `mac` in one form, and left
/// out where it is none.
pub fn labels(query: &[(String, String)]) -> Labels {
    let mut labels = Labels::new();
    for (name, value) in query.iter().take(MAX_LABELS) {
        labels.entry(name.clone()).or_insert_with(|| value.clone());
    }
    if let Some(mac) = labels.remove("mac")
        && let Ok(mac) = mac.parse::<MacAddr>()
    {
        labels.insert("mac".to_owned(), mac.to_string());
    }
    labels
}

impl Library {
    /// The group of a machine with these labels.
    pub fn select(&self, labels: &Labels) -> Option<&Group> {
        let fits = |group: &&Group| {
            let mut selectors = group.selector.iter();
            selectors.all(|(name, value)| labels.get(name) == Some(value))
        };
        self.groups.iter().find(fits)
    }

    /// Whether some group can be that of a machine of which these labels are all that is settled:
    /// `mac`, and `uuid` once it is known.
    pub fn may_select(&self, settled: &Labels) -> bool {
        let open = |(name, value): (&String, &String)| match settled.get(name) {
            Some(known) => known == value,
            None => name != "mac",
        };
        self.groups
            .iter()
            .any(|group| group.selector.iter().all(open))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(id: &str, selector: &[(&str, &str)]) -> Group {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Group {
            id: id.into(),
            name: String::new(),
            profile: String::new(),
            selector: selector.iter().map(pair).collect(),
            metadata: serde_json::Map::new(),
        }
    }

    #[test]
    fn a_query_gives_labels_of_which_the_first_count() {
        let query: Vec<(String, String)> = [("mac", "52-54-00-AB-cd-ef"), ("os", "a"), ("os", "b")]
            .map(|(n, v)| (n.into(), v.into()))
            .into();
        let got = labels(&query);
        assert_eq!(
            (got["mac"].as_str(), got["os"].as_str()),
            ("52:54:00:ab:cd:ef", "a")
        );
        assert!(labels(&[("mac".into(), "nonsense".into())]).is_empty());
    }

    #[test]
    fn the_first_group_whose_every_selector_is_equal_is_taken() {
        let library = Library {
            groups: vec![
                group("two", &[("a", "1"), ("b", "2")]),
                group("one", &[("a", "1")]),
                group("all", &[]),
            ],
            ..Library::default()
        };
        let select = |pairs: &[(&str, &str)]| {
            let pairs: Vec<(String, String)> = pairs
                .iter()
                .map(|(n, v)| ((*n).into(), (*v).into()))
                .collect();
            library.select(&labels(&pairs)).unwrap().id.as_str()
        };
        assert_eq!(select(&[("a", "1"), ("b", "2")]), "two");
        assert_eq!(select(&[("a", "1"), ("b", "3")]), "one");
        assert_eq!(select(&[]), "all");
    }

    #[test]
    fn a_group_may_be_a_machines_until_what_is_settled_says_otherwise() {
        let library = |selector: &[(&str, &str)]| Library {
            groups: vec![group("one", selector)],
            ..Library::default()
        };
        let settled = |pairs: &[(&str, &str)]| -> Labels {
            let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            pairs.iter().map(pair).collect()
        };
        let mac = settled(&[("mac", "02:00:00:00:00:01")]);
        let both = settled(&[("mac", "02:00:00:00:00:01"), ("uuid", "u1")]);
        for (selector, settled, may) in [
            (&[][..], &mac, true),
            (&[("os", "installed")], &mac, true),
            (&[("mac", "02:00:00:00:00:01"), ("os", "x")], &mac, true),
            (&[("mac", "02:00:00:00:00:02")], &mac, false),
            (&[("uuid", "u2")], &mac, true),
            (&[("uuid", "u2")], &both, false),
        ] {
            assert_eq!(library(selector).may_select(settled), may, "{selector:?}");
        }
        assert!(!Library::default().may_select(&mac));
    }
}
