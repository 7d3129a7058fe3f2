//! `acceptance-ledger KUBECONFIG INTERVAL_MS PATIENCE_MS`: creates ConfigMaps with numbers in their names, and prints a line for each:
//! when it was begun, how long it took, its number, and `ok` or an error. When its standard input ends, it looks whether each that was
//! acknowledged is there, deletes them and prints `lost <number>` for those that were not, then `end`.

use acceptance_tests::command::end_of_input;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

type Failure = Box<dyn std::error::Error>;

const LABEL: &str = "acceptance-ledger";
const PAGE: u32 = 500;
/// How long the end waits for an API server that answers, in all and for one answer: it deletes what was written in most of an hour one by one,
/// and goes on with what is left when it is asked again.
const LAST_LOOK: Duration = Duration::from_secs(300);
const LAST_ANSWER: Duration = Duration::from_secs(70);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("acceptance-ledger: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &[String]) -> Result<(), Failure> {
    let [kubeconfig, interval, patience] = arguments else { return Err("KUBECONFIG INTERVAL_MS PATIENCE_MS".into()) };
    let (interval, patience) = (Duration::from_millis(interval.parse()?), Duration::from_millis(patience.parse()?));
    let mut config = Config::from_custom_kubeconfig(Kubeconfig::read_from(kubeconfig)?, &KubeConfigOptions::default()).await?;
    (config.connect_timeout, config.read_timeout) = (Some(patience), Some(patience));
    let acknowledged = write_until_told(&config, interval, patience).await?;
    config.read_timeout = Some(LAST_ANSWER);
    let maps: Api<ConfigMap> = Api::default_namespaced(Client::try_from(config)?);
    let kept = eventually(|| names(&maps)).await?;
    acknowledged.difference(&kept).for_each(|number| println!("lost {number}"));
    eventually(|| async { maps.delete_collection(&DeleteParams::default(), &ListParams::default().labels(LABEL)).await }).await?;
    println!("end");
    Ok(())
}

/// Over a new connection each time: one to an API server that is gone would hide the others.
async fn write_until_told(config: &Config, interval: Duration, patience: Duration) -> Result<BTreeSet<u64>, Failure> {
    let ended = end_of_input();
    let run = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64;
    let mut acknowledged = BTreeSet::new();
    for number in run.. {
        if ended.load(Ordering::Relaxed) {
            break;
        }
        let (begun, clock) = (SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis(), Instant::now());
        let maps: Api<ConfigMap> = Api::default_namespaced(Client::try_from(config.clone())?);
        let written = tokio::time::timeout(patience, maps.create(&PostParams::default(), &entry(number))).await;
        let answer = match written {
            Ok(Ok(_)) => "ok".to_string(),
            Ok(Err(error)) => error.to_string().replace('\n', " "),
            Err(_) => "timed out".into(),
        };
        println!("{begun} {} {number} {answer}", clock.elapsed().as_millis());
        if answer == "ok" {
            acknowledged.insert(number);
        }
        tokio::time::sleep(interval.saturating_sub(clock.elapsed())).await;
    }
    Ok(acknowledged)
}

fn entry(number: u64) -> ConfigMap {
    let mut map = ConfigMap::default();
    map.metadata.name = Some(format!("{LABEL}-{number}"));
    map.metadata.labels = Some([(LABEL.to_string(), String::new())].into());
    map
}

async fn names(maps: &Api<ConfigMap>) -> kube::Result<BTreeSet<u64>> {
    let mut numbers = BTreeSet::new();
    let mut page = ListParams::default().labels(LABEL).limit(PAGE);
    loop {
        let list = maps.list_metadata(&page).await?;
        let number = |name: &String| name.strip_prefix(LABEL)?.strip_prefix('-')?.parse::<u64>().ok();
        numbers.extend(list.items.iter().filter_map(|map| map.metadata.name.as_ref().and_then(number)));
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page.continue_token = Some(token),
            None => return Ok(numbers),
        }
    }
}

async fn eventually<T, F: Future<Output = kube::Result<T>>>(mut ask: impl FnMut() -> F) -> kube::Result<T> {
    let began = Instant::now();
    loop {
        match ask().await {
            Err(_) if began.elapsed() < LAST_LOOK => tokio::time::sleep(Duration::from_secs(1)).await,
            result => return result,
        }
    }
}
