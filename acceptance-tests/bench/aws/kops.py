"""The network of a cluster of kops, and nothing else of it."""

import os
import pathlib
import re
import string
import sys
import tempfile

from nodes import IMAGE
from phase import Phase

FOLDER = pathlib.Path(__file__).resolve().parent / "kops"
CLUSTER = "demo.example.net"
NAT64 = " 64:ff9b::/96 "
# Files whose digests kops asks for before it does anything. They go to machines, of which there are none: any digest does.
ASSETS = [f"linux/{{}}/{name}" for name in ["nodeup", "protokube", "channels"]]
IMAGES = ["kops-utils-cp", "kops-controller", "dns-controller", "kube-apiserver-healthcheck"]
ASSETS += [f"images/{name}-{{}}.tar.gz" for name in IMAGES]


def of_kops(options, proxy, zones):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for asset in [asset.format(architecture) for asset in ASSETS for architecture in ["amd64", "arm64"]]:
            path = folder / "assets" / f"{asset}.sha256"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("0" * 64, encoding="ascii")
        (folder / "cluster.yaml").write_text(cluster(zones), encoding="utf-8")
        environment = {**os.environ, **proxy.environment, "HOME": name, "KUBECONFIG": f"{name}/kubeconfig",
                       "KOPS_STATE_STORE": f"file://{name}/state", "KOPS_BASE_URL": f"file://{name}/assets"}

        def phase(*arguments):
            return Phase(proxy, [options.kops, *arguments], environment, folder)

        def update(*arguments):
            return phase("update", "cluster", CLUSTER, "--phase=network", "--create-kube-config=false", *arguments)

        yield "create (writes its state)", phase("create", "--filename=cluster.yaml")
        yield "update of a new network", update()
        yield "apply", update("--yes")
        again = update()
        if "No changes need to be applied" not in again.output:
            sys.exit(f"kops would change its own network:\n{again.output}")
        yield "update without changes", again
        yield "delete", phase("delete", "cluster", CLUSTER, "--yes")


def cluster(zones):
    """What a user would write."""
    subnets = string.Template((FOLDER / "subnets.yaml").read_text(encoding="utf-8"))
    each = [subnets.substitute(number=index + 1, zone=zone, private=16 * index, public=128 + index, private_ipv6=f"{index:x}",
                               public_ipv6=f"{8 + index:x}") for index, zone in enumerate(zones)]
    whole = string.Template((FOLDER / "cluster.yaml").read_text(encoding="utf-8"))
    return whole.substitute(subnets="".join(each).rstrip(), channel=f"file://{FOLDER}/channel.yaml", image=IMAGE)


def as_ours(inventory, zones):
    """Its network under the names that k8s_vpc gives, without what only kops has: DHCP options as AWS's own, and routes for NAT64."""
    names = {CLUSTER: "demo"}
    for number, zone in enumerate(zones, 1):
        names |= {f"private-{number}.{CLUSTER}": f"demo-private-{number}", f"public-{number}.{CLUSTER}": f"demo-public-{number}",
                  f"private-{zone}.{CLUSTER}": f"demo-private-{number}", f"{zone}.{CLUSTER}": f"demo-nat-{number}"}
    lines = [" ".join(names.get(word, word) for word in line.split()) for line in inventory]
    lines = [line.removesuffix(" dhcp options demo") for line in lines if not line.startswith("dhcp options ")]
    lines = [re.sub("^route table demo ", "route table demo-public ", line) for line in lines if NAT64 not in line]
    return sorted(lines)
