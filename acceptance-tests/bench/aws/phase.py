"""One run of a program: what it cost, and what it said."""

import pathlib
import subprocess
import sys
import threading
import time

# The processes of a phase are looked at this often.
SAMPLE_SECONDS = 0.05


class Phase:
    """The calls are those that the proxy saw meanwhile."""

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

    def costs(self):
        """Calls, those of them that change something, seconds, MiB, lines of output."""
        mutating = sum(call["is_mutating"] for call in self.calls)
        return [len(self.calls), mutating, f"{self.seconds:.1f}", f"{self.mib:.0f}", len(self.output.splitlines())]


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
        try:
            for children in pathlib.Path("/proc", str(pid), "task").glob("*/children"):
                todo += [int(child) for child in children.read_text(encoding="ascii").split()]
        except (FileNotFoundError, ProcessLookupError):
            pass  # it has ended meanwhile
    return found


def proportional_kib(pid):
    try:
        lines = pathlib.Path("/proc", str(pid), "smaps_rollup").read_text(encoding="ascii").splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
