//! What happens on hosts behind one's back: which units were restarted and which files were written between two moments.

use crate::lab::Lab;
use std::collections::BTreeMap;

/// For each host, what would change if anybody touched it: units by their invocation, files by the time they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity(BTreeMap<String, BTreeMap<String, String>>);

/// Units that come and go by themselves: sessions, and what timers and the bus start. Locks are no content.
const QUESTION: &str = r#"
systemctl show --property=Id,InvocationID,ActiveState '*.service' | awk -F= '
  $1 == "Id" { id = $2 } $1 == "InvocationID" { invocation = $2 } $1 == "ActiveState" { state = $2 }
  $0 == "" && id != "" { print id "\t" state " " invocation; id = "" } END { if (id != "") print id "\t" state " " invocation }' |
  grep -vE '^(user@|user-|getty|dpkg-db-backup|fstrim|logrotate|apt-|e2scrub|systemd-(tmpfiles-clean|hostnamed|localed|timedated|logind))' | sort
find /etc /usr /opt /var/lib/k8s-hardway -type f ! -name '.lock*' -printf '%p\t%T@\n' 2>/dev/null | sort
"#;

impl Activity {
    pub fn of(lab: &Lab, hosts: &[&str]) -> Activity {
        let ask = |host: &&str| {
            let answer = lab.ssh(host, QUESTION).success().stdout;
            let lines = answer.lines().filter_map(|line| line.split_once('\t'));
            (host.to_string(), lines.map(|(item, mark)| (item.to_string(), mark.to_string())).collect())
        };
        Activity(hosts.iter().map(ask).collect())
    }

    /// `cp-1: etcd.service`, `lb-2: /etc/...` for everything that is not as it was.
    pub fn since(&self, before: &Activity) -> Vec<String> {
        let mut touched = Vec::new();
        for (host, now) in &self.0 {
            let then = before.0.get(host).cloned().unwrap_or_default();
            let mut items: Vec<&String> = now.keys().chain(then.keys()).collect();
            items.sort();
            items.dedup();
            touched
                .extend(items.into_iter().filter(|item| now.get(*item) != then.get(*item)).map(|item| format!("{host}: {item}")));
        }
        touched
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn activity(items: &[(&str, &str)]) -> Activity {
        let items = items.iter().map(|(item, mark)| (item.to_string(), mark.to_string())).collect();
        Activity(BTreeMap::from([("cp-1".to_string(), items)]))
    }

    #[test]
    fn what_is_new_gone_or_different_was_touched() {
        let before = activity(&[("a.service", "active 1"), ("/etc/a", "1"), ("/etc/b", "1")]);
        let after = activity(&[("a.service", "active 2"), ("/etc/a", "1"), ("/etc/c", "1")]);
        assert_eq!(after.since(&before), ["cp-1: /etc/b", "cp-1: /etc/c", "cp-1: a.service"]);
    }
}
