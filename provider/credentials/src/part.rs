//! A part of a whole of which some may not be known yet.

/// Known, or made during apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<T> {
    Known(T),
    Unknown,
}

impl<T> Part<T> {
    /// `None` while it is unknown.
    pub fn known(self) -> Option<T> {
        match self {
            Part::Known(value) => Some(value),
            Part::Unknown => None,
        }
    }

    /// Whether it is known already.
    pub fn is_known(&self) -> bool {
        matches!(self, Part::Known(_))
    }

    /// The same by reference.
    pub fn as_ref(&self) -> Part<&T> {
        match self {
            Part::Known(value) => Part::Known(value),
            Part::Unknown => Part::Unknown,
        }
    }

    /// What follows from it: unknown while it is.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Part<U> {
        match self {
            Part::Known(value) => Part::Known(change(value)),
            Part::Unknown => Part::Unknown,
        }
    }

    /// Known when both are.
    pub fn and<U>(self, other: Part<U>) -> Part<(T, U)> {
        match (self, other) {
            (Part::Known(one), Part::Known(other)) => Part::Known((one, other)),
            _ => Part::Unknown,
        }
    }
}
