#!/usr/bin/env python3
"""Writes an OCI image into a folder, in the layout which serve.py reads. The same input makes the same digests.

A SOURCE is a folder, whose content lands in DESTINATION as it is, or a file. Every folder makes a layer, which images that begin
alike share; all files together make the last one. A file called busybox also gets its commands as links beside it. Commands are
split at spaces.
"""

import argparse
import hashlib
import io
import json
import os
import stat
import subprocess
import tarfile

# What an image has that brings nothing of its own.
FOLDERS = {"bin": 0o755, "dev": 0o755, "etc": 0o755, "proc": 0o755, "root": 0o755, "sys": 0o755, "tmp": 0o1777}
FILES = {
    "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
    "etc/group": b"root:x:0:\nnogroup:x:65534:\n",
}
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MEDIA_TYPE = "application/vnd.oci.image."


def member(path, kind=tarfile.REGTYPE, mode=0o755, size=0, link=""):
    info = tarfile.TarInfo(path)  # owner root, time 0
    info.type, info.mode, info.size, info.linkname = kind, mode, size, link
    return info


def file_entry(source, destination):
    """Owned by root; a program may run as who owns it."""
    found = os.stat(source)
    mode = 0o755 if found.st_mode & stat.S_IXUSR else 0o644
    return member(destination, mode=mode | found.st_mode & (stat.S_ISUID | stat.S_ISGID), size=found.st_size), source


def folder_entry(path, destination):
    found = os.lstat(path)
    info = member(destination, mode=stat.S_IMODE(found.st_mode))
    info.uid, info.gid = found.st_uid, found.st_gid
    if stat.S_ISLNK(found.st_mode):
        info.type, info.linkname = tarfile.SYMTYPE, os.readlink(path)
    elif stat.S_ISDIR(found.st_mode):
        info.type = tarfile.DIRTYPE
    elif stat.S_ISREG(found.st_mode):
        info.size = found.st_size
    else:
        raise SystemExit(f"{path} is neither a file nor a folder nor a link")
    return info, path


# What a layer holds: path to (member, content), where the content is bytes or the path of a file.


def base_entries():
    found = {path: (member(path, tarfile.DIRTYPE, mode), b"") for path, mode in FOLDERS.items()}
    return found | {path: (member(path, mode=0o644, size=len(content)), content) for path, content in FILES.items()}


def folder_entries(source, destination):
    found = {}
    for parent, folders, files in os.walk(source):
        inside = os.path.join(destination, os.path.relpath(parent, source))
        for name in folders + files:
            path = os.path.normpath(os.path.join(inside, name))
            found[path] = folder_entry(os.path.join(parent, name), path)
    return found


def file_entries(source, destination):
    found = {destination: file_entry(source, destination)}
    if os.path.basename(destination) == "busybox":
        for command in subprocess.check_output([source, "--list"], text=True).split():
            path = os.path.join(os.path.dirname(destination), command)
            found.setdefault(path, (member(path, tarfile.SYMTYPE, link="busybox"), b""))
    return found


def layers(sources):
    """The layers' entries, lowest first. Of two sources with a path in common, the later one counts."""
    found, files = [], {}
    for source, destination in sources:
        if os.path.isdir(source):
            found.append(folder_entries(source, destination))
        else:
            files |= file_entries(source, destination)
    if files:
        found.append(files)
    found[0] = base_entries() | found[0]
    return found


def tar_of(entries):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for _, (info, content) in sorted(entries.items()):
            if isinstance(content, bytes):
                tar.addfile(info, io.BytesIO(content))
            elif info.isreg():
                with open(content, "rb") as file:
                    tar.addfile(info, file)
            else:
                tar.addfile(info)
    return archive.getvalue()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entrypoint", default="", help="what a container runs, before the arguments of a pod")
    parser.add_argument("--command", default="", help="what it runs, or the arguments of --entrypoint, where a pod gives none")
    parser.add_argument("--user", default="", help="whom it runs as: UID[:GID]; default: root")
    parser.add_argument("out")
    parser.add_argument("reference")
    parser.add_argument("sources", nargs="+", metavar="SOURCE=DESTINATION")
    return parser.parse_args()


def configuration(options, tag):
    values = {
        # Two tags are two images, whatever else they have in common: a runtime names an image after its configuration.
        "Labels": {"org.opencontainers.image.version": tag},
        "Env": ["PATH=" + PATH],
        "Entrypoint": options.entrypoint.split(),
        "Cmd": options.command.split(),
        "User": options.user,
    }
    return {name: value for name, value in values.items() if value}


def main():
    options = arguments()
    sources = [(source, destination.strip("/")) for source, _, destination in (word.partition("=") for word in options.sources)]
    name, _, tag = options.reference.rpartition(":")

    def write_blob(content):
        digest = hashlib.sha256(content).hexdigest()
        folder = os.path.join(options.out, "blobs", "sha256")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, digest), "wb") as file:
            file.write(content)
        return {"digest": "sha256:" + digest, "size": len(content)}

    def write_json(value):
        return write_blob(json.dumps(value, sort_keys=True).encode())

    written = [write_blob(tar_of(entries)) for entries in layers(sources)]
    config = write_json({
        "architecture": "amd64",
        "os": "linux",
        "config": configuration(options, tag),
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in written]},
    })
    manifest = write_json({
        "schemaVersion": 2,
        "mediaType": MEDIA_TYPE + "manifest.v1+json",
        "config": {"mediaType": MEDIA_TYPE + "config.v1+json", **config},
        "layers": [{"mediaType": MEDIA_TYPE + "layer.v1.tar", **layer} for layer in written],
    })
    tags = os.path.join(options.out, "tags", name)
    os.makedirs(tags, exist_ok=True)
    with open(os.path.join(tags, tag), "w", encoding="ascii") as file:
        file.write(manifest["digest"] + "\n")


if __name__ == "__main__":
    main()
