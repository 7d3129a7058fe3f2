//! Certificates on a host that may have expired: programs that run with them serve nobody, and a rollout must not wait for them.

use bundle::{Bundle, Health, HostPath, Unit, UnitName};
use machines::Inventory;
use std::collections::{BTreeMap, BTreeSet};

/// The certificates that gates depend on: those that members of etcd and API servers read.
pub fn asked(bundle: &Bundle) -> BTreeSet<HostPath> {
    servers(bundle).flat_map(|(_, unit)| certificates(unit)).cloned().collect()
}

/// Seconds until the first certificate expires that a unit reads, as `HostState::expires_in` has it.
pub fn of_units(bundle: &Bundle, found: &Inventory) -> BTreeMap<UnitName, i64> {
    let first = |unit| certificates(unit).filter_map(|path| found.expires_in.get(path)).min().copied();
    servers(bundle).filter_map(|(name, unit)| Some((name.clone(), first(unit)?))).collect()
}

fn servers(bundle: &Bundle) -> impl Iterator<Item = (&UnitName, &Unit)> {
    bundle.units.iter().filter(|(_, unit)| matches!(unit.traits.health, Health::EtcdMember | Health::ApiServer))
}

fn certificates(unit: &Unit) -> impl Iterator<Item = &HostPath> {
    unit.reads.keys().filter(|path| path.as_str().ends_with(".crt"))
}
