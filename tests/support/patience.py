"""How long tests wait for what is certain to come, unless something is wrong."""

from typing import Final

PATIENCE: Final = 30.0
"""Seconds: enough where ten processes want each core. Nobody waits so long for what comes at once."""
PROCESS_PATIENCE: Final = 3 * PATIENCE
"""For what begins with a process of its own: its imports take seconds of a whole core."""
