//! What has been issued, as it is stored: PEM by name, and the types that keep secrets from being printed.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything issued for one cluster. Neither `Debug` nor `Display`: most of it is secret.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// Certificates of authorities and leaves, one PEM block each.
    pub certificates: BTreeMap<String, String>,
    /// PKCS#8 private keys under their certificate's name, and `service-account`.
    pub private_keys: BTreeMap<String, PrivatePem>,
    /// Public keys of key pairs that have no certificate: `service-account`.
    pub public_keys: BTreeMap<String, String>,
    /// Keys that encrypt secrets at rest: 32 random bytes in base64.
    pub encryption_keys: BTreeMap<String, Secret>,
}

/// A private key in PEM. Neither `Debug` nor `Display`, so that it cannot reach a log or an error.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PrivatePem(String);

impl PrivatePem {
    /// Wraps a private key in PEM.
    pub fn new(pem: impl Into<String>) -> Self {
        PrivatePem(pem.into())
    }
    /// The text itself, for the file or kubeconfig that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// A secret that is not a private key, such as an encryption key. Neither `Debug` nor `Display`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }
    /// The text itself, for the file that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// `dbg!(credentials)` must not compile. A trait's absence is seen by which of two methods of the same name is picked:
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
        assert!(!implements!(PrivatePem, Debug) && !implements!(PrivatePem, Display));
        assert!(!implements!(Secret, Debug) && !implements!(Secret, Display));
        assert!(!implements!(Credentials, Debug) && !implements!(Credentials, Display));
    }

    #[test]
    fn credentials_are_stored_as_plain_maps_and_read_back() {
        let credentials = Credentials {
            certificates: BTreeMap::from([("etcd-ca".into(), "CERT".into())]),
            private_keys: BTreeMap::from([("etcd-ca".into(), PrivatePem::new("KEY"))]),
            public_keys: BTreeMap::new(),
            encryption_keys: BTreeMap::from([("secrets-encryption".into(), Secret::new("AAAA"))]),
        };
        let json = serde_json::to_value(&credentials).unwrap();
        let expected = serde_json::json!({
            "certificates": { "etcd-ca": "CERT" },
            "private_keys": { "etcd-ca": "KEY" },
            "public_keys": {},
            "encryption_keys": { "secrets-encryption": "AAAA" },
        });
        assert_eq!(json, expected);
        assert!(serde_json::from_value::<Credentials>(json).unwrap() == credentials);
    }
}
