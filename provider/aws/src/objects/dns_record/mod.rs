//! Records of hosted zones. They have no tags: a record is known by its zone, name and type, which are its id.

mod names;

pub(crate) use names::normal_alias;

use super::Objects;
use crate::clients::{Clients, OnlyWhenThrottled};
use crate::error::{failed, is_not_found, unless, unusable};
use async_trait::async_trait;
use aws_sdk_route53::error::{BuildError, SdkError};
use aws_sdk_route53::operation::change_resource_record_sets::ChangeResourceRecordSetsError;
use aws_sdk_route53::types::{AliasTarget, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, RrType};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use cloud::{Change, CloudError, ErrorClass, Found, Kind, Resolved};
use names::normal_name;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) struct DnsRecords;

const CHANGE: &str = "route53:ChangeResourceRecordSets";
const LIST: &str = "route53:ListResourceRecordSets";
/// More than there are types, so that one call shows all records of a name.
const RECORDS_OF_A_NAME: i32 = 100;

#[async_trait]
impl Objects for DnsRecords {
    async fn list(&self, clients: &Clients, names: &BTreeSet<String>) -> Result<Vec<Found>, CloudError> {
        let mut by_name: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
        for (zone, name, kind) in names.iter().filter_map(|id| parse_id(id)) {
            by_name.entry((zone, name)).or_default().push(kind);
        }
        let mut all = Vec::new();
        for ((zone, name), kinds) in by_name {
            let records = of_name(clients, zone, name).await?;
            let wanted = |record: &&ResourceRecordSet| kinds.contains(&record.r#type().as_str());
            all.extend(records.iter().filter(wanted).map(|record| found(zone, name, record)));
        }
        Ok(all)
    }

    async fn create(&self, clients: &Clients, object: &Resolved) -> Result<Found, CloudError> {
        let required = |key: &str| object.get(key).ok_or_else(|| unusable(CHANGE, format!("a record has no {key}")));
        let (zone, name) = (required("zone")?, required("record_name")?);
        required("type")?;
        let record = record_set(&object.settings)?;
        let result = found(zone, name, &record);
        change(clients, zone, ChangeAction::Create, record).await?;
        Ok(result)
    }

    async fn update(&self, clients: &Clients, found: &Found, changes: &[Change]) -> Result<(), CloudError> {
        let settings = merged(found, changes);
        let zone = settings.get("zone").cloned().unwrap_or_default();
        change(clients, &zone, ChangeAction::Upsert, record_set(&settings)?).await
    }

    /// A deletion has to name all that a record has, as it is written there: it is read again.
    async fn delete(&self, clients: &Clients, found: &Found) -> Result<(), CloudError> {
        let Some((zone, name, kind)) = parse_id(&found.id) else {
            return Err(unusable(CHANGE, format!("{} is not the id of a record", found.id)));
        };
        let records = of_name(clients, zone, name).await?;
        let Some(record) = records.into_iter().find(|record| record.r#type().as_str() == kind) else { return Ok(()) };
        let is_gone = |error: &CloudError| is_not_found(error) || error.message.contains("was not found");
        unless(change(clients, zone, ChangeAction::Delete, record).await, is_gone)
    }
}

/// Splits `<zone id> <name> <type>`; `None` for anything else.
fn parse_id(id: &str) -> Option<(&str, &str, &str)> {
    let (zone, rest) = id.split_once(' ')?;
    let (name, kind) = rest.split_once(' ')?;
    Some((zone, name, kind))
}

/// Only simple ones: those with a routing policy are several of one name and type, and never ours. A zone that is gone has none.
async fn of_name(clients: &Clients, zone: &str, name: &str) -> Result<Vec<ResourceRecordSet>, CloudError> {
    let call =
        clients.route53.list_resource_record_sets().hosted_zone_id(zone).start_record_name(name).max_items(RECORDS_OF_A_NAME);
    let records = match call.send().await.map_err(|error| failed(LIST, error)) {
        Ok(answer) => answer.resource_record_sets,
        Err(error) if is_not_found(&error) => Vec::new(),
        Err(error) => return Err(error),
    };
    let wanted = normal_name(name);
    let is_of_name = |record: &ResourceRecordSet| normal_name(record.name()) == wanted && record.set_identifier().is_none();
    Ok(records.into_iter().filter(is_of_name).collect())
}

/// Under the name by which it was asked for, so that spellings of a name are no difference.
fn found(zone: &str, name: &str, record: &ResourceRecordSet) -> Found {
    let kind = record.r#type().as_str();
    let mut found = Found::new(Kind::DnsRecord, format!("{zone} {name} {kind}"));
    let mut set = |key: &str, value: String| found.settings.insert(key.to_owned(), value);
    set("zone", zone.to_owned());
    set("record_name", name.to_owned());
    set("type", kind.to_owned());
    if let Some(ttl) = record.ttl() {
        set("ttl", ttl.to_string());
    }
    for value in record.resource_records() {
        set(&format!("value {}", value.value()), String::new());
    }
    if let Some(alias) = record.alias_target() {
        set("alias", normal_alias(alias.dns_name()));
        set("alias_zone", alias.hosted_zone_id().to_owned());
        set("evaluate_target_health", alias.evaluate_target_health().to_string());
    }
    found
}

/// What the record shall be as a whole: that is what a change sets.
fn merged(found: &Found, changes: &[Change]) -> BTreeMap<String, String> {
    let mut settings = found.settings.clone();
    for change in changes {
        match &change.to {
            Some(to) => settings.insert(change.key.clone(), to.clone()),
            None => settings.remove(&change.key),
        };
    }
    // A record is an alias or has values. What has just been set decides which one it has become.
    let becomes_alias = changes.iter().any(|change| change.key == "alias" && change.to.is_some());
    let has_values = settings.keys().any(|key| key.starts_with("value "));
    let is_left_over = |key: &str| match becomes_alias || !has_values {
        true => key == "ttl" || key.starts_with("value "),
        false => matches!(key, "alias" | "alias_zone" | "evaluate_target_health"),
    };
    settings.retain(|key, _| !is_left_over(key));
    settings
}

fn record_set(settings: &BTreeMap<String, String>) -> Result<ResourceRecordSet, CloudError> {
    build(settings).map_err(|error| unusable(CHANGE, format!("the record is incomplete: {error}")))
}

fn build(settings: &BTreeMap<String, String>) -> Result<ResourceRecordSet, BuildError> {
    let get = |key: &str| settings.get(key).map(String::as_str);
    let record =
        ResourceRecordSet::builder().set_name(get("record_name").map(str::to_owned)).set_type(get("type").map(RrType::from));
    if let Some(alias) = get("alias") {
        let target = AliasTarget::builder()
            .dns_name(alias)
            .set_hosted_zone_id(get("alias_zone").map(str::to_owned))
            .evaluate_target_health(get("evaluate_target_health") == Some("true"))
            .build()?;
        return record.alias_target(target).build();
    }
    let values = settings.keys().filter_map(|key| key.strip_prefix("value "));
    let values: Vec<ResourceRecord> =
        values.map(|value| ResourceRecord::builder().value(value).build()).collect::<Result<_, _>>()?;
    record.set_ttl(get("ttl").and_then(|ttl| ttl.parse().ok())).set_resource_records(Some(values)).build()
}

/// One record in a batch of its own, not repeated when it is open whether it happened: a repetition would say that it is there.
async fn change(clients: &Clients, zone: &str, action: ChangeAction, record: ResourceRecordSet) -> Result<(), CloudError> {
    let batch = aws_sdk_route53::types::Change::builder().action(action).resource_record_set(record).build();
    let batch = batch.and_then(|change| ChangeBatch::builder().changes(change).build());
    let batch = batch.map_err(|error| unusable(CHANGE, format!("the record is incomplete: {error}")))?;
    let once = aws_sdk_route53::config::Config::builder()
        .retry_classifier(OnlyWhenThrottled::<ChangeResourceRecordSetsError>::default());
    let call = clients.route53.change_resource_record_sets().hosted_zone_id(zone).change_batch(batch);
    call.customize().config_override(once).send().await.map(drop).map_err(refused)
}

/// What is wrong with a batch is said in a list of its own, and one code stands for everything.
fn refused(error: SdkError<ChangeResourceRecordSetsError, HttpResponse>) -> CloudError {
    let messages = match error.as_service_error() {
        Some(ChangeResourceRecordSetsError::InvalidChangeBatch(batch)) => batch.messages().join("; "),
        _ => String::new(),
    };
    let mut error = failed(CHANGE, error);
    if !messages.is_empty() {
        error.message = messages;
    }
    if error.code == "InvalidChangeBatch" && error.message.contains("already exists") {
        error.class = ErrorClass::Exists;
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(list: &[(&str, &str)]) -> BTreeMap<String, String> {
        list.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    #[track_caller]
    fn check(found: &[(&str, &str)], changes: &[(&str, Option<&str>)], expect: &[(&str, &str)]) {
        let mut record = Found::new(Kind::DnsRecord, "Z1 a.example.net A");
        record.settings = settings(found);
        let change = |(key, to): &(&str, Option<&str>)| Change { key: key.to_string(), from: None, to: to.map(str::to_owned) };
        let changes: Vec<Change> = changes.iter().map(change).collect();
        assert_eq!(merged(&record, &changes), settings(expect));
    }

    #[test]
    fn changes_are_merged_with_what_is_there() {
        check(
            &[("ttl", "300"), ("value 192.0.2.1", "")],
            &[("ttl", Some("60")), ("value 192.0.2.2", Some("")), ("value 192.0.2.1", None)],
            &[("ttl", "60"), ("value 192.0.2.2", "")],
        );
        check(
            &[("ttl", "300"), ("value 192.0.2.1", "")],
            &[("alias", Some("x.example.net")), ("alias_zone", Some("Z2")), ("value 192.0.2.1", None)],
            &[("alias", "x.example.net"), ("alias_zone", "Z2")],
        );
        check(
            &[("alias", "x.example.net"), ("alias_zone", "Z2"), ("evaluate_target_health", "true")],
            &[("ttl", Some("60")), ("value 192.0.2.2", Some(""))],
            &[("ttl", "60"), ("value 192.0.2.2", "")],
        );
        check(
            &[("alias", "x.example.net"), ("alias_zone", "Z2")],
            &[("evaluate_target_health", Some("true"))],
            &[("alias", "x.example.net"), ("alias_zone", "Z2"), ("evaluate_target_health", "true")],
        );
    }

    #[test]
    fn records_go_out_and_come_back() {
        for list in [
            &[("zone", "Z1"), ("record_name", "a.example.net"), ("type", "AAAA"), ("ttl", "60"), ("value 2001:db8::1", "")][..],
            &[
                ("zone", "Z1"),
                ("record_name", "a.example.net"),
                ("type", "A"),
                ("alias", "demo.elb.us-east-1.amazonaws.com"),
                ("alias_zone", "Z2"),
                ("evaluate_target_health", "false"),
            ],
        ] {
            let list = settings(list);
            let found = found("Z1", "a.example.net", &record_set(&list).unwrap());
            assert_eq!(found.settings, list);
            assert_eq!(parse_id(&found.id), Some(("Z1", "a.example.net", list["type"].as_str())));
        }
    }
}
