//! Text that must reach nobody but the file or the call that it is for.

use serde::{Deserialize, Serialize};

/// A private key in PEM, an encryption key, a token, a password. Neither `Debug` nor `Display`, so that it cannot get into a log,
/// a plan or an error; whoever needs the text has to say so (`reveal`).
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes the text out of reach of `Debug` and `Display`.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text itself, for what it is meant for.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Credentials, Part};

    /// Printing credentials must not compile. A trait's absence is seen by which of two methods of the same name is picked:
    /// the inherent one exists for `Debug` (or `Display`) types only and wins over the trait's.
    macro_rules! implements {
        ($type:ty, $bound:path) => {{
            struct Probe<T>(std::marker::PhantomData<T>);
            #[allow(dead_code)]
            trait Otherwise {
                fn answer(&self) -> bool {
                    false
                }
            }
            impl<T> Otherwise for Probe<T> {}
            impl<T: $bound> Probe<T> {
                #[allow(dead_code)]
                fn answer(&self) -> bool {
                    true
                }
            }
            Probe::<$type>(std::marker::PhantomData).answer()
        }};
    }

    #[test]
    fn secrets_cannot_be_printed() {
        use std::fmt::{Debug, Display};
        assert!(implements!(String, Debug) && implements!(String, Display), "the probe sees what is there");
        assert!(!implements!(Secret, Debug) && !implements!(Secret, Display));
        assert!(!implements!(Part<Secret>, Debug) && !implements!(Credentials, Debug));
    }

    #[test]
    fn a_secret_is_stored_as_its_text() {
        let json = serde_json::to_value(Secret::new("text")).unwrap();
        assert_eq!(json, serde_json::json!("text"));
        assert!(serde_json::from_value::<Secret>(json).unwrap() == Secret::new("text"));
    }
}
