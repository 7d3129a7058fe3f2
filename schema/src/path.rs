//! Where in a value something stands: `hosts["cp-1"].address`.

use std::fmt;

/// Where an attribute or an element stands in a configuration: `hosts["cp-1"].address`. `Display` writes it as in HCL.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttributePath(Vec<Step>);

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// An attribute of an object.
    Attribute(String),
    /// An element of a map.
    Key(String),
    /// An element of a list or tuple, from 0 on. Elements of sets have no step: a path ends at the set.
    Index(i64),
}

impl AttributePath {
    /// The whole configuration.
    pub fn root() -> Self {
        Self::default()
    }

    /// Starts a path at an attribute of the whole object.
    pub fn attribute(name: impl Into<String>) -> Self {
        Self::root().then(name)
    }

    /// Into an attribute of an object.
    pub fn then(self, name: impl Into<String>) -> Self {
        self.step(Step::Attribute(name.into()))
    }

    /// Into an element of a map.
    pub fn key(self, key: impl Into<String>) -> Self {
        self.step(Step::Key(key.into()))
    }

    /// Into an element of a list, counted from 0.
    pub fn index(self, index: impl TryInto<i64>) -> Self {
        self.step(Step::Index(index.try_into().unwrap_or(i64::MAX)))
    }

    /// The path with one more step.
    pub fn step(mut self, step: Step) -> Self {
        self.0.push(step);
        self
    }

    /// This path, seen from where `prefix` starts.
    pub fn under(self, mut prefix: AttributePath) -> Self {
        prefix.0.extend(self.0);
        prefix
    }

    /// The steps from the root.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// Whether it names the whole configuration.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }
}

/// As it is written in HCL; the whole object is the empty text.
impl fmt::Display for AttributePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Attribute(name) if position == 0 => write!(formatter, "{name}")?,
                Step::Attribute(name) => write!(formatter, ".{name}")?,
                Step::Key(key) => write!(formatter, "[{key:?}]")?,
                Step::Index(index) => write!(formatter, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: AttributePath, expect: &str) {
        assert_eq!(path.to_string(), expect);
    }

    #[test]
    fn a_path_reads_as_it_is_written_in_hcl() {
        check(AttributePath::root(), "");
        check(AttributePath::attribute("hosts").key("cp-1").then("address"), r#"hosts["cp-1"].address"#);
        check(AttributePath::attribute("virtual_addresses").index(0), "virtual_addresses[0]");
        check(AttributePath::attribute("labels").key("a\"b"), r#"labels["a\"b"]"#);
        check(AttributePath::attribute("port").under(AttributePath::attribute("ssh")), "ssh.port");
    }
}
