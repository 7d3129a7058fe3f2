//! Which certificates are due for renewal: found by a refresh and kept in the state, so that a plan follows from state and configuration
//! and stays the same until it is applied. Pure.

use super::bundle_object::issued;
use super::config::Config;
use super::{rfc3339, validate};
use pki::{CertificateSpec, Plan};
use schema::{Attribute, AttributePath, Diagnostic, Type, Value, decode};
use std::collections::{BTreeMap, BTreeSet};
use time::OffsetDateTime;

pub const DUE: &str = "due_for_renewal";

pub fn attribute() -> Attribute {
    Attribute::map(DUE, Type::String).computed().never_null().describe(
        "Certificates that the last refresh found due for renewal, with the time at which they expire, in RFC 3339. A plan sets it to empty; apply renews them.",
    )
}

/// The state with what is due now.
///
/// # Errors
/// When the state is damaged.
pub fn refreshed(state: &Value, now: OffsetDateTime) -> Result<Value, Diagnostic> {
    let (config, issued) = (decode::<Config>(state)?, issued(Some(state))?);
    let Some(wanted) = config.wanted(None) else { return Ok(state.clone()) };
    let specs = pki::certificate_specs(&wanted.request).map_err(|error| validate::declared_wrong(&error))?;
    let due = pki::due(&specs, &issued.known_certificates(), now, config.renew_before());
    let mut state = state.clone();
    state.set(DUE, Value::Map(due.into_iter().map(|(name, end)| (name, rfc3339(end).into())).collect()));
    Ok(state)
}

/// What the last refresh found; nothing before the first one.
pub fn due(prior: Option<&Value>) -> BTreeSet<String> {
    prior.and_then(|prior| prior.get(DUE).as_map()).into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

/// What a change of hours means for certificates that exist. The clock decides only what is said of it.
pub struct Change<'a> {
    pub prior: Config,
    pub wanted: &'a Config,
}

type Specs = BTreeMap<String, CertificateSpec>;
type Certificates = BTreeMap<String, String>;

impl Change<'_> {
    pub fn warnings(&self, specs: &Specs, certificates: &Certificates, plan: &Plan, now: OffsetDateTime) -> Vec<Diagnostic> {
        let is_kept = |name: &String| certificates.contains_key(name) && !plan.issue.contains_key(name);
        let kept = specs.iter().filter(|(name, spec)| spec.authority.is_some() && is_kept(name)).count();
        let due = pki::due(specs, certificates, now, self.wanted.renew_before());
        let later: Vec<String> = due.into_keys().filter(|name| !plan.issue.contains_key(name)).collect();
        [self.validity(kept), self.renewal(&later)].into_iter().flatten().collect()
    }

    fn validity(&self, kept: usize) -> Option<Diagnostic> {
        let hours = *self.wanted.certificate_validity_hours.known()?;
        let is_another = *self.prior.certificate_validity_hours.known()? != hours;
        (is_another && kept > 0).then(|| {
            Diagnostic::warning(format!("certificates that are issued from now on are valid for {hours} hours"))
                .detail(format!(
                    "certificate_validity_hours reissues nothing: certificates that exist ({kept}) keep the end that they have, in `expires_at`, and \
                     get {hours} hours when they are renewed."
                ))
                .at(AttributePath::attribute("certificate_validity_hours"))
        })
    }

    fn renewal(&self, later: &[String]) -> Option<Diagnostic> {
        let is_another = self.wanted.renew_before_hours.known()? != self.prior.renew_before_hours.known()?;
        (is_another && !later.is_empty()).then(|| {
            Diagnostic::warning(format!("the plan after this one renews more certificates: {}", later.len()))
                .detail(format!(
                    "With this renew_before_hours they are due, which the refresh after this apply finds:\n{}",
                    later.join("\n")
                ))
                .at(AttributePath::attribute("renew_before_hours"))
        })
    }
}
