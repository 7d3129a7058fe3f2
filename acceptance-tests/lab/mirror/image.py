#!/usr/bin/env python3
"""image.py OUT_DIR REFERENCE ENTRYPOINT SOURCE=DESTINATION...

Writes a one-layer OCI image of static files into OUT_DIR, in the layout which serve.py reads. The same input makes the same digests.
A program called busybox also gets its commands as links. ENTRYPOINT is a command, split at spaces.
"""

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile

FOLDERS = {"bin": 0o755, "dev": 0o755, "etc": 0o755, "proc": 0o755, "root": 0o755, "sys": 0o755, "tmp": 0o1777}
FILES = {
    "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
    "etc/group": b"root:x:0:\nnogroup:x:65534:\n",
}
MEDIA_TYPE = "application/vnd.oci.image."


def member(path, kind=tarfile.REGTYPE, mode=0o755, size=0):
    info = tarfile.TarInfo(path)  # owner root, time 0
    info.type, info.mode, info.size = kind, mode, size
    return info


def layer(files):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path, mode in FOLDERS.items():
            tar.addfile(member(path, tarfile.DIRTYPE, mode))
        for path, content in FILES.items():
            tar.addfile(member(path, mode=0o644, size=len(content)), io.BytesIO(content))
        for source, destination in files:
            with open(source, "rb") as file:
                tar.addfile(member(destination, size=os.path.getsize(source)), file)
            if os.path.basename(destination) == "busybox":
                for command in subprocess.check_output([source, "--list"], text=True).split():
                    if command != "busybox":
                        link = member("bin/" + command, tarfile.SYMTYPE)
                        link.linkname = "busybox"
                        tar.addfile(link)
    return archive.getvalue()


def main():
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    out, reference, entrypoint = sys.argv[1:4]
    files = [(source, destination.lstrip("/")) for source, _, destination in (word.partition("=") for word in sys.argv[4:])]
    name, _, tag = reference.rpartition(":")

    def write_blob(content):
        digest = hashlib.sha256(content).hexdigest()
        folder = os.path.join(out, "blobs", "sha256")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, digest), "wb") as file:
            file.write(content)
        return {"digest": "sha256:" + digest, "size": len(content)}

    def write_json(value):
        return write_blob(json.dumps(value, sort_keys=True).encode())

    files_layer = write_blob(layer(files))
    config = write_json({
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["PATH=/bin"], "Entrypoint": entrypoint.split()},
        "rootfs": {"type": "layers", "diff_ids": [files_layer["digest"]]},
    })
    manifest = write_json({
        "schemaVersion": 2,
        "mediaType": MEDIA_TYPE + "manifest.v1+json",
        "config": {"mediaType": MEDIA_TYPE + "config.v1+json", **config},
        "layers": [{"mediaType": MEDIA_TYPE + "layer.v1.tar", **files_layer}],
    })
    tags = os.path.join(out, "tags", name)
    os.makedirs(tags, exist_ok=True)
    with open(os.path.join(tags, tag), "w", encoding="ascii") as file:
        file.write(manifest["digest"] + "\n")


if __name__ == "__main__":
    main()
