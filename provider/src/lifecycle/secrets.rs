//! Canaries: no private key, encryption key or bootstrap token is ever printed, logged, written to the progress file or stored in the
//! state of any resource but `k8s_pki`, whether all goes well or not.

use super::Stage;
use super::rows::ROWS;
use crate::fakes::{Fault, Moment};
use schema::Value;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Mutex;
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::layer::{Layer, SubscriberExt};

thread_local! {
    /// Whether what this thread logs is kept. A test's engine and provider run on the test's own thread.
    static IS_KEPT: Cell<bool> = const { Cell::new(false) };
}

/// What every crate logs, at every level.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// For the whole process: with a subscriber for one thread, whether an event is wanted would be decided by the thread that comes to
/// it first.
fn keep_log() {
    let filter = dynamic_filter_fn(|_, _| IS_KEPT.get());
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(|| Log).with_filter(filter);
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).unwrap();
    IS_KEPT.set(true);
}

/// Each line of each private key, and the encryption keys.
fn canaries(pki: &Value) -> BTreeSet<String> {
    let texts = |name: &str| {
        pki.get("bundle").get(name).as_map().into_iter().flatten().filter_map(|(_, text)| text.as_str()).collect::<Vec<_>>()
    };
    let lines = texts("private_keys").into_iter().flat_map(str::lines).filter(|line| !line.starts_with("-----"));
    // A last line may be too short to be anybody's own.
    lines.filter(|line| line.len() > 20).chain(texts("encryption_keys")).map(str::to_string).collect()
}

async fn live_and_fail(stage: &mut Stage) {
    let (name, config) = (stage.row.name, stage.config.clone());
    let state = stage.create().await;
    stage.settled(&state, &config, "for the canaries").await;
    stage.engine.destroy(name, &state).await;
    for at in 1..=30 {
        stage.world.restore(&stage.before);
        stage.engine.configure().await;
        stage.world.arm(Some((Fault::Fail(Moment::Halfway), at)));
        let plan = stage.engine.plan(name, &Value::Null, &config).await;
        stage.engine.apply(name, &Value::Null, &config, &plan.planned).await;
    }
}

#[tokio::test]
async fn no_secret_is_told_logged_or_stored() {
    keep_log();
    for row in ROWS.iter().filter(|row| row.name != "k8s_pki") {
        let mut stage = Stage::of(row).await;
        stage.engine.shown = Some(String::new());
        live_and_fail(&mut stage).await;
        let mut secrets = canaries(&stage.states["k8s_pki"]);
        assert!(secrets.len() > 30, "there are no keys to look for");
        let made = stage.world.memory().cluster.tokens_made;
        assert!(!made.is_empty() || row.name != "k8s_node_group", "no token was made");
        secrets.extend(made.iter().map(|token| token.split('.').next_back().unwrap().to_string()));
        let logged = String::from_utf8_lossy(&LOG.lock().unwrap()).into_owned();
        let (shown, progress) = (stage.engine.shown.take().unwrap(), stage.engine.progress());
        assert!(logged.contains("done in"), "nothing was logged");
        assert!(progress.contains("done in"), "there is no progress");
        assert!(["host_contents", "objects", "fields"].iter().any(|name| shown.contains(name)), "nothing was answered");
        for (place, text) in [("log", logged), ("answers", shown), ("progress file", progress)] {
            let found = secrets.iter().filter(|secret| text.contains(secret.as_str())).count();
            assert_eq!(found, 0, "secrets in the {place} of {}", row.name);
        }
    }
}
