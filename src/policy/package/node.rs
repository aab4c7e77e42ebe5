//! A walk through a manifest: every value knows its key, so that a finding can name it.

use serde_json::{Map, Value};

use crate::policy::finding::Findings;

/// One value of the manifest and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node<'a> {
    value: &'a Value,
    path: String,
}

impl<'a> Node<'a> {
    /// The top of the manifest `file`.
    pub(super) fn root(value: &'a Value, file: &str) -> Node<'a> {
        Node {
            value,
            path: format!("{file}:"),
        }
    }

    /// File and key.
    pub(super) fn place(&self) -> &str {
        self.path.trim_end_matches(':')
    }

    /// The member `key`; `None` when it is absent or null.
    pub(super) fn get(&self, key: &str) -> Option<Node<'a>> {
        let value = self.value.get(key).filter(|value| !value.is_null())?;
        Some(Node {
            value,
            path: self.join(key),
        })
    }

    /// The first member there is of `keys`.
    pub(super) fn get_any(&self, keys: &[&str]) -> Option<Node<'a>> {
        keys.iter().find_map(|key| self.get(key))
    }

    /// The member `key`, which must be there.
    pub(super) fn need(&self, key: &str, findings: &mut Findings) -> Option<Node<'a>> {
        let node = self.get(key);
        if node.is_none() {
            findings.error(self.join(key), "it is missing", format!("add {key:?}"));
        }
        node
    }

    /// The elements, when it is a list.
    pub(super) fn list(&self, findings: &mut Findings) -> Vec<Node<'a>> {
        let Some(list) = self.value.as_array() else {
            self.wrong("a list", findings);
            return Vec::new();
        };
        list.iter()
            .enumerate()
            .map(|(index, value)| Node {
                value,
                path: format!("{}[{index}]", self.path),
            })
            .collect()
    }

    /// The members, when it is an object.
    pub(super) fn object(&self, findings: &mut Findings) -> Option<&'a Map<String, Value>> {
        let object = self.value.as_object();
        if object.is_none() {
            self.wrong("an object", findings);
        }
        object
    }

    /// The text, when it is one.
    pub(super) fn text(&self, findings: &mut Findings) -> Option<&'a str> {
        let text = self.value.as_str();
        if text.is_none() {
            self.wrong("a text", findings);
        }
        text
    }

    /// The number, when it is one and finite.
    pub(super) fn number(&self, findings: &mut Findings) -> Option<f64> {
        let number = self.value.as_f64().filter(|number| number.is_finite());
        if number.is_none() {
            self.wrong("a number", findings);
        }
        number
    }

    /// The whole number from 0 to `most`, when it is one.
    pub(super) fn count(&self, most: u64, findings: &mut Findings) -> Option<usize> {
        let count = self
            .value
            .as_u64()
            .filter(|count| *count <= most)
            .and_then(|count| usize::try_from(count).ok());
        if count.is_none() {
            self.wrong(&format!("a whole number from 0 to {most}"), findings);
        }
        count
    }

    /// The shape: one to four positive whole numbers.
    pub(super) fn shape(&self, findings: &mut Findings) -> Option<Vec<usize>> {
        let sizes: Option<Vec<usize>> = self.value.as_array().and_then(|list| {
            list.iter()
                .map(|size| size.as_u64().filter(|size| (1..=1 << 20).contains(size)))
                .map(|size| size.and_then(|size| usize::try_from(size).ok()))
                .collect()
        });
        let shape = sizes.filter(|sizes| (1..=4).contains(&sizes.len()));
        if shape.is_none() {
            self.wrong("a shape of one to four positive whole numbers", findings);
        }
        shape
    }

    /// A list of texts.
    pub(super) fn texts(&self, findings: &mut Findings) -> Vec<&'a str> {
        self.list(findings)
            .iter()
            .filter_map(|node| node.text(findings))
            .collect()
    }

    fn wrong(&self, expected: &str, findings: &mut Findings) {
        let mut found = self.value.to_string();
        if found.chars().count() > 60 {
            found = found.chars().take(60).chain("…".chars()).collect();
        }
        findings.error(
            self.place(),
            format!("it is {found}"),
            format!("make it {expected}"),
        );
    }

    fn join(&self, key: &str) -> String {
        if self.path.ends_with(':') {
            format!("{} {key}", self.path)
        } else {
            format!("{}.{key}", self.path)
        }
    }
}
