#!/usr/bin/env python3
"""measure.py --proxy PROXY --terraform TERRAFORM --workspace FOLDER --example FOLDER --ansible ANSIBLE_PLAYBOOK --kops KOPS ZONES...

Makes the same network with this provider, with Ansible and with kops, on one emulator behind the proxy that counts calls, over as many
zones as each ZONES says; then the example around it, among as many nodes as NODES says; and prints tables. Fails where the networks
differ, where something is left after a destroy, and where the number of calls of this provider's empty plan depends on zones or nodes.
"""

import argparse
import collections
import json
import os
import pathlib
import sys

import kops
import nodes
from phase import Phase
from proxy import Proxy, REGION

HERE = pathlib.Path(__file__).resolve().parent
EMPTY_PLAN = "plan without changes"
NODES = [0, 3, 300]
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKbnfDV8zpRaHE5J6uFr4NyM6aFFsaEqkHM3Zm6VDk7B test"


def engine(options, proxy, workspace, variables):
    """Terraform in a workspace, with its provider."""
    environment = {**os.environ, **proxy.environment, "TF_CLI_CONFIG_FILE": f"{workspace}/.engine/terraform.rc",
                   **{f"TF_VAR_{name}": value for name, value in variables.items()}}

    def phase(*arguments):
        command = [options.terraform, f"-chdir={workspace}", *arguments, "-input=false", "-no-color"]
        return Phase(proxy, command, environment, workspace)

    phase("init")
    return phase


def of_k8s(options, proxy, zones):
    phase = engine(options, proxy, options.workspace, {"zones": json.dumps(zones)})
    yield "plan of a new network", phase("plan")
    yield "apply", phase("apply", "-auto-approve")
    yield EMPTY_PLAN, phase("plan", "-detailed-exitcode")
    yield "destroy", phase("destroy", "-auto-approve")


def of_ansible(options, proxy, zones):
    environment = {**os.environ, **proxy.environment, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "false",
                   "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false"}

    def phase(*arguments, may_fail=False):
        command = [options.ansible, "--extra-vars", json.dumps({"zones": zones}), *arguments]
        return Phase(proxy, command, environment, HERE / "ansible", may_fail)

    # Later tasks need ids that nothing has given yet.
    yield "check of a new network", phase("--check", "site.yml", may_fail=True)
    yield "apply", phase("site.yml")
    yield "check without changes", phase("--check", "site.yml")
    yield "second run", phase("site.yml")
    yield "destroy", phase("destroy.yml")


TOOLS = {"k8s_vpc": of_k8s, "amazon.aws": of_ansible, "kops": kops.of_kops}


def lines(*texts):
    """What is neither blank nor a comment."""
    stripped = [line.strip() for text in texts for line in text.splitlines()]
    return sum(1 for line in stripped if line and not line.startswith("#"))


def text(file):
    return (HERE / file).read_text(encoding="utf-8")


def table(heads, rows):
    widths = [max(len(str(cell)) for cell in column) for column in zip(heads, *rows)]
    for row in [heads, ["-" * width for width in widths], *rows]:
        print("| " + " | ".join(str(cell).ljust(width) for cell, width in zip(row, widths)) + " |")
    print()


def measure_networks(options, proxy):
    rows, empty_plans = [], set()
    for count in options.zones:
        zones, networks = names_of_zones(count), {}
        for tool, phases in TOOLS.items():
            proxy.ask("reset")
            before = proxy.inventory()
            for name, phase in phases(options, proxy, zones):
                rows.append([tool, count, name if phase.is_done else f"{name} (fails)", *phase.costs()])
                print(f"{tool}, {count} zones, {name}: {phase.seconds:.1f} s", file=sys.stderr)
                if name == "apply":
                    networks[tool] = proxy.inventory()
                if name == EMPTY_PLAN:
                    empty_plans.add(len(phase.calls))
            nothing_left(proxy, before, tool)
        ours = networks["k8s_vpc"]
        same_network(ours, networks["amazon.aws"])
        same_network([line for line in ours if not line.startswith("security group ")], kops.as_ours(networks["kops"], zones))
    same(empty_plans, "of the network's empty plan depend on the number of zones")
    return rows


def measure_nodes(options, proxy):
    """The example, with nodes beside it that it does not manage."""
    rows, empty_plans = [], set()
    for count in options.zones:
        proxy.ask("reset")
        before, running = proxy.inventory(), 0
        phase = engine(options, proxy, options.example, {"zones": json.dumps(names_of_zones(count)), "public_key": PUBLIC_KEY})
        phase("apply", "-auto-approve")
        for number in NODES:
            nodes.run(proxy, number - running)
            running = number
            plan = phase("plan", "-detailed-exitcode")
            rows.append([count, number, *plan.costs()])
            empty_plans.add(len(plan.calls))
            print(f"example, {count} zones, {number} nodes: {plan.seconds:.1f} s", file=sys.stderr)
        nodes.terminate(proxy)
        phase("destroy", "-auto-approve")
        nothing_left(proxy, before, "the example")
    same(empty_plans, "of the example's empty plan depend on the number of zones or nodes")
    return rows


def same_network(ours, theirs):
    ours, theirs = collections.Counter(ours), collections.Counter(theirs)
    if ours != theirs:
        sys.exit(f"the networks differ: {json.dumps({'ours': [*(ours - theirs)], 'theirs': [*(theirs - ours)]}, indent=1)}")


def names_of_zones(count):
    return [f"{REGION}{letter}" for letter in "abcdef"[:count]]


def nothing_left(proxy, before, tool):
    now = proxy.inventory()
    if now != before:
        sys.exit(f"{tool} leaves over: {json.dumps(now, indent=1)}")


def same(numbers, what):
    if len(numbers) > 1:
        sys.exit(f"the calls {what}: {sorted(numbers)}")


COSTS = ["calls", "of them changing", "seconds", "MiB", "lines of output"]


def main():
    parser = argparse.ArgumentParser()
    for name in ["proxy", "terraform", "workspace", "example", "ansible", "kops"]:
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("zones", nargs="+", type=int, choices=range(1, 7))
    options = parser.parse_args()
    proxy = Proxy(options.proxy)
    networks, plans = measure_networks(options, proxy), measure_nodes(options, proxy)
    table(["with", "zones", "phase", *COSTS], networks)
    table(["zones", "nodes", *COSTS], plans)
    table(["with", "lines to make it", "lines to remove it"],
          [["k8s_vpc", lines(text("k8s/main.tf")), 0],
           ["amazon.aws", lines(text("ansible/network.yml"), text("ansible/site.yml")), lines(text("ansible/destroy.yml"))],
           *([f"kops, {count} zones", lines(kops.cluster(names_of_zones(count))), 0] for count in options.zones)])
    proxy.end()


main()
