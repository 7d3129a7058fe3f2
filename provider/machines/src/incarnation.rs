//! Which of the resources that had one name in turn: a name says whose a host is, a uid says of which life, a holder which entry of a
//! state has it.

use crate::Owner;
use std::fmt;

/// Drawn when a resource is created, as Kubernetes does for its objects: one that is created again under the same name has another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Uid(String);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not a uid such as 1b4e28ba-2fa1-4d3b-a3f5-ef19b5a7633b")]
pub struct UidError(String);

impl Uid {
    /// The nil UUID of RFC 9562: of what was created before there were uids, and of a record that names none.
    pub const NIL: &str = "00000000-0000-0000-0000-000000000000";

    /// A UUID of version 4 from random bytes, of which six bits say that it is one.
    #[must_use]
    pub fn of_random(mut bytes: [u8; 16]) -> Uid {
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let parts = [&bytes[..4], &bytes[4..6], &bytes[6..8], &bytes[8..10], &bytes[10..]];
        Uid(parts.map(hex).join("-"))
    }

    /// # Errors
    /// When it has another form than a UUID in lower case.
    pub fn parse(text: impl Into<String>) -> Result<Uid, UidError> {
        let text = text.into();
        let is_right = |(c, form): (char, char)| if form == '-' { c == '-' } else { matches!(c, '0'..='9' | 'a'..='f') };
        let has_form = text.len() == Uid::NIL.len() && text.chars().zip(Uid::NIL.chars()).all(is_right);
        if has_form { Ok(Uid(text)) } else { Err(UidError(text)) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_nil(&self) -> bool {
        self.0 == Uid::NIL
    }
}

/// The nil one.
impl Default for Uid {
    fn default() -> Uid {
        Uid(Uid::NIL.into())
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// For whom a script works. It compares both with the record on the host, under the lock, before it reads or changes anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incarnation {
    pub name: Owner,
    pub uid: Uid,
    /// Drawn by each create, also by one that goes on with what it finds. Nil of a state from before there were holders.
    pub holder: Uid,
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawn_uid_is_a_uuid_of_version_4() {
        assert_eq!(Uid::of_random([0xff; 16]).as_str(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(Uid::of_random([0; 16]).as_str(), "00000000-0000-4000-8000-000000000000");
        let drawn = Uid::of_random([0x1b; 16]);
        assert_eq!(Uid::parse(drawn.as_str()), Ok(drawn));
        assert!(Uid::parse(Uid::NIL).unwrap().is_nil() && Uid::default().is_nil() && !Uid::of_random([0; 16]).is_nil());
    }

    #[test]
    fn nothing_else_is_one() {
        for bad in
            ["", "x", "1b4e28ba2fa14d3ba3f5ef19b5a7633b", "1B4E28BA-2FA1-4D3B-A3F5-EF19B5A7633B", &format!("{} ", Uid::NIL)]
        {
            assert!(Uid::parse(bad).is_err(), "{bad}");
        }
    }
}
