//! What every resource on Linux hosts does alike: plan from the state alone, read with drift host by host, apply in steps that are
//! each healthy before the next, remove. A resource declares its schema, what each host should have, and what its steps mean;
//! everything else is here.

mod absence;
mod addresses;
mod alike;
mod apply;
mod booting;
mod calls;
pub(crate) mod ccm_config;
mod cloud_lease;
mod connect;
mod differences;
pub(crate) mod downloads;
pub(crate) mod errors;
pub(crate) mod execute;
mod expiry;
pub(crate) mod fleet;
mod foreign;
mod guesses;
pub mod hardway_cluster;
mod health;
pub(crate) mod lb_vrrp;
mod lives;
mod lost_members;
mod moves;
pub(crate) mod node_group;
mod outdated;
mod ownership;
mod plan;
pub mod preflight;
mod recorded;
mod served;
mod settings;
mod steps;
#[cfg(test)]
mod stopping;
mod versions;
mod whatever_comes;

use self::addresses::{Addresses, Moves};
use self::connect::Way;
use self::execute::Actions;
use self::fleet::Fleet;
use self::plan::{Before, Rollout};
use self::recorded::Recorded;
use crate::configuration::Shared;
use crate::hosts::HostConfigs;
use crate::ssh::Ssh;
use async_trait::async_trait;
use bundle::{Bundle, Difference, HostName, Manifest, UnitName};
use differences::Drift;
use machines::Owner;
use protocol::{
    ApplyRequest, ApplyResponse, Call, DeleteResponse, IdentityAttribute, PlanRequest, PlanResponse, ReadResponse, Resource,
};
use schema::{AttributePath, Diagnostic, Diagnostics, Field, Schema, Value, decode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};

/// A resource whose objects are files, programs and units on hosts. Its schema has `id`, `hosts` and `ssh`.
#[async_trait]
pub trait HostResource: Send + Sync + 'static {
    /// The configuration, decoded; it carries unknown values.
    type Config: DeserializeOwned + Send + Sync;
    type Actions: Actions;
    /// What the planner has to know besides what each host has; the default while no host is asked.
    type Facts: Default + Send + Sync;

    fn name(&self) -> &'static str;

    /// Without what [`recorded::attributes`] adds.
    fn schema(&self) -> Schema;

    fn identity(&self) -> IdentityAttribute;

    /// Pure; sees unknown values.
    fn validate(&self, config: &Value) -> Diagnostics;

    /// The value of `id`, which also stands in the record that hosts keep. `None` while it is unknown. Pure.
    fn id(&self, config: &Self::Config) -> Option<String>;

    /// What each host should have, and computed attributes of the resource's own into `planned`. Contents that the same run creates
    /// are unknown. Called at plan, and again at apply, where nothing is unknown any more.
    async fn desired(&self, declared: &Declared<'_, Self>, planned: &mut Value) -> Result<Desired, Diagnostic>;

    /// The planner. Pure.
    fn rollout<'a>(&self, config: &'a Self::Config, facts: &'a Self::Facts) -> Rollout<'a>;

    /// What of the facts follows from the configuration and the state, where nobody is asked. Pure.
    fn assume(&self, _config: &Self::Config, _prior: Option<&Value>) -> Result<Self::Facts, Diagnostic> {
        Ok(Self::Facts::default())
    }

    /// At a refresh: what others than the hosts say of them. An error is one of the state.
    async fn look(&self, _shared: &Shared, _config: &Self::Config, _call: &Call, _prior: &Value) -> Result<Looked, Diagnostic> {
        Ok(Looked::default())
    }

    /// At apply, before any host is reached.
    async fn actions(&self, shared: &Shared, config: &Self::Config, call: &Call) -> Result<Self::Actions, Diagnostic>;

    /// At apply, before the steps are planned; may tell others what is about to change.
    async fn observe(&self, _actions: &Self::Actions, _fleet: &Fleet, _prior: Option<&Value>) -> Result<Self::Facts, Diagnostic> {
        Ok(Self::Facts::default())
    }

    /// After the steps, whether they all ran or not.
    async fn settle(&self, _actions: &Self::Actions, _call: &Call, _prior: Option<&Value>, _response: &mut ApplyResponse) {}

    /// What a changed address of a host means.
    fn moves(&self) -> Moves {
        Moves::WithTheirMachine
    }

    /// Where the uid of what it is a part of stands, an attribute and a part of it: with another uid it is another object.
    fn belongs_to(&self) -> Option<(&'static str, &'static str)> {
        None
    }

    /// Where else than in `uid` the uid stands, once it is known. Pure.
    fn show_uid(&self, _planned: &mut Value) {}

    /// Warnings about what a destroy will do, also as the first half of a replacement. Pure.
    fn plan_destroy(&self, prior: &Value) -> Diagnostics;

    /// Before the hosts are cleaned. `Err` stops the destroy; an error among the diagnostics keeps the state once they are clean.
    async fn leave(&self, _shared: &Shared, _config: &Self::Config, _call: &Call) -> Result<Diagnostics, Diagnostic> {
        Ok(Diagnostics::default())
    }

    /// Units that stop on all hosts at once before anything is removed from one of them.
    fn stopped_first(&self) -> Vec<UnitName> {
        Vec::new()
    }

    /// Why there is no import, and what to do instead.
    fn instead_of_import(&self) -> &'static str;
}

/// What a resource on hosts is planned or applied from.
pub struct Declared<'a, R: HostResource + ?Sized> {
    pub shared: &'a Shared,
    pub config: &'a R::Config,
    /// Has the write-only values, which `config` has not.
    pub with_secrets: &'a R::Config,
    /// As the engine sends it: it says of unknown values which are sure to change.
    pub written: &'a Value,
    /// The prior state at plan, the planned one at apply.
    pub state: Option<&'a Value>,
    /// What exists.
    pub prior: Option<&'a Value>,
    /// What each host of it had after the last apply; read once, because there may be many.
    pub recorded: &'a BTreeMap<HostName, Manifest>,
    /// At apply.
    pub actions: Option<&'a R::Actions>,
}

/// What each host should have.
pub struct Desired {
    /// `None` while it is unknown which hosts, files or units there are.
    pub bundles: Option<BTreeMap<HostName, Bundle>>,
    /// What the plan says of it beside its values. An apply repeats no warning.
    pub warnings: Diagnostics,
}

impl From<Option<BTreeMap<HostName, Bundle>>> for Desired {
    fn from(bundles: Option<BTreeMap<HostName, Bundle>>) -> Desired {
        Desired { bundles, warnings: Diagnostics::default() }
    }
}

/// What a refresh found out beside what the hosts said.
#[derive(Default)]
pub struct Looked {
    pub drift: Drift,
    /// Computed attributes of the resource's own, as they are now.
    pub attributes: Vec<(&'static str, Value)>,
    pub warnings: Diagnostics,
    /// Said only where hosts are as they should be: else their differences explain it.
    pub unless_hosts_differ: Diagnostics,
}

/// Where a resource lives, whatever else it declares.
#[derive(Deserialize)]
struct Place {
    hosts: Field<HostConfigs>,
    ssh: Field<Ssh>,
}

/// A [`HostResource`] as the engine sees it.
pub struct OnHosts<R> {
    resource: R,
    shared: Shared,
}

impl<R: HostResource> OnHosts<R> {
    pub fn new(resource: R, shared: &Shared) -> Self {
        OnHosts { resource, shared: shared.clone() }
    }

    /// `k8s_hardway_cluster.demo`: under this name hosts keep the record of what belongs to the resource.
    fn owner(&self, values: &Value) -> Result<Owner, Diagnostic> {
        Owner::parse(format!("{}.{}", self.resource.name(), values.get("id").as_str().unwrap_or_default()))
            .map_err(|error| Diagnostic::error(error.to_string()))
    }

    fn addresses(
        &self,
        prior: Option<&Value>,
        recorded: &BTreeMap<HostName, Manifest>,
        planned: &Value,
    ) -> Result<Addresses, Diagnostic> {
        Addresses::of(prior, recorded, planned, &self.shared.configuration().ssh)
    }

    async fn connect_to_recorded(&self, call: &Call, prior: &Value) -> Result<Fleet, Diagnostic> {
        let place: Place = decode(prior)?;
        let hosts = recorded::all_hosts(None, Some(prior))?;
        let way = Way { hosts: &hosts, ssh: &place.ssh, new: BTreeSet::new() };
        connect::connect(&self.shared, self.incarnation(Some(prior), prior)?, &way, call).await
    }

    /// What is replaced is planned as new, and what its destroy means is said: engines ask again without what exists, show the values of
    /// that answer and the warnings of this one.
    async fn plan_hosts(&self, request: &PlanRequest) -> Result<PlanResponse, Diagnostic> {
        let config: R::Config = decode(&request.proposed)?;
        let with_secrets: R::Config = decode(&request.config)?;
        let mut planned = request.proposed.clone();
        planned.set("id", self.resource.id(&config).map_or(Value::Unknown, Value::from));
        [lives::UID, lives::HOLDER].into_iter().for_each(|id| planned.set(id, Value::Unknown));
        let requires_replace = request.prior.as_ref().map(|prior| self.replaced_by(prior, &planned)).unwrap_or_default();
        let (prior, replaced) = match &request.prior {
            Some(prior) if !requires_replace.is_empty() => (None, Some(prior)),
            prior => (prior.as_ref(), None),
        };
        if let Some(prior) = prior {
            [lives::UID, lives::HOLDER].into_iter().for_each(|id| planned.set(id, lives::of(prior, id).as_str().into()));
        }
        let before = Before::of(prior)?;
        let mut diagnostics = replaced.map(|prior| self.resource.plan_destroy(prior)).unwrap_or_default();
        diagnostics.extend(self.addresses(prior, &before.manifests, &planned)?.check(self.resource.moves()));
        if diagnostics.has_errors() {
            return Ok(PlanResponse { planned, diagnostics, ..PlanResponse::default() });
        }
        let declared = Declared {
            shared: &self.shared,
            config: &config,
            with_secrets: &with_secrets,
            written: &request.config,
            state: prior,
            prior,
            recorded: &before.manifests,
            actions: None,
        };
        let Desired { mut bundles, warnings } = self.resource.desired(&declared, &mut planned).await?;
        diagnostics.extend(warnings);
        if bundles.is_none() {
            bundles = self.whatever_comes(&declared, &mut planned).await;
        }
        // What depends on a value that is unknown: engines replace, and the value may turn out to be the one that it was.
        let is_settled = replaced.is_none() || requires_replace.iter().any(|path| planned.at(path).is_wholly_known());
        let facts = self.resource.assume(&config, prior)?;
        let mut response = plan::plan(&before, planned, bundles, &self.resource.rollout(&config, &facts))?;
        if !is_settled {
            steps::set_unknown(&mut response.planned);
        }
        diagnostics.extend(response.diagnostics);
        let undecided = prior.map(|prior| self.may_be_replaced_by(prior, &response.planned)).unwrap_or_default();
        Ok(PlanResponse { diagnostics, requires_replace, undecided, ..response })
    }

    /// What it belongs to, while it is not known which object that is.
    fn may_be_replaced_by(&self, prior: &Value, planned: &Value) -> Vec<AttributePath> {
        let is_unknown = |(attribute, _): &(&str, &str)| planned.get(attribute).is_unknown() && prior.get(attribute).is_set();
        self.resource
            .belongs_to()
            .filter(is_unknown)
            .map(|(attribute, _)| AttributePath::attribute(attribute))
            .into_iter()
            .collect()
    }

    /// By which attributes it is another object than what exists: those that say so in the schema, or its `id`.
    fn replaced_by(&self, prior: &Value, planned: &Value) -> Vec<AttributePath> {
        let paths = self.resource.schema().replace_paths(prior, planned);
        let id = |values: &Value| values.get("id").as_str().map(str::to_string);
        let is_another = id(prior).zip(id(planned)).is_some_and(|(before, now)| before != now);
        if paths.is_empty() && is_another {
            return vec![AttributePath::attribute("id")];
        }
        // All of it is unknown behind a data source that is read during apply, which says nothing: apply compares again.
        let of_another = self.resource.belongs_to().filter(|(attribute, part)| {
            let (before, now) = (prior.get(attribute), planned.get(attribute));
            now.is_set() && before.get(part) != now.get(part)
        });
        let of_another = of_another.map(|(attribute, part)| AttributePath::attribute(attribute).then(part));
        paths.into_iter().chain(of_another).collect()
    }

    async fn read_hosts(&self, call: &Call, prior: &Value) -> Result<ReadResponse, Diagnostic> {
        let config: R::Config = decode(prior)?;
        let recorded = Recorded::of(Some(prior))?.manifests()?;
        let hosts = async {
            let mut fleet = self.connect_to_recorded(call, prior).await?;
            let drift = fleet.read(&recorded).await;
            Ok::<_, Diagnostic>((fleet, drift))
        };
        let (hosts, looked) = futures::join!(hosts, self.resource.look(&self.shared, &config, call, prior));
        let ((fleet, mut drift), Looked { drift: also, attributes, warnings, unless_hosts_differ }) = (hosts?, looked?);
        let are_hosts_well = drift.values().all(Vec::is_empty) && fleet.absent.is_empty();
        for (host, differences) in also {
            let is_absent = fleet.absent.contains_key(&host);
            let can_be_repaired = |difference: &Difference| !is_absent || difference.is_set_by_api();
            drift.entry(host).or_default().extend(differences.into_iter().filter(can_be_repaired));
        }
        let mut diagnostics = fleet.absent_of(fleet.absent.keys()).read_warnings(&fleet.owner);
        diagnostics.extend(warnings);
        diagnostics.extend(unless_hosts_differ.into_iter().filter(|_| are_hosts_well));
        let mut state = recorded::after_read(prior.clone(), &drift, &fleet.reasons());
        attributes.into_iter().for_each(|(name, value)| state.set(name, value));
        Ok(ReadResponse { diagnostics, state: Some(state) })
    }
}

/// What units run with is recorded; they keep their stamps until something changes that counts.
fn keeping_stamps(
    mut desired: BTreeMap<HostName, Bundle>,
    recorded: &BTreeMap<HostName, Manifest>,
) -> BTreeMap<HostName, Bundle> {
    for (host, bundle) in &mut desired {
        recorded.get(host).into_iter().for_each(|recorded| bundle.keep_stamps(recorded));
    }
    desired
}

#[async_trait]
impl<R: HostResource> Resource for OnHosts<R> {
    fn name(&self) -> &'static str {
        self.resource.name()
    }

    fn schema(&self) -> Schema {
        self.resource.schema().version(versions::CURRENT).attributes(lives::attributes()).attributes(recorded::attributes())
    }

    fn upgrade(&self, version: i64, state: serde_json::Value) -> Result<serde_json::Value, Diagnostics> {
        Ok(versions::upgrade(version, state)?)
    }

    fn identity(&self) -> Vec<IdentityAttribute> {
        vec![self.resource.identity()]
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        self.resource.validate(config)
    }

    async fn plan(&self, _call: &Call, request: PlanRequest) -> PlanResponse {
        self.plan_hosts(&request).await.unwrap_or_else(|diagnostic| PlanResponse {
            planned: request.proposed.clone(),
            diagnostics: diagnostic.into(),
            ..PlanResponse::default()
        })
    }

    async fn plan_destroy(&self, _call: &Call, prior: Value) -> Diagnostics {
        self.resource.plan_destroy(&prior)
    }

    async fn read(&self, call: &Call, prior: Value) -> ReadResponse {
        self.read_hosts(call, &prior)
            .await
            .unwrap_or_else(|diagnostic| ReadResponse { state: Some(prior), diagnostics: diagnostic.into() })
    }

    async fn apply(&self, call: &Call, request: ApplyRequest) -> ApplyResponse {
        let left_behind = request.prior.clone();
        self.apply_hosts(call, request)
            .await
            .unwrap_or_else(|diagnostic| ApplyResponse { state: left_behind, diagnostics: diagnostic.into() })
    }

    async fn delete(&self, call: &Call, prior: Value) -> DeleteResponse {
        self.delete_hosts(call, &prior)
            .await
            .unwrap_or_else(|diagnostic| DeleteResponse { left_behind: Some(prior), diagnostics: diagnostic.into() })
    }

    async fn import(&self, _call: &Call, _id: &str) -> Result<Value, Diagnostics> {
        Err(Diagnostic::error(format!("{} cannot be imported", self.resource.name()))
            .detail(self.resource.instead_of_import())
            .into())
    }
}
