//! A plan that no longer holds: between plan and apply something changed of which contents are made, such as a mirror. The engine would
//! find out only once it is on the hosts. Pure.

use super::recorded::HOST_CONTENTS;
use schema::{AttributePath, Diagnostic, Value};

/// So many items are named.
const MOST_NAMED: usize = 5;

/// Refuses what the plan does not name: `planned` and `desired` are the resource as it was planned and as it would be now. What the plan
/// left unknown may become anything, and so may all of it.
pub fn refuse(planned: &Value, desired: &Value) -> Result<(), Diagnostic> {
    let (planned, desired) = (planned.get(HOST_CONTENTS), desired.get(HOST_CONTENTS));
    let (Some(planned), Some(now)) = (planned.as_map(), desired.as_map()) else { return Ok(()) };
    let is_other = |(key, line): &(&String, &Value)| now.get(*key).is_none_or(|now| !line.is_unknown() && now != *line);
    let others = planned.iter().filter(is_other).map(|(key, _)| key);
    let keys: Vec<&String> = others.chain(now.keys().filter(|key| !planned.contains_key(*key))).collect();
    let Some(first) = keys.first() else { return Ok(()) };
    let lines = keys.iter().take(MOST_NAMED).map(|key| format!("  {key}\n"));
    let more = keys.len().saturating_sub(MOST_NAMED);
    let more = if more == 0 { String::new() } else { format!("  and {more} more\n") };
    Err(Diagnostic::error(format!("the plan is out of date: {first} would not be as planned"))
        .detail(format!(
            "What follows from the configuration now is not what was planned (without a host: of all hosts):\n\n{}{more}\nSomething that it is made of changed in \
             between, such as the checksum file of a mirror or a credential. Nothing was changed on any host. Plan again, then apply.",
            lines.collect::<String>()
        ))
        .at(AttributePath::attribute(HOST_CONTENTS).key(first.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(planned: Value, desired: &[(&str, &str)], expect: Option<&str>) {
        let desired = Value::Map(desired.iter().map(|(key, line)| (key.to_string(), Value::from(*line))).collect());
        let of = |contents| Value::object([(HOST_CONTENTS, contents)]);
        let found = refuse(&of(planned), &of(desired)).err();
        let expect = expect.map(|what| format!("the plan is out of date: {what} would not be as planned"));
        assert_eq!(found.map(|found| found.summary), expect);
    }

    #[test]
    fn what_the_plan_names_is_written_and_nothing_else() {
        let planned = || Value::object([("/a", "1".into()), ("cp-1: /b", "2".into()), ("/c", Value::Unknown)]);
        check(planned(), &[("/a", "1"), ("cp-1: /b", "2"), ("/c", "3")], None);
        check(Value::Unknown, &[("/a", "1")], None);
        check(planned(), &[("/a", "0"), ("cp-1: /b", "2"), ("/c", "3")], Some("/a"));
        check(planned(), &[("/a", "1"), ("cp-1: /b", "0"), ("/c", "3")], Some("cp-1: /b"));
        check(planned(), &[("/a", "1"), ("cp-1: /b", "2")], Some("/c"));
        check(planned(), &[("/a", "1"), ("cp-1: /b", "2"), ("/c", "3"), ("/d", "4")], Some("/d"));
    }
}
