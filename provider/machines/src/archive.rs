//! Writes a ustar archive (POSIX.1-1988), which `tar` on every host reads. Pure.

const BLOCK: usize = 512;

pub(crate) const LONGEST_NAME: usize = 100;

/// An archive under construction.
pub(crate) struct Archive {
    bytes: Vec<u8>,
}

/// Who owns an unpacked file: by name when the host is to look it up, by number otherwise.
struct Ownership<'a> {
    user: (&'a str, u32),
    group: (&'a str, u32),
}

impl Archive {
    pub fn new() -> Self {
        Archive { bytes: Vec::new() }
    }

    /// `name` has at most `LONGEST_NAME` bytes; `owner` is `user:group`, as chown takes it; the file has the mode and owner as soon as it is unpacked.
    pub fn add(&mut self, name: &str, mode: u32, owner: &str, content: &[u8]) {
        self.bytes.extend(header(name, mode, &parse_owner(owner), content.len()));
        self.bytes.extend(content);
        self.bytes.resize(self.bytes.len().next_multiple_of(BLOCK), 0);
    }

    pub fn finish(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + 2 * BLOCK, 0);
        self.bytes
    }
}

fn parse_owner(owner: &str) -> Ownership<'_> {
    let (user, group) = owner.split_once(':').unwrap_or((owner, owner));
    let entry = |name| match str::parse::<u32>(name) {
        Ok(number) => ("", number),
        Err(_) => (name, 0),
    };
    Ownership { user: entry(user), group: entry(group) }
}

fn header(name: &str, mode: u32, owner: &Ownership<'_>, size: usize) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |offset: usize, text: &str| block[offset..offset + text.len()].copy_from_slice(text.as_bytes());
    put(0, &name[..name.len().min(LONGEST_NAME)]);
    put(100, &format!("{mode:07o}"));
    put(108, &format!("{:07o}", owner.user.1));
    put(116, &format!("{:07o}", owner.group.1));
    put(124, &format!("{size:011o}"));
    put(136, &format!("{:011o}", 0)); // unpacked with -m: the time is when the host got it
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\0");
    put(263, "00");
    put(265, &owner.user.0[..owner.user.0.len().min(31)]);
    put(297, &owner.group.0[..owner.group.0.len().min(31)]);
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    #[track_caller]
    fn list(archive: Archive) -> String {
        let mut tar = Command::new("tar").args(["-tv", "-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        tar.stdin.take().unwrap().write_all(&archive.finish()).unwrap();
        let output = tar.wait_with_output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn tar_reads_names_modes_owners_and_sizes() {
        let mut archive = Archive::new();
        archive.add("files/1", 0o600, "root:adm", b"secret");
        archive.add("files/2", 0o755, "1000:2000", &[7; 513]);
        archive.add("end", 0o644, "root:root", b"");
        let lines: Vec<String> =
            list(archive).lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            lines,
            [
                "-rw------- root/adm 6 1970-01-01 00:00 files/1",
                "-rwxr-xr-x 1000/2000 513 1970-01-01 00:00 files/2",
                "-rw-r--r-- root/root 0 1970-01-01 00:00 end",
            ]
        );
    }
}
