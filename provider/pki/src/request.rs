//! What the user declares: the input of `certificate_specs`.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::PkiError;

/// What a PKI is issued for: the cluster, its hosts and names, and how long certificates are valid (hours).
#[derive(Clone, Debug)]
pub struct Request {
    /// Organisation of every authority, so that two clusters' authorities can be distinguished.
    pub cluster_name: String,
    /// Cluster domain of DNS, `cluster.local` by default.
    pub cluster_domain: String,
    /// DNS names and addresses under which clients reach the API servers. A name may begin with `*.`.
    pub endpoints: Vec<String>,
    pub service_cidrs: Vec<IpNet>,
    /// Control-plane hosts by name, each with all addresses under which it is reached.
    pub hosts: BTreeMap<String, Vec<IpAddr>>,
    pub key_algorithm: KeyAlgorithm,
    pub authority_validity_hours: u64,
    pub certificate_validity_hours: u64,
    /// Further leaves that the user declares, by name.
    pub additional: BTreeMap<String, LeafSpec>,
}

/// A leaf that the user declares: it is signed by one of the authorities of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeafSpec {
    pub authority: String,
    pub common_name: String,
    pub organizations: BTreeSet<String>,
    pub usages: BTreeSet<Usage>,
    pub dns_names: BTreeSet<String>,
    pub addresses: BTreeSet<IpAddr>,
}

/// Extended key usage of a leaf, written as the TLS provider of Terraform writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Usage {
    ServerAuth,
    ClientAuth,
}

impl Usage {
    /// Every extended key usage that can be asked for.
    pub const ALL: [Usage; 2] = [Usage::ServerAuth, Usage::ClientAuth];

    /// The name in HCL.
    pub fn as_str(self) -> &'static str {
        match self {
            Usage::ServerAuth => "server_auth",
            Usage::ClientAuth => "client_auth",
        }
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Usage {
    type Err = PkiError;
    fn from_str(text: &str) -> Result<Self, PkiError> {
        Usage::ALL.into_iter().find(|usage| usage.as_str() == text).ok_or_else(|| {
            PkiError::invalid(
                "usages",
                text,
                "is not a usage of certificates here",
                "Give \"client_auth\", \"server_auth\" or both",
            )
        })
    }
}

/// The algorithm of every private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum KeyAlgorithm {
    EcdsaP256,
    EcdsaP384,
    Rsa2048,
    Rsa3072,
    Rsa4096,
}

impl KeyAlgorithm {
    /// Every key algorithm, in the order of the registry page.
    pub const ALL: [KeyAlgorithm; 5] = [Self::EcdsaP256, Self::EcdsaP384, Self::Rsa2048, Self::Rsa3072, Self::Rsa4096];

    /// The name in HCL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EcdsaP256 => "ECDSA-P256",
            Self::EcdsaP384 => "ECDSA-P384",
            Self::Rsa2048 => "RSA-2048",
            Self::Rsa3072 => "RSA-3072",
            Self::Rsa4096 => "RSA-4096",
        }
    }

    /// Whether keys are RSA, which needs key encipherment for TLS key exchange.
    pub fn is_rsa(self) -> bool {
        matches!(self, Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096)
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for KeyAlgorithm {
    type Err = PkiError;
    fn from_str(text: &str) -> Result<Self, PkiError> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == text).ok_or_else(|| {
            let way_out = "Give one of ECDSA-P256, ECDSA-P384, RSA-2048, RSA-3072, RSA-4096";
            PkiError::invalid("key_algorithm", text, "is not an algorithm of keys here", way_out)
        })
    }
}

impl TryFrom<String> for KeyAlgorithm {
    type Error = PkiError;
    fn try_from(text: String) -> Result<Self, PkiError> {
        text.parse()
    }
}

impl From<KeyAlgorithm> for String {
    fn from(algorithm: KeyAlgorithm) -> String {
        algorithm.as_str().into()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_word_parses_back_to_what_it_displays() {
        for algorithm in KeyAlgorithm::ALL {
            assert_eq!(algorithm.to_string().parse::<KeyAlgorithm>().unwrap(), algorithm);
        }
        for usage in Usage::ALL {
            assert_eq!(usage.to_string().parse::<Usage>().unwrap(), usage);
        }
    }

    #[test]
    fn an_unknown_word_is_refused_with_the_words_that_would_do() {
        let error = "ED25519".parse::<KeyAlgorithm>().unwrap_err();
        assert_eq!(error.attribute(), Some("key_algorithm"));
        assert!(error.to_string().contains("ECDSA-P256"), "{error}");
    }
}
