//! The plan of a resource of which a value is not known yet.

use super::guesses::{self, Guesses};
use super::{Declared, Desired, HostResource, OnHosts, alike};
use bundle::{Bundle, HostName};
use schema::{Attribute, Value, decode};
use std::collections::BTreeMap;

impl<R: HostResource> OnHosts<R> {
    /// What each host should have, and computed attributes into `planned`, as far as it does not depend on what is not known yet. `None` where
    /// everything does.
    pub(super) async fn whatever_comes(
        &self,
        declared: &Declared<'_, R>,
        planned: &mut Value,
    ) -> Option<BTreeMap<HostName, Bundle>> {
        let guesses = Guesses::of(planned)?;
        let (mut rendered, mut computed) = (Vec::new(), Vec::<Value>::new());
        for time in 0..guesses::TIMES {
            let (mut values, with_secrets) = (guesses.fill(planned, time), guesses.fill(declared.written, time));
            let (config, with_secrets): (R::Config, R::Config) = (decode(&values).ok()?, decode(&with_secrets).ok()?);
            values.set("id", self.resource.id(&config).map_or(Value::Unknown, Value::from));
            // Digests that were looked up for one guess are those of the next.
            let state = computed.last().or(declared.state);
            let guessed = Declared { config: &config, with_secrets: &with_secrets, state, ..*declared };
            // What is refused with a guess is not what comes.
            if let Ok(Desired { bundles: Some(bundles), .. }) = self.resource.desired(&guessed, &mut values).await {
                rendered.push(bundles);
                computed.push(values);
            }
        }
        let bundles = alike::bundles(&rendered).filter(|_| rendered.len() > 1)?;
        for Attribute { name, .. } in self.resource.schema().attributes.iter().filter(|attribute| attribute.is_computed()) {
            if declared.written.get(name).is_null() {
                planned.set(name, alike::values(computed.iter().map(|values| values.get(name))));
            }
        }
        Some(bundles)
    }
}
