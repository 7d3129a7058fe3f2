//! Virtual addresses of a load balancer: nobody else on the link has them before they are used, and one host has them afterwards.

use super::engine::Outcome;
use super::rows::row;
use super::{Stage, complete};
use crate::fakes::{FakeUnit, Vrrp};
use bundle::{HostName, UnitName};
use schema::Value;

const STRANGER: &str = "02:00:00:00:00:09";

fn says(all: &[String], parts: &[&str]) {
    let text = all.join("\n");
    parts.iter().for_each(|part| assert!(text.contains(part), "{part:?} is not in: {text}"));
}

async fn stage() -> Stage {
    Stage::of(row("k8s_lb_vrrp")).await
}

fn changed(stage: &Stage, attribute: &str, value: Value) -> Value {
    let mut config = stage.config.clone();
    config.set(attribute, value);
    complete(stage.engine.schema("k8s_lb_vrrp"), &config)
}

/// What is there stays as it is, and so does the state.
async fn refused(stage: &mut Stage, prior: &Value, config: &Value) -> Vec<String> {
    let before = stage.world.memory();
    let Outcome { state, errors, .. } = stage.attempt(prior, config).await;
    assert_eq!((errors.len(), stage.world.calls()), (1, vec![]), "{errors:#?}");
    assert!(if prior.is_null() { state.is_null() } else { state.get("virtual_addresses") == prior.get("virtual_addresses") });
    stage.world_is(&before, "after a refusal");
    errors
}

#[tokio::test]
async fn an_address_that_answers_on_the_link_is_refused_before_anything_is_written() {
    let mut stage = stage().await;
    let config = stage.config.clone();
    stage.world.change(|memory| memory.strangers = [("192.0.2.100".parse().unwrap(), STRANGER)].into());
    let errors = refused(&mut stage, &Value::Null, &config).await;
    says(&errors, &["192.0.2.100 is in use already", STRANGER, "lb-1, lb-2 asked on eth0", "Nothing was changed on any host"]);
    stage.world.change(|memory| memory.strangers.clear());
    let state = stage.create().await;

    // Another address is asked for as well; the one that this load balancer has is not.
    stage.world.change(|memory| {
        memory.strangers = ["192.0.2.100", "192.0.2.101"].map(|address| (address.parse().unwrap(), STRANGER)).into();
    });
    let moved = changed(&stage, "virtual_addresses", vec!["192.0.2.101/24"].into());
    says(&refused(&mut stage, &state, &moved).await, &["192.0.2.101 is in use already"]);
    let (attribute, value) = stage.row.updates[0];
    let config = changed(&stage, attribute, value());
    let state = stage.apply(&state, &config).await;
    stage.destroy(&state, "beside a stranger").await;
}

#[tokio::test]
async fn an_address_that_a_host_has_itself_is_refused_and_one_of_this_load_balancer_is_not() {
    let mut stage = stage().await;
    let config = stage.config.clone();
    let own = |stage: &Stage, has: bool| {
        stage.world.change_host("lb-2", |memory| {
            memory.addresses = if has { ["192.0.2.100".parse().unwrap()].into() } else { [].into() };
        });
    };
    own(&stage, true);
    let errors = refused(&mut stage, &Value::Null, &config).await;
    says(&errors, &["lb-2 has 192.0.2.100 itself", "no record of this load balancer"]);
    own(&stage, false);
    // From an empty state, while it serves.
    let state = stage.create().await;
    assert_eq!(stage.create().await, state);
    stage.destroy(&state, "after an adoption").await;
}

/// A firewall drops VRRP: each host takes the addresses.
#[tokio::test]
async fn two_hosts_that_hold_the_addresses_are_no_success() {
    let mut stage = stage().await;
    let config = stage.config.clone();
    for (vrrp, parts) in [
        (
            Vrrp::Filtered,
            ["lb-1 and lb-2 both hold the virtual address 192.0.2.100 after 16 s", "IP protocol 112", "192.0.2.2, 192.0.2.3"],
        ),
        (Vrrp::GetsLost, ["he virtual address 192.0.2.100 did not stay on one host within 16 s", "had them last", "get lost"]),
    ] {
        stage.world.change(|memory| memory.vrrp = vrrp);
        let Outcome { state, errors, .. } = stage.attempt(&Value::Null, &config).await;
        assert_eq!(errors.len(), 1, "{errors:#?}");
        says(&errors, &parts);
        stage.world.change(|memory| memory.vrrp = Vrrp::Arrives);
        stage.destroy(&state, "after a gate that failed").await;
    }
    let state = stage.create().await;
    // The next change that touches a unit sees it too.
    stage.world.change(|memory| memory.vrrp = Vrrp::Filtered);
    let (attribute, value) = stage.row.updates[0];
    let config = changed(&stage, attribute, value());
    let Outcome { state, errors, .. } = stage.attempt(&state, &config).await;
    says(&errors, &["lb-1 and lb-2 both hold"]);
    stage.world.change(|memory| memory.vrrp = Vrrp::Arrives);
    let state = stage.apply(&state, &config).await;
    stage.destroy(&state, "after a split").await;
}

/// A keepalived of the user's own.
#[tokio::test]
async fn a_keepalived_that_runs_already_is_not_stopped() {
    let mut stage = stage().await;
    let config = stage.config.clone();
    let unit = UnitName::literal("keepalived.service");
    let running = FakeUnit { active_state: "active".into(), ..FakeUnit::default() };
    stage.world.change_host("lb-1", |memory| memory.units.insert(unit.clone(), running));
    let errors = refused(&mut stage, &Value::Null, &config).await;
    says(&errors, &["eepalived.service of somebody else runs on lb-1", "systemctl disable --now keepalived.service"]);
    assert!(stage.world.memory().is_up(&HostName::literal("lb-1"), unit.as_str()));
}
