//! The computed attributes of a pki, from the credentials that there are, or will be after an apply. Pure.

use super::bundle_object::{certificates, to_value};
use credentials::{Credentials, EncryptionKey, Part};
use pki::{CertificateSpec, PkiError, Reason};
use schema::{PEM, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Sets every computed attribute. A part that is unknown is unknown in each of them, and nothing else is.
///
/// # Errors
/// When a certificate cannot be read.
pub fn set(values: &mut Value, credentials: &Credentials) -> Result<(), PkiError> {
    let known = credentials.known_certificates();
    let names = || credentials.authorities.keys().chain(credentials.certificates.keys());
    let of_each = |say: &dyn Fn(&str) -> Result<String, PkiError>| -> Result<Value, PkiError> {
        let value = |name: &String| known.get(name).map_or(Ok(Value::Unknown), |pem| say(pem).map(Value::from));
        Ok(Value::Map(names().map(|name| Ok((name.clone(), value(name)?))).collect::<Result<_, PkiError>>()?))
    };
    values.set("fingerprints", of_each(&pki::fingerprint)?);
    values.set("expires_at", of_each(&|pem| Ok(super::rfc3339(pki::expiry(pem)?)))?);
    values.set("certificates", certificates(credentials));
    values.set("bundle", to_value(values.get("cluster_name"), credentials));
    Ok(())
}

/// What a plan does not know yet.
pub struct Open<'a> {
    /// Certificates that an apply issues.
    pub sure: &'a BTreeMap<String, Reason>,
    /// Certificates that it may issue, or keep.
    pub certificates: &'a BTreeSet<String>,
    /// Of those that it would issue for another key.
    pub keys: &'a BTreeSet<String>,
}

impl Open<'_> {
    fn has_certificate(&self, name: &String) -> bool {
        self.sure.contains_key(name) || self.certificates.contains(name)
    }

    fn has_key(&self, name: &String) -> bool {
        self.is_sure_of_key(name) || self.keys.contains(name)
    }

    fn is_sure_of_key(&self, name: &String) -> bool {
        self.sure.get(name).is_some_and(|reason| !reason.keeps_key())
    }
}

/// After an apply that issues, or may issue, what `open` names. In the `bundle`, what is sure to change says so: whoever uses it can plan with
/// that, and promises nothing of the rest.
///
/// # Errors
/// When a certificate that is kept cannot be read.
pub fn plan(
    planned: &mut Value,
    issued: &Credentials,
    specs: &BTreeMap<String, CertificateSpec>,
    open: &Open<'_>,
) -> Result<(), PkiError> {
    let mut credentials = made_once(issued);
    let is_authority = |name: &String| specs.get(name).is_some_and(|spec| spec.authority.is_none());
    for name in specs.keys().chain(open.certificates) {
        credentials.private_keys.insert(name.clone(), kept(&issued.private_keys, name, open.has_key(name)));
        if is_authority(name) {
            credentials.authorities.insert(name.clone(), kept(&issued.authorities, name, open.has_certificate(name)));
        } else {
            credentials.certificates.insert(name.clone(), kept(&issued.certificates, name, open.has_certificate(name)));
        }
    }
    set(planned, &credentials)?;
    let mut bundle = planned.get("bundle").clone();
    let changing = |names: &mut dyn Iterator<Item = &String>, texts: &Value| {
        let mut texts = texts.clone();
        names.for_each(|name| texts.set(name, Value::Changing(PEM)));
        texts
    };
    let certificates = changing(&mut open.sure.keys(), bundle.get("certificates"));
    let keys = changing(&mut open.sure.keys().filter(|name| open.is_sure_of_key(name)), bundle.get("private_keys"));
    bundle.set("certificates", certificates);
    bundle.set("private_keys", keys);
    planned.set("bundle", bundle);
    Ok(())
}

/// While it is not known which certificates there are.
pub fn plan_without_names(planned: &mut Value, issued: &Credentials) {
    let mut bundle = to_value(planned.get("cluster_name"), &made_once(issued));
    for name in ["certificates", "private_keys"] {
        bundle.set(name, Value::Unknown);
    }
    planned.set("bundle", bundle);
    for name in ["certificates", "fingerprints", "expires_at"] {
        planned.set(name, Value::Unknown);
    }
}

fn kept<T: Clone>(issued: &BTreeMap<String, Part<T>>, name: &str, is_open: bool) -> Part<T> {
    issued.get(name).filter(|_| !is_open).cloned().unwrap_or(Part::Unknown)
}

fn service_account<T: Clone>(keys: &BTreeMap<String, Part<T>>) -> BTreeMap<String, Part<T>> {
    [(pki::SERVICE_ACCOUNT.into(), keys.get(pki::SERVICE_ACCOUNT).cloned().unwrap_or(Part::Unknown))].into()
}

/// The keys that stay as they are once there are any.
fn made_once(issued: &Credentials) -> Credentials {
    let mut encryption_keys = issued.encryption_keys.clone();
    if encryption_keys.is_empty() {
        encryption_keys.push(EncryptionKey { name: pki::SECRETS_ENCRYPTION.into(), secret: Part::Unknown });
    }
    Credentials {
        private_keys: service_account(&issued.private_keys),
        public_keys: service_account(&issued.public_keys),
        encryption_keys,
        ..Credentials::default()
    }
}
