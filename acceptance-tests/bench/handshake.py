#!/usr/bin/env python3
"""handshake.py RUNS PROVIDER...

Starts each provider as an engine does, RUNS times and in turn, so that what else the machine does meets all alike. Prints for each the
median time from start to handshake and the median memory after it.
"""

import os
import statistics
import subprocess
import sys
import time

# A self-signed certificate of the kind that engines show; its key is needed by nobody here.
CERTIFICATE = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521", "-nodes", "-days", "1",
               "-subj", "/CN=localhost", "-keyout", "/dev/null"]
COOKIE = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2"


def start(program, environment):
    """Milliseconds to the handshake line, and memory in KiB."""
    began = time.perf_counter()
    process = subprocess.Popen([program], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    line = process.stdout.readline().decode()
    took = (time.perf_counter() - began) * 1000
    if not line.startswith("1|"):
        sys.exit(f"{program} shook no hands: {line!r}")
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        memory = next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
    process.kill()
    process.wait()
    return took, memory


def main():
    runs, programs = int(sys.argv[1]), sys.argv[2:]
    certificate = subprocess.run(CERTIFICATE, check=True, capture_output=True, text=True).stdout
    environment = dict(os.environ, TF_PLUGIN_MAGIC_COOKIE=COOKIE, PLUGIN_PROTOCOL_VERSIONS="5,6", PLUGIN_CLIENT_CERT=certificate)
    results = {program: [] for program in programs}
    for _ in range(runs):
        for program in programs:
            results[program].append(start(program, environment))
    for program, measured in results.items():
        times, memory = zip(*measured)
        name = os.path.basename(program)
        print(f"{name:<28} {statistics.median(times):6.1f} ms to the handshake, {statistics.median(memory) / 1024:5.1f} MiB")


if __name__ == "__main__":
    main()
