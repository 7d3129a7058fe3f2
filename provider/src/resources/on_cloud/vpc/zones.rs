//! Zones and their numbers. A number stands in the names of objects and in the plan of addresses: it is given once, and never to
//! another zone. Pure.

use cloud::Setting;
use schema::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The attribute in which they are kept: zone by number, unknown for one that has to be chosen.
pub const NUMBERED_ZONES: &str = "numbered_zones";

/// What `numbered_zones` is to be. Unknown while it is not known how many there are.
pub fn number(prior: Option<&Value>, planned: &Value) -> Value {
    let before = prior.map(|prior| prior.get(NUMBERED_ZONES).clone()).unwrap_or_default();
    let mut numbered: BTreeMap<u32, Value> = entries(&before).filter(|(_, zone)| zone.as_str().is_some()).collect();
    let next = |numbered: &BTreeMap<u32, Value>| numbered.keys().last().map_or(1, |last| last + 1);
    if !planned.get("zones").is_null() {
        let Some(names) = names(planned) else { return Value::Unknown };
        for name in names {
            if !numbered.values().any(|zone| zone.as_str() == Some(name.as_str())) {
                numbered.insert(next(&numbered), name.into());
            }
        }
    } else {
        let Some(count) = count(planned) else { return Value::Unknown };
        while numbered.len() < count {
            numbered.insert(next(&numbered), Value::Unknown);
        }
    }
    to_value(numbered)
}

/// By number, those that the configuration asks for: the named ones, or the first so many.
pub fn in_use(planned: &Value) -> Option<BTreeMap<u32, Setting>> {
    let numbered = planned.get(NUMBERED_ZONES);
    numbered.as_map()?;
    let all = entries(numbered);
    let used: BTreeMap<u32, Value> = if planned.get("zones").is_null() {
        all.take(count(planned)?).collect()
    } else {
        let names = names(planned)?;
        all.filter(|(_, zone)| zone.as_str().is_some_and(|zone| names.contains(zone))).collect()
    };
    Some(used.into_iter().map(|(number, zone)| (number, zone.as_str().map_or(Setting::Unknown, Setting::from))).collect())
}

/// Gives a zone to each number that has none: the first ones that have no number, of `available` in their order. How many are missing
/// otherwise.
pub fn choose(planned: &mut Value, available: &[String]) -> Result<(), usize> {
    let mut numbered: BTreeMap<u32, Value> = entries(planned.get(NUMBERED_ZONES)).collect();
    let taken: BTreeSet<String> = numbered.values().filter_map(|zone| zone.as_str().map(str::to_owned)).collect();
    let mut free = available.iter().filter(|zone| !taken.contains(*zone));
    let mut missing = 0;
    for zone in numbered.values_mut().filter(|zone| zone.is_unknown()) {
        match free.next() {
            Some(name) => *zone = name.as_str().into(),
            None => missing += 1,
        }
    }
    if missing > 0 {
        return Err(missing);
    }
    planned.set(NUMBERED_ZONES, to_value(numbered));
    Ok(())
}

/// Zone to number; unknown while one of them is.
pub fn numbers(planned: &Value) -> Value {
    let numbered = planned.get(NUMBERED_ZONES);
    if !numbered.is_wholly_known() {
        return Value::Unknown;
    }
    let number = |(number, zone): (u32, Value)| Some((zone.as_str()?.to_owned(), Value::from(number)));
    Value::Map(entries(numbered).filter_map(number).collect())
}

/// `us-east-1` of `us-east-1a`.
pub fn region_of(zone: &str) -> Option<&str> {
    let region = zone.strip_suffix(|c: char| c.is_ascii_lowercase())?;
    let parts: Vec<&str> = region.split('-').collect();
    let (number, words) = parts.split_last()?;
    let is_word = |word: &&str| word.len() >= 2 && word.chars().all(|c| c.is_ascii_lowercase());
    let is_number = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
    (words.len() >= 2 && words.iter().all(is_word) && is_number).then_some(region)
}

/// The region that named zones tell.
pub fn region(planned: &Value) -> Value {
    let regions: Option<BTreeSet<String>> =
        names(planned).map(|names| names.iter().filter_map(|zone| region_of(zone).map(str::to_owned)).collect());
    match regions.into_iter().flatten().next() {
        Some(region) => region.into(),
        None => Value::Unknown,
    }
}

fn names(planned: &Value) -> Option<BTreeSet<String>> {
    planned.get("zones").as_list()?.iter().map(|zone| zone.as_str().map(str::to_owned)).collect()
}

fn count(planned: &Value) -> Option<usize> {
    usize::try_from(planned.get("zone_count").as_i64()?).ok()
}

fn entries(numbered: &Value) -> impl Iterator<Item = (u32, Value)> {
    let entries: BTreeMap<u32, Value> =
        numbered.as_map().into_iter().flatten().filter_map(|(number, zone)| Some((number.parse().ok()?, zone.clone()))).collect();
    entries.into_iter()
}

fn to_value(numbered: BTreeMap<u32, Value>) -> Value {
    Value::Map(numbered.into_iter().map(|(number, zone)| (number.to_string(), zone)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(zones: &[&str]) -> Value {
        Value::object([("zones", zones.to_vec().into())])
    }

    fn counted(count: i64) -> Value {
        Value::object([("zone_count", count.into())])
    }

    #[track_caller]
    fn check(prior: Option<&Value>, mut planned: Value, expect: &[(&str, Option<&str>)]) -> Value {
        planned.set(NUMBERED_ZONES, number(prior, &planned));
        let zones = expect.iter().map(|(number, zone)| (number.to_string(), zone.map_or(Value::Unknown, Value::from)));
        assert_eq!(*planned.get(NUMBERED_ZONES), Value::Map(zones.collect()));
        planned
    }

    #[test]
    fn numbers_are_given_once() {
        let one = check(None, named(&["us-east-1b", "us-east-1a"]), &[("1", Some("us-east-1a")), ("2", Some("us-east-1b"))]);
        let two = check(
            Some(&one),
            named(&["us-east-1b", "us-east-1c"]),
            &[("1", Some("us-east-1a")), ("2", Some("us-east-1b")), ("3", Some("us-east-1c"))],
        );
        assert_eq!(in_use(&two).unwrap().into_keys().collect::<Vec<_>>(), [2, 3]);
        assert_eq!(numbers(&two).get("us-east-1c").as_i64(), Some(3));
    }

    #[test]
    fn counted_zones_are_chosen_once_and_kept() {
        let mut planned = check(None, counted(2), &[("1", None), ("2", None)]);
        assert_eq!(in_use(&planned).unwrap().len(), 2);
        assert!(numbers(&planned).is_unknown());
        let available = ["us-east-1a", "us-east-1b", "us-east-1d"].map(str::to_owned);
        choose(&mut planned, &available).unwrap();
        let more = check(Some(&planned), counted(3), &[("1", Some("us-east-1a")), ("2", Some("us-east-1b")), ("3", None)]);
        let mut more = more;
        choose(&mut more, &available).unwrap();
        assert_eq!(more.get(NUMBERED_ZONES).get("3").as_str(), Some("us-east-1d"));
        let fewer =
            check(Some(&more), counted(1), &[("1", Some("us-east-1a")), ("2", Some("us-east-1b")), ("3", Some("us-east-1d"))]);
        assert_eq!(in_use(&fewer).unwrap().into_keys().collect::<Vec<_>>(), [1]);
        let mut four = check(
            Some(&more),
            counted(5),
            &[("1", Some("us-east-1a")), ("2", Some("us-east-1b")), ("3", Some("us-east-1d")), ("4", None), ("5", None)],
        );
        assert_eq!(choose(&mut four, &available), Err(2));
    }

    #[test]
    fn nothing_is_known_while_the_zones_are_not() {
        assert!(number(None, &Value::object([("zones", Value::Unknown)])).is_unknown());
        assert!(number(None, &Value::object([("zone_count", Value::Unknown)])).is_unknown());
    }

    #[test]
    fn zones_tell_their_region() {
        for (zone, region) in
            [("us-east-1a", "us-east-1"), ("cn-northwest-1b", "cn-northwest-1"), ("us-gov-west-1a", "us-gov-west-1")]
        {
            assert_eq!(region_of(zone), Some(region));
        }
        for bad in ["us-east-1", "use1-az1", "us-west-2-lax-1a-b", "", "a"] {
            assert_eq!(region_of(bad), None, "{bad}");
        }
    }
}
