#!/usr/bin/env python3
"""measure.py --proxy PROXY --terraform TERRAFORM --workspace FOLDER --ansible ANSIBLE_PLAYBOOK ZONES...

Makes the same network with this provider and with Ansible, on one emulator behind the proxy that counts calls, over as many zones as
each ZONES says, and prints tables. Fails where the two networks differ, where something is left after a destroy, and where the number
of calls of this provider's empty plan depends on the number of zones.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
# The processes of a phase are looked at this often.
SAMPLE_SECONDS = 0.05
EMPTY_PLAN = "plan without changes"


class Proxy:
    """The emulator, and the count of calls."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.environment = self.read()

    def read(self):
        line = self.process.stdout.readline()
        return json.loads(line) if line else sys.exit("the proxy has ended")

    def ask(self, question):
        self.process.stdin.write(question + "\n")
        self.process.stdin.flush()
        return self.read()

    def inventory(self):
        """Without the names of addresses: Ansible's module gives the ones that it allocates none."""
        lines = self.ask("inventory")
        return sorted("elastic ip " + line.split()[-1] if line.startswith("elastic ip ") else line for line in lines)


class Memory(threading.Thread):
    """The peak of what a process and its descendants have of the machine's memory: their proportional set sizes, summed."""

    def __init__(self, process):
        super().__init__(daemon=True)
        self.process, self.peak_kib = process, 0

    def run(self):
        while self.process.poll() is None:
            self.peak_kib = max(self.peak_kib, sum(map(proportional_kib, descendants(self.process.pid))))
            time.sleep(SAMPLE_SECONDS)


def descendants(root):
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        for children in pathlib.Path("/proc", str(pid), "task").glob("*/children"):
            try:
                todo += [int(child) for child in children.read_text(encoding="ascii").split()]
            except (FileNotFoundError, ProcessLookupError):
                pass
    return found


def proportional_kib(pid):
    try:
        lines = pathlib.Path("/proc", str(pid), "smaps_rollup").read_text(encoding="ascii").splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


class Phase:
    """One run of a program: what it cost, and what it said."""

    def __init__(self, proxy, command, environment, folder, may_fail=False):
        proxy.ask("calls")
        began = time.perf_counter()
        with subprocess.Popen(command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True) as process:
            memory = Memory(process)
            memory.start()
            self.output = process.stdout.read()
        memory.join()
        self.seconds, self.mib = time.perf_counter() - began, memory.peak_kib / 1024
        self.calls = proxy.ask("calls")
        self.is_done = process.returncode == 0
        if not self.is_done and not may_fail:
            sys.exit(f"{' '.join(map(str, command))} ended with {process.returncode}:\n{self.output}")

    def row(self, tool, zones, name):
        mutating = sum(call["is_mutating"] for call in self.calls)
        failed = "" if self.is_done else " (fails)"
        return [tool, zones, name + failed, len(self.calls), mutating, f"{self.seconds:.1f}", f"{self.mib:.0f}",
                len(self.output.splitlines())]


def of_k8s(options, proxy, zones):
    environment = {**os.environ, **proxy.environment, "TF_CLI_CONFIG_FILE": f"{options.workspace}/.engine/terraform.rc",
                   "TF_VAR_zones": json.dumps(zones)}

    def phase(*arguments):
        command = [options.terraform, f"-chdir={options.workspace}", *arguments, "-no-color"]
        return Phase(proxy, command, environment, options.workspace)

    phase("init", "-input=false")
    yield "plan of a new network", phase("plan", "-input=false")
    yield "apply", phase("apply", "-input=false", "-auto-approve")
    yield EMPTY_PLAN, phase("plan", "-input=false", "-detailed-exitcode")
    yield "destroy", phase("destroy", "-input=false", "-auto-approve")


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


TOOLS = {"k8s_vpc": of_k8s, "amazon.aws": of_ansible}


def lines(*files):
    """What is neither blank nor a comment."""
    texts = [line.strip() for file in files for line in (HERE / file).read_text(encoding="utf-8").splitlines()]
    return sum(1 for line in texts if line and not line.startswith("#"))


def table(heads, rows):
    widths = [max(len(str(cell)) for cell in column) for column in zip(heads, *rows)]
    for row in [heads, ["-" * width for width in widths], *rows]:
        print("| " + " | ".join(str(cell).ljust(width) for cell, width in zip(row, widths)) + " |")
    print()


def measure(options, proxy):
    rows, empty_plans = [], set()
    for count in options.zones:
        zones, networks = [f"us-east-1{letter}" for letter in "abcdef"[:count]], {}
        for tool, phases in TOOLS.items():
            proxy.ask("reset")
            before = proxy.inventory()
            for name, phase in phases(options, proxy, zones):
                rows.append(phase.row(tool, count, name))
                print(f"{tool}, {count} zones, {name}: {phase.seconds:.1f} s", file=sys.stderr)
                if name == "apply":
                    networks[tool] = proxy.inventory()
                if name == EMPTY_PLAN:
                    empty_plans.add(len(phase.calls))
            if proxy.inventory() != before:
                sys.exit(f"{tool} leaves over: {proxy.inventory()}")
        ours, theirs = (set(network) for network in networks.values())
        if ours != theirs:
            sys.exit(f"the networks differ:\n{json.dumps(sorted(ours ^ theirs), indent=1)}")
    if len(empty_plans) > 1:
        sys.exit(f"the calls of an empty plan depend on the number of zones: {sorted(empty_plans)}")
    return rows


def main():
    parser = argparse.ArgumentParser()
    for name in ["proxy", "terraform", "workspace", "ansible"]:
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("zones", nargs="+", type=int, choices=range(1, 7))
    options = parser.parse_args()
    proxy = Proxy(options.proxy)
    rows = measure(options, proxy)
    table(["with", "zones", "phase", "calls", "of them changing", "seconds", "MiB", "lines of output"], rows)
    table(["with", "lines to make it", "lines to remove it"],
          [["k8s_vpc", lines("k8s/main.tf"), 0],
           ["amazon.aws", lines("ansible/network.yml", "ansible/site.yml"), lines("ansible/destroy.yml")]])
    proxy.process.stdin.close()
    proxy.process.wait()


main()
