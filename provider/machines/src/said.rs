//! What matters of what a program said: the few lines that tell why it failed, without the marks of its log. Pure.

/// How many lines an error shows.
const MOST: usize = 3;
/// A line that goes on is cut off.
const LONGEST: usize = 500;

/// How much a line tells of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// How a program is used.
    Usage,
    Information,
    Plain,
    Warning,
    Error,
}

/// The last lines of the worst kind there are, three at most and each once, joined by line feeds. Knows the logs of Kubernetes (klog), etcd (JSON)
/// and containerd (logfmt), and what programs print before they have a log.
pub fn lines_that_matter(text: &str) -> String {
    let lines: Vec<(Weight, String)> =
        text.lines().filter(|line| !line.trim().is_empty()).map(|line| read(line.trim_end())).collect();
    let worst = lines.iter().map(|(weight, _)| *weight).max().unwrap_or(Weight::Plain);
    let mut chosen: Vec<&str> = Vec::new();
    for (_, line) in lines.iter().rev().filter(|(weight, _)| *weight == worst) {
        if chosen.len() < MOST && !chosen.contains(&line.as_str()) {
            chosen.push(line);
        }
    }
    chosen.into_iter().rev().map(cut).collect::<Vec<_>>().join("\n")
}

fn cut(line: &str) -> String {
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_string(),
    }
}

fn read(line: &str) -> (Weight, String) {
    read_json(line).or_else(|| read_klog(line)).or_else(|| read_logfmt(line)).unwrap_or_else(|| read_plain(line))
}

/// `{"level":"fatal","msg":"failed to list data directory","error":"…"}`
fn read_json(line: &str) -> Option<(Weight, String)> {
    let serde_json::Value::Object(fields) = serde_json::from_str(line).ok()? else { return None };
    let field = |name: &str| fields.get(name).and_then(serde_json::Value::as_str);
    let level = field("level")?;
    Some(worded(level, field("msg").unwrap_or_default(), field("error")))
}

/// A warning that says with which error is as good as an error: etcd ends with one.
fn worded(level: &str, message: &str, error: Option<&str>) -> (Weight, String) {
    let weight = match level {
        "fatal" | "panic" | "dpanic" | "error" => Weight::Error,
        "warn" | "warning" if error.is_some() => Weight::Error,
        "warn" | "warning" => Weight::Warning,
        _ => Weight::Information,
    };
    let said = [Some(message), error].into_iter().flatten().filter(|part| !part.is_empty());
    (weight, said.collect::<Vec<_>>().join(": "))
}

/// `E1129 09:15:00.819844    2669 run.go:72] "command failed" err="…"`
fn read_klog(line: &str) -> Option<(Weight, String)> {
    let (header, rest) = line.split_once("] ")?;
    let mut words = header.split_whitespace();
    let first = words.next()?;
    let (severity, date) = first.split_at_checked(1)?;
    let is_header = date.len() == 4 && date.bytes().all(|b| b.is_ascii_digit()) && words.next()?.contains(':');
    let level = match severity {
        _ if !is_header => return None,
        "F" | "E" => "error",
        "W" => "warning",
        "I" => "info",
        _ => return None,
    };
    let message = quoted(rest).unwrap_or_else(|| rest.to_string());
    let error = rest.split_once(" err=").and_then(|(_, value)| quoted(value));
    // What a program ends with; it says nothing beside its reason.
    let message = if message == "command failed" { String::new() } else { message };
    let (weight, text) = worded(level, &message, error.as_deref());
    Some((if severity == "W" { Weight::Warning } else { weight }, text))
}

/// `time="…" level=error msg="…" error="…"`
fn read_logfmt(line: &str) -> Option<(Weight, String)> {
    let rest = line.strip_prefix("time=")?;
    let value = |key: &str| rest.split_once(&format!(" {key}=")).map(|(_, value)| value);
    let text = |key: &str| value(key).map(|value| quoted(value).unwrap_or_else(|| first_word(value).to_string()));
    let level = text("level")?;
    Some(worded(&level, &text("msg").unwrap_or_default(), text("error").as_deref()))
}

fn first_word(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or_default()
}

/// The text between quotes at the beginning, as Go's `%q` writes it.
fn quoted(text: &str) -> Option<String> {
    let mut letters = text.strip_prefix('"')?.chars();
    let mut value = String::new();
    loop {
        match letters.next()? {
            '"' => return Some(value),
            '\\' => match letters.next()? {
                'n' => value.push(' '),
                't' => value.push(' '),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
}

/// Go's flag packages, nginx (`[emerg]`), keepalived, apt (`E: `), health checks of the API server (`[-]`) and shells.
fn read_plain(line: &str) -> (Weight, String) {
    const SIGNS: [&str; 14] = [
        "E: ",
        "[-]",
        "Error from server",
        "Error: ",
        "error: ",
        "[emerg]",
        "[crit]",
        "panic: ",
        "fatal error",
        "flag provided but not defined",
        "invalid value ",
        "not found",
        "Unknown keyword",
        "containerd: ",
    ];
    let weight = match line {
        _ if line.starts_with([' ', '\t']) || line.starts_with("Usage:") => Weight::Usage,
        _ if SIGNS.iter().any(|sign| line.contains(sign)) => Weight::Error,
        _ => Weight::Plain,
    };
    (weight, line.trim().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        assert_eq!(lines_that_matter(text), expect);
    }

    /// As the programs of 1.36.3 print it.
    #[test]
    fn an_error_of_kubernetes_is_its_reason() {
        check(
            "I1129 09:15:02.008248    2820 serving.go:411] Generated self-signed cert in-memory\n\
             E1129 09:15:02.197692    3008 run.go:72] \"command failed\" err=\"failed to decode: json: cannot unmarshal \\\"many\\\" into maxPods\"\n",
            "failed to decode: json: cannot unmarshal \"many\" into maxPods",
        );
        check(
            "E1129 09:15:02.197692    3008 a.go:7] \"Unable to register\" err=\"no route\" node=\"x\"",
            "Unable to register: no route",
        );
        check("Flag --x has been deprecated\nError: unknown flag: --no-such-flag\n", "Error: unknown flag: --no-such-flag");
        let usage = "Usage:\n  kube-scheduler [flags]\n\nFlags:\n      --a string   Invalid when error: is set\n\nError: unknown flag: --b\n";
        check(usage, "Error: unknown flag: --b");
    }

    #[test]
    fn etcd_logs_json_and_ends_with_a_warning() {
        check(
            "{\"level\":\"warn\",\"ts\":\"2026-11-29T09:15:02Z\",\"caller\":\"embed/config.go:1207\",\"msg\":\"Running http and grpc server on single port.\"}\n\
             {\"level\":\"info\",\"msg\":\"Running: \",\"args\":[\"etcd\"]}\n\
             {\"level\":\"warn\",\"msg\":\"failed to verify flags\",\"error\":\"unknown auto-compaction-mode \\\"foo\\\"\"}\n",
            "failed to verify flags: unknown auto-compaction-mode \"foo\"",
        );
        let usage = "flag provided but not defined: -no-such-flag\nUsage:\n\n  etcd [flags]\n    Start an etcd server.\n";
        check(usage, "flag provided but not defined: -no-such-flag");
    }

    #[test]
    fn other_logs_and_plain_words() {
        check(
            "time=\"2026-11-29T09:15:03Z\" level=error msg=\"Failure unmarshaling TOML\" column=7 error=\"toml: incomplete number\" row=3\n",
            "Failure unmarshaling TOML: toml: incomplete number",
        );
        check(
            "nginx: [emerg] host not found in upstream \"x\" in /a:3\nnginx: configuration file /a test failed\n",
            "nginx: [emerg] host not found in upstream \"x\" in /a:3",
        );
        check("one\n\ntwo\nthree\nfour\n", "two\nthree\nfour");
        check("", "");
        check("x: [\n] y", "x: [\n] y");
        check("É1129 1:2 3 a] b", "É1129 1:2 3 a] b");
    }

    #[test]
    fn a_line_that_comes_again_stands_once_and_a_long_one_is_cut() {
        check(&"E1129 09:15:02.1 1 r.go:7] \"command failed\" err=\"x\"\n".repeat(9), "x");
        assert_eq!(lines_that_matter(&"é".repeat(600)).chars().count(), LONGEST + 1);
    }
}
