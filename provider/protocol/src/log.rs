//! Writes tracing events to standard error as hclog's JSON lines, which the engine sorts into its own log.
//! What levels are wanted comes from `TF_LOG_PROVIDER` or `TF_LOG`; without them warnings and errors are written.

use std::fmt::Debug;
use std::io::Write;

use serde_json::{Map, Value as Json};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry;

const MODULE: &str = "provider";
/// hclog's layout; go-plugin prints the raw line when it cannot parse this.
const TIMESTAMP: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");
/// The crates of this project. Others may log what they carry (headers, frames, bodies) below warnings, so they are cut off there.
const OWN_CRATES: [&str; 10] =
    ["aws", "bundle", "cloud", "machines", "pki", "protocol", "provider", "render", "rollout", "schema"];
/// A field whose name holds one of these is written without its value.
const SECRET_NAMES: [&str; 8] =
    ["password", "passphrase", "secret", "token", "private", "credential", "authorization", "kubeconfig"];

/// Takes effect once per process; a second call changes nothing.
pub(crate) fn subscribe_to_standard_error() {
    let wanted = wanted_level(|name| std::env::var(name).ok());
    let layer = HclogLayer { wanted, write: write_to_standard_error };
    let _already_set = tracing::subscriber::set_global_default(registry().with(layer));
}

/// A line that cannot be written has nowhere else to go.
fn write_to_standard_error(line: &[u8]) {
    let _lost = std::io::stderr().lock().write_all(line);
}

fn wanted_level(variable: impl Fn(&str) -> Option<String>) -> LevelFilter {
    let text = ["TF_LOG_PROVIDER_K8S", "TF_LOG_PROVIDER", "TF_LOG"]
        .into_iter()
        .find_map(|name| variable(name).filter(|text| !text.is_empty()));
    match text.unwrap_or_default().to_ascii_uppercase().as_str() {
        // `JSON` asks the engine for another layout and means everything.
        "TRACE" | "JSON" => LevelFilter::TRACE,
        "DEBUG" => LevelFilter::DEBUG,
        "INFO" => LevelFilter::INFO,
        "ERROR" => LevelFilter::ERROR,
        "OFF" => LevelFilter::OFF,
        _ => LevelFilter::WARN,
    }
}

struct HclogLayer<W> {
    wanted: LevelFilter,
    write: W,
}

impl<W: Fn(&[u8])> HclogLayer<W> {
    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let crate_name = metadata.target().split("::").next().unwrap_or_default();
        let limit = if OWN_CRATES.contains(&crate_name) { self.wanted } else { self.wanted.min(LevelFilter::WARN) };
        *metadata.level() <= limit
    }
}

impl<S: Subscriber, W: Fn(&[u8]) + 'static> Layer<S> for HclogLayer<W> {
    fn enabled(&self, metadata: &Metadata<'_>, _context: Context<'_, S>) -> bool {
        self.wants(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.wanted)
    }

    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        (self.write)(render_line(event, OffsetDateTime::now_utc()).as_bytes());
    }
}

fn render_line(event: &Event<'_>, now: OffsetDateTime) -> String {
    let mut fields = Fields(Map::new());
    let metadata = event.metadata();
    fields.0.insert("@level".to_owned(), render_level(metadata.level()).into());
    fields.0.insert("@message".to_owned(), "".into());
    fields.0.insert("@module".to_owned(), MODULE.into());
    fields.0.insert("@timestamp".to_owned(), now.format(TIMESTAMP).unwrap_or_default().into());
    fields.0.insert("target".to_owned(), metadata.target().into());
    event.record(&mut fields);
    format!("{}\n", Json::Object(fields.0))
}

fn render_level(level: &Level) -> &'static str {
    match *level {
        Level::TRACE => "trace",
        Level::DEBUG => "debug",
        Level::INFO => "info",
        Level::WARN => "warn",
        Level::ERROR => "error",
    }
}

struct Fields(Map<String, Json>);

impl Fields {
    fn put(&mut self, field: &Field, value: Json) {
        let name = if field.name() == "message" { "@message" } else { field.name() };
        let lower = name.to_ascii_lowercase();
        let secret = SECRET_NAMES.iter().any(|part| lower.contains(part));
        self.0.insert(name.to_owned(), if secret { "(secret)".into() } else { value });
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn written(wanted: LevelFilter, log: impl FnOnce()) -> Vec<Json> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = lines.clone();
        let layer = HclogLayer { wanted, write: move |line: &[u8]| sink.lock().unwrap().push(line.to_vec()) };
        tracing::subscriber::with_default(registry().with(layer), log);
        let lines = lines.lock().unwrap();
        lines.iter().map(|line| serde_json::from_slice(line).unwrap()).collect()
    }

    #[track_caller]
    fn check_level(variables: &[(&str, &str)], expect: LevelFilter) {
        let level = wanted_level(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_string()));
        assert_eq!(level, expect);
    }

    #[test]
    fn the_level_comes_from_the_most_particular_variable() {
        check_level(&[], LevelFilter::WARN);
        check_level(&[("TF_LOG", "trace")], LevelFilter::TRACE);
        check_level(&[("TF_LOG", "JSON")], LevelFilter::TRACE);
        check_level(&[("TF_LOG", "TRACE"), ("TF_LOG_PROVIDER", "INFO")], LevelFilter::INFO);
        check_level(&[("TF_LOG", "TRACE"), ("TF_LOG_PROVIDER", "")], LevelFilter::TRACE);
    }

    #[test]
    fn a_line_is_what_hclog_reads() {
        let lines = written(LevelFilter::TRACE, || tracing::info!(host = "cp-1", attempt = 2, "connected"));
        let line = &lines[0];
        assert_eq!(line["@level"], "info");
        assert_eq!(line["@message"], "connected");
        assert_eq!(line["@module"], "provider");
        assert_eq!(line["host"], "cp-1");
        assert_eq!(line["attempt"], 2);
        let timestamp = line["@timestamp"].as_str().unwrap();
        assert_eq!((timestamp.len(), timestamp.ends_with('Z')), ("2006-01-02T15:04:05.000000Z".len(), true), "{timestamp}");
    }

    #[test]
    fn a_field_named_like_a_secret_loses_its_value() {
        let lines = written(LevelFilter::TRACE, || tracing::warn!(join_token = "canary", "joined"));
        assert!(!lines[0].to_string().contains("canary"));
    }

    #[test]
    fn other_crates_are_heard_from_warnings_up() {
        let lines = written(LevelFilter::TRACE, || {
            tracing::debug!(target: "h2::frame", "canary");
            tracing::warn!(target: "h2::frame", "closed");
        });
        assert_eq!(lines.len(), 1);
    }

    #[test]
    fn what_nobody_asked_for_is_not_written() {
        assert!(written(LevelFilter::WARN, || tracing::info!("connected")).is_empty());
    }
}
