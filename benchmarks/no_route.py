"""A call where there is no route to anywhere: as root, ``python -m benchmarks.no_route``.

In a network namespace of its own, with nothing but loopback, a gateway is started and called.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from benchmarks.scenarios import Kind, Scenario
from benchmarks.servers import glottis
from benchmarks.signaling import CAMPAIGN, HOST

INSIDE: Final = "inside"


def main() -> int:
    """That of ``glottis call``."""
    if sys.argv[1:] != [INSIDE]:
        command = ["unshare", "--net", sys.executable, "-m", "benchmarks.no_route", INSIDE]
        return subprocess.run(command, check=False).returncode
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    if routes := subprocess.run(["ip", "route"], capture_output=True, text=True, check=True).stdout:
        sys.exit(f"There is a route: {routes}")
    with glottis(Scenario(Kind.ECHO, 1)) as server:
        command = [str(Path(sys.executable).with_name("glottis")), "call", f"http://{HOST}:{server.port}"]
        return subprocess.run([*command, "--campaign", CAMPAIGN], check=False).returncode


if __name__ == "__main__":
    if os.getuid():
        sys.exit("Run it as root, for it makes a network namespace.")
    sys.exit(main())
