//! The labels of a request, and the group that they select: the first, of those with the most
//! selectors, whose every selector is equal.

use std::collections::BTreeMap;

use super::book::{Group, Library};
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
}
