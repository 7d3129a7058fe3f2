//! What the objects of a graph cost in a month, from a table of prices that is data. Only fixed prices: what traffic costs
//! (transfer, processed data, capacity units of load balancers) is not included. A price that is not in the table is unknown.

use crate::{Graph, Kind, Object, Setting};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// As AWS's calculator counts a month.
const HOURS: i64 = 730;
const EVERY_REGION: &str = "*";

/// Prices by item and region. Later tables win over earlier ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PriceTable {
    layers: Vec<BTreeMap<String, ByRegion>>,
}

type ByRegion = BTreeMap<String, Price>;

/// The price of one unit in US dollars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    pub usd: Usd,
    /// `hour` or `GB-month`.
    pub unit: String,
    /// Where it was read, and when; empty in a table of the user's.
    pub source: String,
    pub looked_up: String,
}

/// Millionths of a dollar; printed with two decimals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Usd(i64);

/// The estimate for one object in US dollars a month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// The object's key, such as `nat_gateway/1`.
    pub object: String,
    /// `None`: not known.
    pub monthly: Option<Usd>,
    /// What it is made of, or what is missing.
    pub note: String,
    /// Whether what it is made of is known. Otherwise apply finds it, also where this has no price.
    pub is_settled: bool,
}

/// Why a text is no table of prices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceError(String);

impl PriceTable {
    /// Groups `[[prices]]` of `region`, `unit`, `usd = { item = "0.045" }` and, for the record, `source` and `looked_up`.
    pub fn parse(text: &str) -> Result<PriceTable, PriceError> {
        let document: Document = toml::from_str(text).map_err(|error| PriceError(error.to_string()))?;
        let mut prices: BTreeMap<String, ByRegion> = BTreeMap::new();
        for group in document.prices {
            if !["hour", "GB-month"].contains(&group.unit.as_str()) {
                return Err(PriceError(format!("unit {:?} is neither \"hour\" nor \"GB-month\"", group.unit)));
            }
            for (item, usd) in group.usd {
                let usd = usd.parse().map_err(|()| PriceError(format!("{item}: {usd:?} is no amount such as \"0.045\"")))?;
                let (unit, source, looked_up) = (group.unit.clone(), group.source.clone(), group.looked_up.clone());
                prices.entry(item).or_default().insert(group.region.clone(), Price { usd, unit, source, looked_up });
            }
        }
        Ok(PriceTable { layers: vec![prices] })
    }

    /// The prices that this provider knows.
    pub fn builtin() -> PriceTable {
        // That it parses is a matter of its test.
        PriceTable::parse(include_str!("prices.toml")).unwrap_or_default()
    }

    /// These prices, but where the other table has one too, that.
    pub fn with(mut self, other: PriceTable) -> PriceTable {
        self.layers.extend(other.layers);
        self
    }

    /// The price of an item in a region, or the one that holds everywhere.
    pub fn price(&self, item: &str, region: Option<&str>) -> Option<&Price> {
        self.layers.iter().rev().find_map(|layer| {
            let prices = layer.get(item)?;
            region.and_then(|region| prices.get(region)).or_else(|| prices.get(EVERY_REGION))
        })
    }

    /// Objects that cost something by being there, in the order of the graph.
    pub fn estimate(&self, graph: &Graph, region: Option<&str>) -> Vec<Cost> {
        let cost = |object: &Object| {
            let parts = parts(object, graph)?;
            Some(self.cost(object, &parts, region))
        };
        graph.iter().filter_map(cost).collect()
    }

    fn cost(&self, object: &Object, parts: &[Part], region: Option<&str>) -> Cost {
        let mut monthly = Some(Usd(0));
        let mut notes = Vec::new();
        for part in parts {
            let price = part.item.as_ref().and_then(|item| self.price(item, region));
            let amount = match (price, part.count) {
                (Some(price), Some(count)) => Some((price, price.usd.0 * count * if price.unit == "hour" { HOURS } else { 1 })),
                _ => None,
            };
            let item = part.item.as_deref().unwrap_or("an item that is not known yet");
            match (amount, part.count) {
                (Some((price, _)), Some(count)) => {
                    notes.push(format!("{count} x {item} at {} per {}", price.usd.exact(), price.unit))
                }
                (None, Some(_)) => {
                    notes.push(format!("no price of {item} in {}", region.unwrap_or("a region that is not known")))
                }
                (_, None) => notes.push(format!("how many of {item} is not known yet")),
            }
            monthly = monthly.zip(amount).map(|(sum, (_, amount))| Usd(sum.0 + amount));
        }
        let is_settled = parts.iter().all(|part| part.item.is_some() && part.count.is_some());
        Cost { object: object.key.to_string(), monthly, note: notes.join(", "), is_settled }
    }
}

/// What is known, and whether that is all.
pub fn total(costs: &[Cost]) -> (Usd, Completeness) {
    let known = Usd(costs.iter().filter_map(|cost| cost.monthly).map(|usd| usd.0).sum());
    let is_complete = costs.iter().all(|cost| cost.monthly.is_some());
    (known, if is_complete { Completeness::Complete } else { Completeness::WithoutUnknown })
}

/// Whether a sum covers everything, or something in it has no known price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    Complete,
    WithoutUnknown,
}

/// One item of the table, so many times.
struct Part {
    /// `None` while it is not known.
    item: Option<String>,
    count: Option<i64>,
}

/// `None`: being there costs nothing.
fn parts(object: &Object, graph: &Graph) -> Option<Vec<Part>> {
    let part = |item: &str, count: Option<i64>| Part { item: Some(item.to_owned()), count };
    match object.key.kind {
        Kind::NatGateway => Some(vec![part("nat_gateway", Some(1))]),
        Kind::ElasticIp => Some(vec![part("public_ipv4", Some(1))]),
        Kind::VpcEndpoint if object.get("type") == Some("Interface") => {
            Some(vec![part("interface_endpoint", subnets(object, |_| true))])
        }
        Kind::LoadBalancer => {
            let mut parts = vec![part("network_load_balancer", Some(1))];
            // One address that AWS gives in each subnet; an Elastic IP is an object of its own.
            match setting(object, "scheme") {
                Declared::Known("internet-facing") => {
                    parts.push(part("public_ipv4", subnets(object, |value| !value.contains("allocation="))))
                }
                Declared::Unknown => parts.push(part("public_ipv4", None)),
                _ => {}
            }
            parts.retain(|part| part.count != Some(0));
            Some(parts)
        }
        Kind::Instance => Some(instance_parts(object, graph)),
        _ => None,
    }
}

fn instance_parts(object: &Object, graph: &Graph) -> Vec<Part> {
    let item = |word: &str, key: &str| match setting(object, key) {
        Declared::Known(value) => Some(format!("{word} {value}")),
        _ => None,
    };
    let mut parts = vec![Part { item: item("instance", "type"), count: Some(1) }];
    match setting(object, "volume_gib") {
        Declared::Known(gib) => parts.push(Part { item: item("volume", "volume_type"), count: gib.parse().ok() }),
        Declared::Unknown => parts.push(Part { item: item("volume", "volume_type"), count: None }),
        Declared::Not => {}
    }
    let own = object.reference();
    let has_elastic_ip = graph.of_kind(Kind::ElasticIp).any(|address| address.get("instance") == Some(own.as_str()));
    let subnet = object.get("subnet").and_then(|subnet| subnet.strip_prefix('@')?.parse().ok());
    let maps = subnet.and_then(|key| graph.get(&key)).is_some_and(|subnet| subnet.get("map_public_ip") == Some("true"));
    if maps && !has_elastic_ip {
        parts.push(Part { item: Some("public_ipv4".to_owned()), count: Some(1) });
    }
    parts
}

enum Declared<'a> {
    Known(&'a str),
    Unknown,
    Not,
}

fn setting<'a>(object: &'a Object, key: &str) -> Declared<'a> {
    match object.settings.get(key) {
        Some(Setting::Known(value)) => Declared::Known(value),
        Some(Setting::Unknown) => Declared::Unknown,
        None => Declared::Not,
    }
}

/// `None` while it is not known how many there are (`*`).
fn subnets(object: &Object, counts: fn(&str) -> bool) -> Option<i64> {
    let mut count = 0;
    for (_, value) in object.settings.iter().filter(|(key, _)| key.starts_with("subnet ")) {
        count += i64::from(counts(value.known().unwrap_or("allocation=")));
    }
    // Of an object that may have more settings, those below one word are known all or none.
    let is_known = !object.is_open() || object.settings.keys().any(|key| key.starts_with("subnet "));
    is_known.then_some(count)
}

impl Usd {
    fn exact(self) -> String {
        let text = format!("{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000);
        format!("${}", text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl fmt::Display for Usd {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cents = (self.0 + 5_000) / 10_000;
        write!(formatter, "{}.{:02}", cents / 100, cents % 100)
    }
}

impl FromStr for Usd {
    type Err = ();

    /// Digits, and at most six after a point.
    fn from_str(text: &str) -> Result<Usd, ()> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > 6 || whole.len() > 9 {
            return Err(());
        }
        let (whole, fraction): (i64, i64) = (whole.parse().map_err(|_| ())?, format!("{fraction:0<6}").parse().map_err(|_| ())?);
        Ok(Usd(whole * 1_000_000 + fraction))
    }
}

impl fmt::Display for PriceError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for PriceError {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    prices: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    region: String,
    unit: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    looked_up: String,
    usd: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An estimate as lines `object: USD (note)`.
    #[track_caller]
    fn check(objects: Vec<Object>, region: Option<&str>, expect: &[&str]) {
        let graph: Graph = objects.into_iter().collect();
        let costs = PriceTable::builtin().estimate(&graph, region);
        let amount = |cost: &Cost| cost.monthly.map_or("unknown".to_owned(), |usd| usd.to_string());
        let lines: Vec<String> = costs.iter().map(|cost| format!("{}: {} ({})", cost.object, amount(cost), cost.note)).collect();
        assert_eq!(lines, expect);
    }

    const HOME: Option<&str> = Some("us-east-1");

    #[test]
    fn every_price_has_a_source_and_a_date() {
        let table = PriceTable::parse(include_str!("prices.toml")).unwrap();
        for (item, prices) in table.layers.iter().flatten() {
            for price in prices.values() {
                assert!(price.source.starts_with("https://") && price.looked_up.len() == 10, "{item}");
                assert!(price.usd > Usd(0) && item.starts_with("volume ") == (price.unit == "GB-month"), "{item}");
            }
        }
        assert_eq!(PriceTable::builtin(), table);
    }

    #[test]
    fn objects_cost_by_the_hour() {
        let gateway = Object::new(Kind::NatGateway, "a").with("connectivity", "public");
        let address = Object::new(Kind::ElasticIp, "a");
        let free = Object::new(Kind::Vpc, "main").with("cidr", "10.0.0.0/16");
        check(
            vec![gateway, address, free],
            HOME,
            &[
                "elastic_ip/a: 3.65 (1 x public_ipv4 at $0.005 per hour)",
                "nat_gateway/a: 32.85 (1 x nat_gateway at $0.045 per hour)",
            ],
        );
    }

    #[test]
    fn endpoints_cost_in_each_zone() {
        let interface = Object::new(Kind::VpcEndpoint, "ecr")
            .with("type", "Interface")
            .with("subnet @subnet/a", "")
            .with("subnet @subnet/b", "");
        let gateway = Object::new(Kind::VpcEndpoint, "s3").with("type", "Gateway");
        check(vec![interface, gateway], HOME, &["vpc_endpoint/ecr: 14.60 (2 x interface_endpoint at $0.01 per hour)"]);
        let later = Object::new(Kind::VpcEndpoint, "ecr").with("type", "Interface").with("*", Setting::Unknown);
        check(vec![later.clone()], HOME, &["vpc_endpoint/ecr: unknown (how many of interface_endpoint is not known yet)"]);
        let settled = |object: Object| PriceTable::builtin().estimate(&std::iter::once(object).collect(), HOME)[0].is_settled;
        assert!(!settled(later) && settled(Object::new(Kind::NatGateway, "a")));
    }

    #[test]
    fn a_public_load_balancer_has_addresses_too() {
        let balancer = |scheme: &str| Object::new(Kind::LoadBalancer, "api").with("scheme", scheme).with("subnet subnet-1", "");
        let hour = "1 x network_load_balancer at $0.0225 per hour";
        check(vec![balancer("internal")], HOME, &[&format!("load_balancer/api: 16.43 ({hour})")]);
        let address = "1 x public_ipv4 at $0.005 per hour";
        check(vec![balancer("internet-facing")], HOME, &[&format!("load_balancer/api: 20.08 ({hour}, {address})")]);
        let fixed = balancer("internet-facing").with("subnet subnet-1", "allocation=eipalloc-1");
        check(vec![fixed], HOME, &[&format!("load_balancer/api: 16.43 ({hour})")]);
    }

    #[test]
    fn an_instance_costs_with_its_volume_and_its_address() {
        let instance = Object::new(Kind::Instance, "bastion")
            .with("type", "t4g.nano")
            .with("volume_gib", "8")
            .with("volume_type", "gp3")
            .with("subnet", "@subnet/public-a");
        let subnet = Object::new(Kind::Subnet, "public-a").with("map_public_ip", true);
        let parts = "1 x instance t4g.nano at $0.0042 per hour, 8 x volume gp3 at $0.08 per GB-month";
        check(vec![instance.clone()], HOME, &[&format!("instance/bastion: 3.71 ({parts})")]);
        let with_address = format!("instance/bastion: 7.36 ({parts}, 1 x public_ipv4 at $0.005 per hour)");
        check(vec![instance.clone(), subnet], HOME, &[&with_address]);
        let large = instance.with("type", "x9.huge");
        check(
            vec![large],
            HOME,
            &["instance/bastion: unknown (no price of instance x9.huge in us-east-1, 8 x volume gp3 at $0.08 per GB-month)"],
        );
    }

    #[test]
    fn what_is_not_known_is_not_guessed() {
        let gateway = || vec![Object::new(Kind::NatGateway, "a")];
        check(gateway(), Some("xx-moon-1"), &["nat_gateway/a: unknown (no price of nat_gateway in xx-moon-1)"]);
        check(gateway(), None, &["nat_gateway/a: unknown (no price of nat_gateway in a region that is not known)"]);
        let graph: Graph = [Object::new(Kind::NatGateway, "a"), Object::new(Kind::ElasticIp, "a")].into_iter().collect();
        let costs = PriceTable::builtin().estimate(&graph, None);
        let (known, completeness) = total(&costs);
        assert_eq!((known.to_string().as_str(), completeness), ("3.65", Completeness::WithoutUnknown));
    }

    #[test]
    fn a_table_of_the_users_wins() {
        let own = "[[prices]]\nregion = \"*\"\nunit = \"hour\"\nusd = { nat_gateway = \"0.05\" }";
        let table = PriceTable::builtin().with(PriceTable::parse(own).unwrap());
        assert_eq!(table.price("nat_gateway", HOME).unwrap().usd, Usd(50_000));
        assert_eq!(table.price("nat_gateway", None).unwrap().usd, Usd(50_000));
        assert_eq!(table.price("public_ipv4", HOME).unwrap().usd, Usd(5_000));
    }

    #[test]
    fn amounts() {
        for (text, micros) in [("0.045", 45_000), ("1", 1_000_000), ("0.04488", 44_880)] {
            assert_eq!(text.parse(), Ok(Usd(micros)));
        }
        for bad in ["", "-1", "1.", ".5", "0.1234567", "1,5", "$1"] {
            assert!(bad.parse::<Usd>().is_err(), "{bad}");
        }
        assert_eq!(Usd(16_425_000).to_string(), "16.43");
        let wrong = PriceTable::parse("[[prices]]\nregion = \"*\"\nunit = \"year\"\nusd = {}").unwrap_err();
        assert_eq!(wrong.to_string(), "unit \"year\" is neither \"hour\" nor \"GB-month\"");
    }
}
