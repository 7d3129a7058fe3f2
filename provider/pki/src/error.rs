//! What can go wrong, with the way out. No variant can hold a secret.

/// Why certificates cannot be issued or read.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// The user's: `rule` continues the value to a sentence; `way_out` is a sentence, without its full stop, with a value that
    /// would do.
    #[error("{attribute}: {value:?} {rule}. {way_out}")]
    Invalid { attribute: &'static str, value: String, rule: String, way_out: String },

    #[error("cannot read certificate {name}: it is not one X.509 certificate in PEM; reissue it, or restore it from a backup")]
    UnreadableCertificate { name: String },

    #[error("cannot read the private key of {name}: it is not a PKCS#8 key in PEM; restore it from a backup, or replace {name}")]
    UnreadablePrivateKey { name: String },

    #[error("cannot sign with {name}: its private key is missing; restore it from a backup, or replace {name}")]
    MissingPrivateKey { name: String },

    #[error(
        "cannot sign with {name}: its private key belongs to another certificate; restore it from a backup, or replace {name}"
    )]
    ForeignPrivateKey { name: String },

    #[error("cannot sign with {name}: it expired at {not_after}; create a second k8s_pki for a new cluster")]
    ExpiredAuthority { name: String, not_after: String },

    #[error("cannot issue {name}: {source}")]
    Issue {
        name: String,
        #[source]
        source: rcgen::Error,
    },

    #[error("cannot draw random bytes: the system's generator failed; running apply again is safe")]
    Random,

    /// A bug of this provider.
    #[error("provider bug: {name} is neither issued yet nor planned to be issued; please report")]
    NotPlanned { name: String },

    /// A bug of this provider.
    #[error("provider bug: {name} names the authority {authority:?}, which is not specified; please report")]
    UnknownAuthority { name: String, authority: String },
}

impl PkiError {
    pub(crate) fn invalid(
        attribute: &'static str,
        value: impl Into<String>,
        rule: impl Into<String>,
        way_out: impl Into<String>,
    ) -> Self {
        PkiError::Invalid { attribute, value: value.into(), rule: rule.into(), way_out: way_out.into() }
    }

    /// The attribute of `k8s_pki` at fault, for the user's errors only.
    pub fn attribute(&self) -> Option<&'static str> {
        match self {
            PkiError::Invalid { attribute, .. } => Some(attribute),
            _ => None,
        }
    }
}
