//! Programs: fetched by the host itself where it can, brought by the provider where it cannot, checked either way.

use crate::download::{DownloadError, download};
use crate::script::{END, Script};
use crate::{Incarnation, Machine, MachineError, Progress};
use bundle::{Binary, Bundle, Digest, HostPath, Observed};
use credentials::Url;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

/// For all programs of a host over a slow line.
const TIMEOUT: Duration = Duration::from_secs(3600);
/// It may wait for another run on the host.
const PRUNE_TIMEOUT: Duration = Duration::from_secs(600);

impl Machine {
    pub(crate) async fn install_binaries(
        &self,
        owner: &Incarnation,
        bundle: &Bundle,
        observed: &Observed,
        progress: &Progress<'_>,
    ) -> Result<(), MachineError> {
        let missing = missing(bundle, observed);
        if missing.is_empty() {
            return Ok(());
        }
        let plan = self.render_plan(&missing)?;
        let answer = self.fetch_and_install(owner, &plan, &missing, progress).await?;
        if answer.needs.is_empty() {
            return Ok(());
        }
        for (digest, host_reason) in answer.needs {
            self.bring(&digest, &url_of(&missing, &digest), host_reason, progress).await?;
        }
        let answer = self.fetch_and_install(owner, &plan, &missing, progress).await?;
        match answer.needs.into_iter().next() {
            None => Ok(()),
            Some((digest, host_reason)) => {
                let (host, url) = (self.target.to_string(), url_of(&missing, &digest));
                let (host_reason, own_reason) =
                    (url.hide_in(&host_reason), "it brought the file, and the host does not find it".into());
                Err(MachineError::Download { host, url, host_reason, own_reason })
            }
        }
    }

    /// Deletes from the host's store the downloads that no owner's programs there come from any more. Nothing is deleted while a record of
    /// an older version does not say what its programs come from. Programs that are installed stay.
    pub async fn prune_downloads(&self, owner: &Incarnation, bundle: &Bundle) -> Result<(), MachineError> {
        let digests: BTreeSet<&Digest> = bundle.binaries.values().filter_map(|binary| binary.sha256.as_ref()).collect();
        let list = digests.into_iter().map(|digest| format!("{digest}\n")).collect::<String>() + END;
        let text = include_str!("scripts/downloads.sh");
        let script = Script::new("deleting old downloads", text, &self.arguments(owner), PRUNE_TIMEOUT);
        self.succeed(&script, list.as_bytes()).await.map(drop)
    }

    async fn fetch_and_install(
        &self,
        owner: &Incarnation,
        plan: &str,
        missing: &BTreeMap<&HostPath, &Binary>,
        progress: &Progress<'_>,
    ) -> Result<Answer, MachineError> {
        let told = |line: &str| {
            if let Some(sentence) = line.strip_prefix("progress\t") {
                progress(sentence);
            }
        };
        let script = Script::new("installing programs", include_str!("scripts/binaries.sh"), &self.arguments(owner), TIMEOUT);
        let output = self.succeed(&script.on_line(&told), plan.as_bytes()).await.map_err(|error| name_url(error, missing))?;
        let answer = parse_answer(&output.stdout_text()).ok_or_else(|| MachineError::Answer {
            host: self.target.to_string(),
            operation: "installing programs".into(),
            answer: output.stdout_text(),
        })?;
        match answer.wrong {
            None => Ok(answer),
            Some((expected, actual)) => Err(MachineError::Digest {
                host: self.target.to_string(),
                url: url_of(missing, &expected),
                expected: expected.to_string(),
                actual,
            }),
        }
    }

    /// Downloads here and pushes through the SSH connection.
    async fn bring(&self, digest: &Digest, url: &Url, host_reason: String, progress: &Progress<'_>) -> Result<(), MachineError> {
        let host = self.target.to_string();
        progress(&format!("the host cannot download {url}; the provider brings it"));
        let host_reason = url.hide_in(&host_reason);
        let file = download(url.reveal(), digest, &self.downloads).await.map_err(|error| match error {
            DownloadError::Digest { actual } => {
                MachineError::Digest { host, url: url.clone(), expected: digest.to_string(), actual: actual.to_string() }
            }
            DownloadError::Other(own_reason) => MachineError::Download { host, url: url.clone(), host_reason, own_reason },
        })?;
        let script = Script::new("bringing a program", include_str!("scripts/upload.sh"), &[digest.as_str()], TIMEOUT);
        self.succeed(&script, file).await.map(drop)
    }

    fn render_plan(&self, missing: &BTreeMap<&HostPath, &Binary>) -> Result<String, MachineError> {
        render_plan(missing).map_err(|Unusable { path, binary, reason }| MachineError::Binary {
            host: self.target.to_string(),
            path: path.to_string(),
            url: binary.url.clone(),
            reason,
        })
    }
}

fn missing<'a>(bundle: &'a Bundle, observed: &Observed) -> BTreeMap<&'a HostPath, &'a Binary> {
    bundle.binaries.iter().filter(|(path, binary)| !observed.has_program(path, binary)).collect()
}

/// What cannot be installed, and why.
struct Unusable<'a> {
    path: &'a HostPath,
    binary: &'a Binary,
    reason: String,
}

/// Each archive is fetched once, however many members are wanted of it.
fn render_plan<'a>(missing: &BTreeMap<&'a HostPath, &'a Binary>) -> Result<String, Unusable<'a>> {
    let fetched = |binary: &&'a Binary| Some((binary.sha256.as_ref()?, binary.url.reveal()));
    let downloads: BTreeMap<&Digest, &str> = missing.values().filter_map(fetched).collect();
    let mut text = String::new();
    for (digest, url) in downloads {
        let _ = writeln!(text, "fetch {digest} {}", escape_url(url));
    }
    for (path, binary) in missing {
        let member = binary.member.as_deref().map(|member| member.trim_start_matches("./")).unwrap_or("-");
        if member.is_empty() || member.contains(char::is_whitespace) {
            let reason = format!("the member {:?} of the archive has white space in its name", binary.member);
            return Err(Unusable { path, binary, reason });
        }
        let (Some(identity), Some(sha256)) = (binary.identity(), &binary.sha256) else {
            return Err(Unusable { path, binary, reason: "its digest is not known".into() });
        };
        let _ = writeln!(text, "install {identity} {sha256} {member} {path}");
    }
    Ok(text + END)
}

/// One word that curl's configuration takes in double quotes.
fn escape_url(url: &str) -> String {
    url.chars()
        .flat_map(|c| match c {
            '"' => "%22".chars().collect::<Vec<_>>(),
            '\\' => "%5C".chars().collect(),
            c if c.is_whitespace() || c.is_control() => "%20".chars().collect(),
            c => vec![c],
        })
        .collect()
}

fn url_of(missing: &BTreeMap<&HostPath, &Binary>, digest: &Digest) -> Url {
    missing.values().find(|binary| binary.sha256.as_ref() == Some(digest)).map_or_else(|| "".into(), |binary| binary.url.clone())
}

/// The script names the path only; the user wants to know where it came from too.
fn name_url(error: MachineError, missing: &BTreeMap<&HostPath, &Binary>) -> MachineError {
    match error {
        MachineError::Binary { host, path, reason, .. } => {
            let url = missing.iter().find(|(key, _)| key.as_str() == path).map(|(_, binary)| binary.url.clone());
            MachineError::Binary { host, path, url: url.unwrap_or_else(|| "".into()), reason }
        }
        other => other,
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Answer {
    needs: Vec<(Digest, String)>,
    wrong: Option<(Digest, String)>,
}

/// `None` unless everything was installed, or it says what is missing.
fn parse_answer(text: &str) -> Option<Answer> {
    let mut answer = Answer::default();
    let mut installed = false;
    for line in text.lines() {
        let mut fields = line.splitn(3, '\t');
        match fields.next()? {
            "need" => answer.needs.push((Digest::parse(fields.next()?).ok()?, fields.next()?.to_string())),
            "wrong" => answer.wrong = Some((Digest::parse(fields.next()?).ok()?, fields.next()?.to_string())),
            "installed" => installed = true,
            _ => {}
        }
    }
    (installed || !answer.needs.is_empty() || answer.wrong.is_some()).then_some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(url: &str, content: &str, member: Option<&str>) -> Binary {
        Binary { url: url.into(), sha256: Some(Digest::of(content.as_bytes())), member: member.map(Into::into) }
    }

    #[test]
    fn an_archive_is_fetched_once_for_all_its_members_and_only_what_differs_is_installed() {
        let mut bundle = Bundle::default();
        let mut add = |path: &str, binary: &Binary| drop(bundle.binaries.insert(HostPath::literal(path), binary.clone()));
        let url = "https://example.net/e.tgz";
        let (a, b) = (binary(url, "e", Some("./e/a")), binary(url, "e", Some("e/b")));
        let plain = binary("https://example.net/p", "p", None);
        add("/usr/bin/a", &a);
        add("/usr/bin/b", &b);
        add("/usr/bin/p", &plain);
        let mut observed = Observed::default();
        let installed = bundle::ObservedBinary { identity: plain.identity() };
        observed.binaries.insert(HostPath::literal("/usr/bin/p"), installed);
        let e = Digest::of(b"e");
        assert_eq!(
            render_plan(&missing(&bundle, &observed)).ok().unwrap(),
            format!(
                "fetch {e} {url}\ninstall {} {e} e/a /usr/bin/a\ninstall {} {e} e/b /usr/bin/b\nend\n",
                a.identity().unwrap(),
                b.identity().unwrap()
            )
        );
    }

    #[test]
    fn a_url_stays_one_word() {
        assert_eq!(escape_url("https://h/a b\"\\\n"), "https://h/a%20b%22%5C%20");
    }

    #[test]
    fn an_answer_says_what_is_installed_or_what_is_needed() {
        let digest = Digest::of(b"x");
        assert_eq!(parse_answer("progress\tdownloading x\ninstalled\n"), Some(Answer::default()));
        let needs = vec![(digest.clone(), "curl: (6) no".to_string())];
        assert_eq!(parse_answer(&format!("need\t{digest}\tcurl: (6) no\n")), Some(Answer { needs, wrong: None }));
        assert_eq!(parse_answer("progress\tdownloading x\n"), None);
    }
}
