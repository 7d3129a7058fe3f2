//! The attribute `cost` of a plan: what each object costs a month, and all of them together.

use cloud::{Completeness, Graph, PriceTable, total};
use schema::{Diagnostic, Value};

/// `own`: a table of the user's, which wins over what the provider knows.
pub fn estimate(graph: &Graph, region: Option<&str>, own: Option<&str>) -> Result<Value, Diagnostic> {
    let mut table = PriceTable::builtin();
    if let Some(text) = own {
        table = table.with(PriceTable::parse(text).map_err(|error| {
            Diagnostic::error("aws.prices of the provider is not a table of prices").detail(format!(
                "{error}\nIt is TOML: [[prices]], region = \"us-east-1\", unit = \"hour\", usd = {{ nat_gateway = \"0.045\" }}."
            ))
        })?);
    }
    let costs = table.estimate(graph, region);
    let (sum, completeness) = total(&costs);
    let mut lines: std::collections::BTreeMap<String, Value> = costs
        .iter()
        .map(|cost| {
            if !cost.is_settled {
                return (cost.object.clone(), Value::Unknown);
            }
            let monthly = cost.monthly.map_or_else(|| "unknown".to_owned(), |usd| usd.to_string());
            (cost.object.clone(), format!("{monthly} ({})", cost.note).into())
        })
        .collect();
    let all = match completeness {
        _ if costs.iter().any(|cost| !cost.is_settled) => Value::Unknown,
        Completeness::Complete => sum.to_string().into(),
        Completeness::WithoutUnknown => format!("{sum} and what is unknown").into(),
    };
    lines.insert("total".into(), all);
    Ok(Value::Map(lines))
}
