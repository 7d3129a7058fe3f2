//! Snapshots of etcd on the host of the member that gives them: written, read back once, and the oldest ones deleted.

use super::{EtcdClient, EtcdError};
use bundle::HostPath;
use machines::lines_that_matter;
use render::control_plane::{ETCD_CREDENTIALS, ETCDCTL, ETCDUTL};
use serde::Deserialize;

/// Where snapshots of one cluster stand on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotPlace {
    pub folder: HostPath,
    /// Snapshots are `<cluster>-<time in UTC>.db`, and no other file is deleted.
    pub cluster: String,
    /// How many stay, the new one among them; with 0 all.
    pub kept: usize,
}

/// One that was read back: it has the digest that etcd sent at its end, and etcdutl reads its pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub path: String,
    /// Up to which change it reaches.
    pub revision: i64,
    pub keys: u64,
    pub bytes: u64,
}

/// `etcdutl snapshot status -w json`: `Status` in etcdutl/snapshot/v3_snapshot.go.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SnapshotStatus {
    revision: i64,
    total_key: u64,
    total_size: u64,
}

/// What runs on the host. `folder`, `cluster`, `kept` and `needed` (KiB) are set before it, and what takes a snapshot is `save`, what reads
/// it back `check`. The first line of the answer is the path, the second what `check` says.
const SCRIPT: &str = r#"
umask 077
trap '' HUP PIPE
mkdir -p "$folder" || exit 1
exec 9>"$folder/.lock"
flock -n 9 || { echo "another snapshot is being taken in $folder" >&2; exit 1; }
part=$folder/.part
trap 'rm -f "$part" "$part.part"' EXIT
rm -f "$part" "$part.part"
free=$(df -Pk "$folder" | sed -n '2s/^[^ ]* *[0-9]* *[0-9]* *\([0-9]*\).*/\1/p')
[ "${free:-0}" -ge "$needed" ] || { echo "$folder has $free KiB left, and $needed KiB are needed" >&2; exit 1; }
save "$part" >&2 || exit 1
written=$(tail -c 32 "$part" | od -An -v -tx1 | tr -d ' \n')
digest=$(head -c -32 "$part" | sha256sum | cut -d ' ' -f 1)
[ "$written" = "$digest" ] || { echo "what was written has not the digest at its end" >&2; exit 1; }
status=$(check "$part") || exit 1
sync "$part" || exit 1
name=$cluster-$(date -u +%Y%m%dT%H%M%SZ).db
mv -f "$part" "$folder/$name" || exit 1
sync "$folder" || exit 1
printf '%s\n%s\n' "$folder/$name" "$status"
count=1
for old in $(ls -1r "$folder"); do
  case $old in
  "$name") continue ;;
  "$cluster"-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z.db) count=$((count + 1)) ;;
  *) continue ;;
  esac
  [ "$kept" = 0 ] || [ "$count" -le "$kept" ] || rm -f "$folder/$old"
done
"#;

impl EtcdClient {
    /// Of what this member has: whether that is all is for who asks to know.
    ///
    /// # Errors
    /// When the member does not answer, the host has not twice the room of the database left, or what was written does not read back.
    pub async fn snapshot(&self, place: &SnapshotPlace) -> Result<Snapshot, EtcdError> {
        let needed = self.status().await?.size / 512;
        let endpoint = &self.endpoint;
        let programs = format!(
            "save() {{ timeout 280 {ETCDCTL} {ETCD_CREDENTIALS} --endpoints={endpoint} --dial-timeout=5s snapshot save \"$1\"; }}\n\
             check() {{ {ETCDUTL} snapshot status \"$1\" -w json; }}"
        );
        let output = self.machine.run(&script(place, needed, &programs), None).await?;
        let reason = |text: &str| EtcdError::Snapshot {
            host: self.host(),
            reason: lines_that_matter(text).lines().last().unwrap_or("no reason was given").into(),
        };
        if !output.is_success() {
            return Err(reason(output.stderr_text().trim()));
        }
        snapshot(&output.stdout_text()).map_err(|error| EtcdError::Unreadable { host: self.host(), reason: error })
    }
}

/// `cluster` is a DNS label, and `folder` a path of the provider's own: neither holds anything that a shell interprets.
fn script(place: &SnapshotPlace, needed: u64, programs: &str) -> String {
    let SnapshotPlace { folder, cluster, kept } = place;
    format!("folder={folder} cluster={cluster} kept={kept} needed={needed}\n{programs}\n{SCRIPT}")
}

fn snapshot(answer: &str) -> Result<Snapshot, String> {
    let (path, status) = answer.split_once('\n').ok_or("it has one line")?;
    let status: SnapshotStatus = serde_json::from_str(status).map_err(|error| error.to_string())?;
    Ok(Snapshot { path: path.into(), revision: status.revision, keys: status.total_key, bytes: status.total_size })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;
    use std::process::{Command, Output};

    /// As etcdutl 3.6.16 prints it.
    const STATUS: &str = r#"{"hash":3253684121,"revision":1,"totalKey":4,"totalSize":20480,"version":"3.6.0"}"#;

    fn run(folder: &Path, needed: u64, save: &str, check: &str) -> Output {
        let folder = HostPath::parse(folder.to_str().unwrap()).unwrap();
        let place = SnapshotPlace { folder, cluster: "demo".into(), kept: 2 };
        let programs = format!("save() {{ {save}; }}\ncheck() {{ {check}; }}");
        Command::new("sh").args(["-c", &script(&place, needed, &programs)]).output().unwrap()
    }

    /// As etcdctl writes it: the data, and its digest.
    const SAVE: &str = r#"printf data >"$1"; sha256sum <"$1" | cut -d ' ' -f 1 | sed 's/../\\\\x&/g' | xargs printf >>"$1""#;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_newest_ones_are_kept_and_nothing_else_is_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let old = [
            "demo-20260101T000000Z.db",
            "demo-20260102T000000Z.db",
            "other-20260101T000000Z.db",
            "demo-notes.db",
            "demo-20260101T000000Z.db.bak",
        ];
        old.iter().for_each(|name| fs::write(folder.path().join(name), "x").unwrap());
        let output = run(folder.path(), 1, SAVE, &format!("echo '{STATUS}'"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let taken = snapshot(&String::from_utf8(output.stdout).unwrap()).unwrap();
        assert_eq!((taken.revision, taken.keys, taken.bytes), (1, 4, 20480));
        assert_eq!(fs::read(&taken.path).unwrap()[..4], *b"data");
        let left = names(folder.path());
        assert_eq!(left.len(), 6, "{left:?}");
        assert!(!left.contains(&old[0].to_string()) && old[1..].iter().all(|name| left.contains(&name.to_string())), "{left:?}");
    }

    #[test]
    fn what_was_not_saved_or_does_not_read_back_leaves_nothing_and_deletes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let old = ["demo-20260101T000000Z.db", "demo-20260102T000000Z.db", "demo-20260103T000000Z.db"];
        old.iter().for_each(|name| fs::write(folder.path().join(name), "x").unwrap());
        for (needed, save, check) in [
            (1, "echo half >\"$1.part\"; false", "true"),
            (1, SAVE, "echo 'snapshot file integrity check failed' >&2; false"),
            (1, &format!("{SAVE}; printf x | dd of=\"$1\" conv=notrunc 2>/dev/null"), "true"),
            (u64::MAX >> 10, SAVE, "true"),
        ] {
            let output = run(folder.path(), needed, save, check);
            assert!(!output.status.success(), "{save} {check}");
            let left: Vec<String> = names(folder.path()).into_iter().filter(|name| name != ".lock").collect();
            assert_eq!(left, old, "{save} {check}");
        }
    }
}
