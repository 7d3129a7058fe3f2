//! Which programs are asked whether they take their settings before their units are touched (docs/adr/0043).

use bundle::{Bundle, Check, Observed, UnitName};

/// Units that do not run with what the bundle has for them, and whose programs can tell. Nothing is asked of the others: what they run
/// with was checked when it came.
pub fn due(bundle: &Bundle, observed: Option<&Observed>) -> Vec<(UnitName, Check)> {
    let stamp_of = |unit: &UnitName| observed.and_then(|observed| observed.units.get(unit)?.stamp.clone());
    let is_current = |unit: &UnitName| stamp_of(unit).is_some_and(|stamp| bundle.unit_stamp(unit) == Some(stamp));
    let checked = bundle.units.iter().filter_map(|(name, unit)| Some((name, unit.check.as_ref()?)));
    checked.filter(|(name, _)| !is_current(name)).map(|(name, check)| (name.clone(), check.clone())).collect()
}
