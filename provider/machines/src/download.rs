//! The provider's own downloads, kept by digest in the user's cache folder, for hosts that have no way out.

use bundle::Digest;
use futures::StreamExt as _;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Without a single byte for so long, a download is given up.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) enum DownloadError {
    Digest { actual: Digest },
    Other(String),
}

impl From<std::io::Error> for DownloadError {
    fn from(error: std::io::Error) -> Self {
        DownloadError::Other(error.to_string())
    }
}

/// The verified file, opened at its beginning. Several hosts that want the same file at once wait for one download.
pub(crate) async fn download(url: &str, digest: &Digest, folder: &Path) -> Result<File, DownloadError> {
    tokio::fs::create_dir_all(folder).await?;
    let _lock = lock(folder.join(format!("{digest}.lock"))).await?;
    let path = folder.join(digest.as_str());
    if let Ok(mut file) = File::open(&path).await
        && digest_of(&mut file).await? == *digest
    {
        return Ok(file);
    }
    let part = folder.join(format!("{digest}.part"));
    fetch(url, digest, &part).await?;
    tokio::fs::rename(&part, &path).await?;
    Ok(File::open(&path).await?)
}

pub(crate) fn default_folder() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = variable("XDG_CACHE_HOME").or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
    // A user without a home: not a folder that others could have made before.
    let of_process = || std::env::temp_dir().join(format!("cache-{}", std::process::id()));
    cache.unwrap_or_else(of_process).join("terraform-provider-k8s/sha256")
}

/// Held until the file is dropped, also against other processes.
async fn lock(path: PathBuf) -> Result<std::fs::File, DownloadError> {
    let locked = tokio::task::spawn_blocking(move || {
        let file = std::fs::File::create(path)?;
        file.lock().map(|()| file)
    });
    Ok(locked.await.map_err(|error| DownloadError::Other(error.to_string()))??)
}

async fn digest_of(file: &mut File) -> Result<Digest, DownloadError> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).await? {
            0 => break,
            length => hash.update(&buffer[..length]),
        }
    }
    file.rewind().await?;
    finish(hash)
}

async fn fetch(url: &str, digest: &Digest, part: &Path) -> Result<(), DownloadError> {
    // An error of reqwest shows the URL, which may hold a password; the caller names it without.
    let other = |error: reqwest::Error| DownloadError::Other(with_causes(&error.without_url()));
    let client = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT).build().map_err(other)?;
    let response = client.get(url).send().await.and_then(reqwest::Response::error_for_status).map_err(other)?;
    let mut file = File::create(part).await?;
    let mut hash = Sha256::new();
    let mut stream = response.bytes_stream();
    while let Some(bytes) = stream.next().await {
        let bytes = bytes.map_err(other)?;
        hash.update(&bytes);
        file.write_all(&bytes).await?;
    }
    file.flush().await?;
    let actual = finish(hash)?;
    if actual == *digest { Ok(()) } else { Err(DownloadError::Digest { actual }) }
}

fn finish(hash: Sha256) -> Result<Digest, DownloadError> {
    let hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Digest::parse(hex).map_err(|error| DownloadError::Other(error.to_string()))
}

/// An error and what it comes from, each once: `error sending request: client error (Connect): tcp connect error: Connection refused`.
pub fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut texts = vec![error.to_string()];
    for cause in std::iter::successors(error.source(), |cause| cause.source()) {
        let text = cause.to_string();
        if !texts.iter().any(|said| said.contains(&text)) {
            texts.push(text);
        }
    }
    texts.join(": ")
}
