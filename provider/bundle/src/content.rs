//! What stands in a file. It may be a secret: `Content` has neither `Debug` nor `Display`.

use crate::Digest;

/// The content of a file: its bytes; only their digest, where the bytes are fetched from another host at apply; or neither, in a
/// plan that is made before the content exists. Then it may be sure to be another one than the host has, or not.
#[derive(Clone, PartialEq, Eq)]
pub struct Content(Form);

#[derive(Clone)]
enum Form {
    Bytes { bytes: Vec<u8>, digest: Digest },
    Digest(Digest),
    Unknown { is_another: bool },
}

impl Content {
    /// Bytes that are known now.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Content(Form::Bytes { digest: Digest::of(&bytes), bytes })
    }
    /// For a plan that must not know the content, such as a kubeconfig that lives on a control-plane host only.
    pub fn by_digest(digest: Digest) -> Self {
        Content(Form::Digest(digest))
    }
    /// Known after apply, and possibly what the host has: something that goes into it is not known yet.
    pub fn unknown() -> Self {
        Content(Form::Unknown { is_another: false })
    }
    /// Known after apply, and not what the host has: the same run creates something that goes into it.
    pub fn changing() -> Self {
        Content(Form::Unknown { is_another: true })
    }
    /// Unknown, and possibly what the host has.
    pub fn is_undecided(&self) -> bool {
        matches!(self.0, Form::Unknown { is_another: false })
    }
    /// `None` when only the digest is known, or nothing.
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.0 {
            Form::Bytes { bytes, .. } => Some(bytes),
            Form::Digest(_) | Form::Unknown { .. } => None,
        }
    }
    /// `None` while the content is unknown.
    pub fn digest(&self) -> Option<&Digest> {
        match &self.0 {
            Form::Bytes { digest, .. } | Form::Digest(digest) => Some(digest),
            Form::Unknown { .. } => None,
        }
    }
}

/// By digest: where the bytes come from makes no difference.
impl PartialEq for Form {
    fn eq(&self, other: &Self) -> bool {
        let digest = |form: &Form| match form {
            Form::Bytes { digest, .. } | Form::Digest(digest) => Some(digest.clone()),
            Form::Unknown { .. } => None,
        };
        digest(self) == digest(other)
    }
}

impl Eq for Form {}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Content::new(text)
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Content::new(text)
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Content::new(bytes)
    }
}

/// `None` is unknown.
impl<T: Into<Content>> From<Option<T>> for Content {
    fn from(content: Option<T>) -> Self {
        content.map_or_else(Content::unknown, Into::into)
    }
}
