//! The typed configuration that all resources of this floor have, but for what declares the objects themselves.

use crate::resources::control_plane::Way;
use crate::resources::in_cluster::ignored::Ignored;
use crate::resources::in_cluster::ownership::{FIELD_MANAGER, Keys};
use crate::resources::on_hosts::hardway_cluster::Join;
use crate::ssh::Ssh;
use schema::Field;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Deserialize)]
pub struct Config {
    pub name: Field<String>,
    pub cluster: Field<Join>,
    pub ssh: Field<Ssh>,
    pub adopt: Field<Vec<Field<String>>>,
    pub may_replace: Field<Vec<Field<String>>>,
    pub ignore_fields: Field<BTreeMap<String, Field<Vec<Field<String>>>>>,
    pub force_conflicts: Field<bool>,
    pub wait: Field<bool>,
    pub timeout_seconds: Field<u64>,
    pub destroy_contents: Field<bool>,
}

impl Config {
    pub fn way(&self) -> Way<'_> {
        Way { join: &self.cluster, ssh: &self.ssh }
    }

    pub fn ignored(&self) -> Ignored {
        Ignored::of(FIELD_MANAGER, &self.ignore_fields)
    }

    pub fn limit(&self) -> Duration {
        let seconds = self.timeout_seconds.known().copied();
        Duration::from_secs(seconds.unwrap_or(super::attributes::DEFAULT_TIMEOUT_SECONDS.unsigned_abs()))
    }

    pub fn is(flag: &Field<bool>) -> bool {
        flag.known().copied().unwrap_or(false)
    }

    /// Those that are known; whoever wrote something else was told so by the validation.
    pub fn keys(set: &Field<Vec<Field<String>>>) -> Keys {
        set.known().into_iter().flatten().filter_map(|key| key.known()?.parse().ok()).collect()
    }
}
