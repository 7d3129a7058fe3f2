//! Properties and goldens of the Kubernetes bundles, for every family of addresses and for one and three hosts.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod approver;
mod cases;
mod cleanup;
mod foundation;
mod golden;
mod health;
mod judged;
mod kubeconfigs;
mod pod_network;
mod properties;
mod scripts;
