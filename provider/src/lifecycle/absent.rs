//! What an apply and a destroy say of hosts that do not answer.

use super::Stage;
use super::rows::row;
use schema::Value;

const BALANCER: &str = "k8s_lb_vrrp";
const CLUSTER: &str = "k8s_hardway_cluster";

fn silence(stage: &Stage, hosts: &[&str]) {
    hosts.iter().for_each(|host| stage.world.change_host(host, |memory| memory.answers = false));
}

/// The one error of a create.
async fn said(name: &str, silent: &[&str]) -> String {
    let mut stage = Stage::of(row(name)).await;
    silence(&stage, silent);
    let config = stage.config.clone();
    let planned = stage.engine.plan(name, &Value::Null, &config).await.planned;
    let mut errors = stage.engine.apply(name, &Value::Null, &config, &planned).await.errors;
    assert_eq!(errors.len(), 1, "{errors:#?}");
    errors.remove(0)
}

#[track_caller]
fn check(said: &str, parts: &[&str], never: &[&str]) {
    parts.iter().for_each(|part| assert!(said.contains(part), "no {part:?}: {said}"));
    never.iter().for_each(|part| assert!(!said.contains(part), "{part:?}: {said}"));
}

#[tokio::test]
async fn an_apply_that_reaches_no_host_says_so_once_with_each_reason() {
    let parts = ["lb-1: lb-1", "lb-2: lb-2", "Nothing was changed. No host answers, so check", "or take them out of hosts."];
    let said_of_balancers = said(BALANCER, &["lb-1", "lb-2"]).await;
    assert!(
        said_of_balancers.starts_with("lb-1, lb-2 could not be reached and still have to be changed\n"),
        "{said_of_balancers}"
    );
    check(&said_of_balancers, &parts, &["Every other host"]);
    let parts = ["cp-1: cp-1", "cp-3: cp-3", "No host answers, so check"];
    check(&said(CLUSTER, &["cp-1", "cp-2", "cp-3"]).await, &parts, &["Every other host", "out of hosts"]);
}

#[tokio::test]
async fn other_hosts_are_called_done_where_there_are_some() {
    let parts = ["Every other host is done. Running apply again once it answers is safe, or take it out of hosts."];
    check(&said(BALANCER, &["lb-2"]).await, &parts, &["No host answers", "lb-1"]);
}

#[tokio::test]
async fn a_destroy_says_once_which_hosts_it_did_not_reach() {
    for (silent, parts, never) in [
        (vec!["lb-2"], ["Every other host is done. Destroy again once it answers", "on it could not"], "No host answers"),
        (vec!["lb-1", "lb-2"], ["Nothing was removed. No host answers", "on them could not"], "Every other host"),
    ] {
        let mut stage = Stage::of(row(BALANCER)).await;
        let state = stage.create().await;
        silence(&stage, &silent);
        let destroyed = stage.engine.destroy(BALANCER, &state).await;
        assert_eq!(destroyed.errors.len(), 1, "{:#?}", destroyed.errors);
        check(&destroyed.errors[0], &parts, &[never]);
        silent.iter().for_each(|host| stage.world.change_host(host, |memory| memory.answers = true));
        stage.destroy(&destroyed.state, "once they answer").await;
    }
}
