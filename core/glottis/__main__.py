"""The program ``glottis``, also as ``python -m glottis``."""

import atexit
import gc
import sys
from typing import Final

NEW_OBJECTS: Final = 20_000
"""Containers after which Python looks for garbage; by itself it does after 700."""


def main() -> int:
    """The command that the command line names; the process is its own. Returns the exit code."""
    gc.disable()  # imports make much, and next to no garbage
    from glottis.cli import main as run  # late, as said

    gc.freeze()  # what is imported stays
    gc.set_threshold(NEW_OBJECTS)
    gc.enable()
    atexit.register(gc.freeze)  # what is left is not looked through for garbage when it ends
    return run()


if __name__ == "__main__":
    sys.exit(main())
