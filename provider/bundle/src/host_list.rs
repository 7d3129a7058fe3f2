//! Many hosts as one short text: `cp-1, cp-2, cp-3` or `node-[001-300]`. It reads back as the same hosts.

use crate::{HostName, NameError};
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// Hosts in an order. Four and more that differ by a number that goes up by one are one range; its last digits are as wide as its
/// first number, so that `node-[08-11]` is `node-08` to `node-11`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostList(pub Vec<HostName>);

/// Shorter ones are easier to read one by one.
const SHORTEST_RANGE: usize = 4;
/// More than any resource has: a text that stands for more of them is none of ours.
const MOST_HOSTS: u64 = 100_000;

/// A text that no [`HostList`] is written as.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("cannot read the hosts {0:?}")]
pub struct HostListError(String);

impl HostName {
    /// As people count: `node-9` before `node-10`.
    pub fn by_number(&self, other: &HostName) -> Ordering {
        parts(self.as_str()).cmp(parts(other.as_str())).then_with(|| self.cmp(other))
    }
}

/// Text and numbers in turn. Numbers without their leading zeros, the shorter of two being the smaller one.
fn parts(name: &str) -> impl Iterator<Item = (&str, usize, &str)> {
    let mut rest = name;
    std::iter::from_fn(move || {
        let (before, digits, after) = split_at_number(rest, 0)?;
        rest = after;
        let number = digits.trim_start_matches('0');
        Some((before, number.len(), number))
    })
}

/// What stands before the first digits at or after `from`, these digits, and the rest.
fn split_at_number(text: &str, from: usize) -> Option<(&str, &str, &str)> {
    if text.len() <= from {
        return None;
    }
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let start = text.bytes().skip(from).position(|byte| is_digit(&byte)).map_or(text.len(), |at| from + at);
    let end = text.bytes().skip(start).position(|byte| !is_digit(&byte)).map_or(text.len(), |at| start + at);
    Some((text.get(..start)?, text.get(start..end)?, text.get(end..)?))
}

/// What is around the number by which a name is the next one after another, and the number's digits in the first of them.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Series<'a> {
    before: &'a str,
    digits: &'a str,
    after: &'a str,
}

impl<'a> Series<'a> {
    fn of(first: &'a str, second: &str) -> Option<Series<'a>> {
        let same = first.bytes().zip(second.bytes()).take_while(|(one, other)| one == other).count();
        let digits_before = first.bytes().take(same).rev().take_while(u8::is_ascii_digit).count();
        let (before, digits, after) = split_at_number(first, same - digits_before)?;
        let series = Series { before, digits, after };
        (series.name(1)? == second).then_some(series)
    }

    /// The name that comes so many after the first.
    fn name(&self, offset: u64) -> Option<String> {
        let number = self.digits.parse::<u64>().ok()?.checked_add(offset)?;
        let width = self.digits.len();
        Some(format!("{}{number:0width$}{}", self.before, self.after))
    }
}

/// How many of the names from the first on are a series; 1 if not even the second is.
fn series_length<'a>(names: &'a [HostName]) -> Option<(Series<'a>, usize)> {
    let [first, second, ..] = names else { return None };
    let series = Series::of(first.as_str(), second.as_str())?;
    let follows = |(offset, name): (u64, &HostName)| series.name(offset).as_deref() == Some(name.as_str());
    Some((series, (0..).zip(names).take_while(|pair| follows(*pair)).count()))
}

impl fmt::Display for HostList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut rest, mut separator) = (self.0.as_slice(), "");
        while let [first, others @ ..] = rest {
            f.write_str(separator)?;
            separator = ", ";
            match series_length(rest) {
                Some((series, length)) if length >= SHORTEST_RANGE => {
                    let last = series.digits.parse::<u64>().map_err(|_| fmt::Error)? + (length as u64 - 1);
                    let width = series.digits.len();
                    write!(f, "{}[{}-{last:0width$}]{}", series.before, series.digits, series.after)?;
                    rest = rest.get(length..).unwrap_or_default();
                }
                _ => {
                    f.write_str(first.as_str())?;
                    rest = others;
                }
            }
        }
        Ok(())
    }
}

impl FromStr for HostList {
    type Err = HostListError;

    fn from_str(text: &str) -> Result<Self, HostListError> {
        let error = || HostListError(text.to_string());
        let names = text.split(", ").map(|item| names_of(item).ok_or_else(error));
        Ok(HostList(names.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect()))
    }
}

fn names_of(item: &str) -> Option<Vec<HostName>> {
    let Some((before, range)) = item.split_once('[') else { return Some(vec![HostName::parse(item).ok()?]) };
    let (range, after) = range.split_once(']')?;
    let (digits, last) = range.split_once('-')?;
    let more = last.parse::<u64>().ok()?.checked_sub(digits.parse().ok()?)?;
    let series = Series { before, digits, after };
    let parse = |offset| -> Option<HostName> { HostName::parse(series.name(offset)?).ok() };
    if more < MOST_HOSTS { (0..=more).map(parse).collect() } else { None }
}

impl FromIterator<HostName> for HostList {
    fn from_iter<I: IntoIterator<Item = HostName>>(names: I) -> Self {
        HostList(names.into_iter().collect())
    }
}

impl TryFrom<&[&str]> for HostList {
    type Error = NameError;

    fn try_from(names: &[&str]) -> Result<Self, NameError> {
        names.iter().map(|name| HostName::parse(*name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(names: &[&str], expect: &str) {
        let list = HostList::try_from(names).unwrap();
        assert_eq!(list.to_string(), expect);
        assert_eq!(expect.parse(), Ok(list));
    }

    #[test]
    fn hosts_that_follow_each_other_are_a_range_from_four_on() {
        check(&["cp-1"], "cp-1");
        check(&["cp-1", "cp-2", "cp-3"], "cp-1, cp-2, cp-3");
        check(&["cp-1", "cp-2", "cp-3", "cp-4"], "cp-[1-4]");
        check(&["n8", "n9", "n10", "n11"], "n[8-11]");
        check(&["n08", "n09", "n10", "n11"], "n[08-11]");
        check(&["n98", "n99", "n100", "n101"], "n[98-101]");
        check(&["n-008", "n-009", "n-010", "n-011", "n-013"], "n-[008-011], n-013");
        check(&["a-1.x", "a-2.x", "a-3.x", "a-4.x", "b-1.x"], "a-[1-4].x, b-1.x");
        check(&["10-0-1-4", "10-0-1-5", "10-0-1-6", "10-0-1-7"], "10-0-1-[4-7]");
        check(&["z1-a", "z2-a", "z3-a", "z4-a"], "z[1-4]-a");
        check(&["n9", "n010", "n011", "n012"], "n9, n010, n011, n012");
        check(&["n4", "n3", "n2", "n1"], "n4, n3, n2, n1");
    }

    #[test]
    fn a_text_that_stands_for_no_hosts_is_refused() {
        for text in ["", "A", "n-[1-2", "n-[2-1]", "n-[1-x]", "n-[1-99999999]", "n-[1-2], "] {
            assert_eq!(text.parse::<HostList>(), Err(HostListError(text.into())), "{text}");
        }
    }

    #[test]
    fn names_are_ordered_as_people_count() {
        let HostList(mut names) = HostList::try_from(&["n10", "n-2", "n9", "n1", "m-10-2", "m-9-11", "n01"][..]).unwrap();
        names.sort_by(HostName::by_number);
        let sorted: Vec<&str> = names.iter().map(HostName::as_str).collect();
        assert_eq!(sorted, ["m-9-11", "m-10-2", "n01", "n1", "n9", "n10", "n-2"]);
    }

    fn any_name() -> impl Strategy<Value = HostName> {
        "[a-c]{1,2}(-[0-9]{1,3}){0,2}(\\.[ab][0-9]?)?".prop_map(|name| HostName::literal(&name))
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_the_same(
            names in prop::collection::vec(any_name(), 1..9),
            series in ("[a-c]-0{0,2}", 0u16..120, 0u16..20),
        ) {
            let (prefix, first, count) = series;
            let numbered = (first..first + count).map(|number| HostName::literal(&format!("{prefix}{number}")));
            let list: HostList = names.iter().cloned().chain(numbered).chain(names.clone()).collect();
            prop_assert_eq!(list.to_string().parse(), Ok(list));
        }
    }
}
