//! Pages: moto gives all of a list whatever `MaxResults` says. A token is the number of the first item of its page.

use super::call::Call;
use crate::aws::xml::Element;

pub fn is_paged(call: &Call) -> bool {
    call.service == "ec2" && call.action.starts_with("Describe") && largest(call).is_some()
}

fn largest(call: &Call) -> Option<usize> {
    call.parameter("MaxResults").parse().ok()
}

/// Leaves one page of the list: the one child of the root that has items.
pub fn cut(call: &Call, root: &mut Element) {
    let (Some(largest), first) = (largest(call), call.parameter("NextToken").parse().unwrap_or(0)) else { return };
    let is_list = |child: &&mut Element| child.children.iter().any(|item| item.name == "item");
    let Some(list) = root.children.iter_mut().find(is_list) else { return };
    let next = first + largest;
    let is_last = list.children.len() <= next;
    let items = std::mem::take(&mut list.children);
    list.children = items.into_iter().skip(first).take(largest).collect();
    if !is_last {
        root.set("nextToken", &next.to_string());
    }
}
