#!/usr/bin/env python3
"""serve.py ADDRESS PORT MIRROR_DIR REGISTRY_DIR

Serves the files below MIRROR_DIR and, under /v2/, the read side of the OCI distribution API from REGISTRY_DIR:

    REGISTRY_DIR/blobs/sha256/<digest>             manifests, configurations and layers
    REGISTRY_DIR/tags/<registry>/<name>/<tag>      a digest: "sha256:..."

A container runtime which uses this server as a mirror says in the query (?ns=registry.k8s.io) which registry it means. Without
that, the registry that has an image of the name is taken. ADDRESS may be :: for both address families.
"""

import http.server
import json
import os
import re
import socket
import sys
import urllib.parse

RANGE = re.compile(r"bytes=(\d+)-(\d*)$")
DIGEST = re.compile(r"sha256:([0-9a-f]{64})$")
API_PATH = re.compile(r"/v2/(?P<name>.+)/(?P<kind>manifests|blobs|tags)/(?P<reference>[^/]+)$")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address, port, mirror, registry):
        self.mirror = os.path.realpath(mirror)
        self.registry = os.path.realpath(registry)
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        super().__init__((address, port), Handler)

    def server_bind(self):
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # Not HTTPServer's own, which looks up the name of the address: there is no name server here.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.server_address[0], self.server_address[1]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "lab"
    sys_version = ""
    timeout = 60

    def log_message(self, text, *values):
        sys.stderr.write(f"{self.log_date_time_string()} {self.address_string()} {text % values}\n")

    def do_GET(self):
        path, _, query = self.path.partition("?")
        path = urllib.parse.unquote(path)
        if path == "/v2" or path == "/v2/":
            self.send_text(200, "{}", "application/json")
        elif path.startswith("/v2/"):
            self.send_from_registry(path, urllib.parse.parse_qs(query))
        else:
            self.send_from_mirror(path)

    do_HEAD = do_GET

    def send_from_mirror(self, path):
        file = os.path.realpath(os.path.join(self.server.mirror, path.lstrip("/")))
        if not file.startswith(self.server.mirror + os.sep) or not os.path.isfile(file):
            return self.send_text(404, "not in the mirror\n")
        self.send_path(file, "application/octet-stream")

    def send_from_registry(self, path, query):
        parts = API_PATH.match(path)
        if not parts:
            return self.send_registry_error("UNSUPPORTED", "only manifests, blobs and tags can be read")
        name, kind, reference = parts["name"], parts["kind"], parts["reference"]
        registry = query.get("ns", [None])[0]
        if kind == "tags":
            return self.send_tags(registry, name)
        digest = reference if DIGEST.match(reference) else self.digest_of_tag(registry, name, reference)
        blob = digest and os.path.join(self.server.registry, "blobs", "sha256", digest.partition(":")[2])
        if not blob or not os.path.isfile(blob):
            code = "MANIFEST_UNKNOWN" if kind == "manifests" else "BLOB_UNKNOWN"
            return self.send_registry_error(code, f"{name} {reference} is not here")
        content_type = "application/octet-stream"
        if kind == "manifests":
            with open(blob, "rb") as file:
                content_type = json.load(file)["mediaType"]
        self.send_path(blob, content_type, {"Docker-Content-Digest": digest})

    def tag_folder(self, registry, name):
        """The folder with the tags of an image, in the given registry or in the first that has it."""
        tags = os.path.join(self.server.registry, "tags")
        for candidate in [registry] if registry else sorted(os.listdir(tags)):
            folder = os.path.realpath(os.path.join(tags, candidate, name))
            if folder.startswith(tags + os.sep) and os.path.isdir(folder):
                return folder
        return None

    def digest_of_tag(self, registry, name, tag):
        folder = self.tag_folder(registry, name)
        file = folder and os.path.join(folder, tag)
        if not file or not os.path.isfile(file):
            return None
        with open(file, encoding="ascii") as text:
            return text.read().strip()

    def send_tags(self, registry, name):
        folder = self.tag_folder(registry, name)
        if not folder:
            return self.send_registry_error("NAME_UNKNOWN", f"{name} is not here")
        tags = sorted(tag for tag in os.listdir(folder) if os.path.isfile(os.path.join(folder, tag)))
        self.send_text(200, json.dumps({"name": name, "tags": tags}), "application/json")

    def send_registry_error(self, code, message):
        self.send_text(404, json.dumps({"errors": [{"code": code, "message": message}]}), "application/json")

    def send_text(self, status, text, content_type="text/plain"):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_path(self, path, content_type, headers=None):
        """Sends a file, or the range of it which the client asks for, without reading it into this process."""
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            first, last, status = 0, size - 1, 200
            wanted = RANGE.match(self.headers.get("Range", ""))
            if wanted:
                first, status = int(wanted[1]), 206
                last = min(int(wanted[2]), last) if wanted[2] else last
                if first > last:
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{size}")
                    self.send_header("Content-Length", "0")
                    return self.end_headers()
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(last - first + 1))
            self.send_header("Accept-Ranges", "bytes")
            if status == 206:
                self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD" and last >= first:
                self.connection.sendfile(file, first, last - first + 1)


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    address, port, mirror, registry = sys.argv[1:]
    Server(address, int(port), mirror, registry).serve_forever()


if __name__ == "__main__":
    main()
