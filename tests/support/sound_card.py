"""A sound card that nobody hears: PulseAudio without hardware. Firefox lets no AudioContext run where there is none."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.patience import PATIENCE


@contextmanager
def open_sound_card(directory: Path) -> Iterator[str]:
    """Plays until the block is left, in real time; yields what programs find in ``PULSE_SERVER``."""
    socket = directory / "native"
    homes = {name: str(directory) for name in ("HOME", "PULSE_RUNTIME_PATH", "PULSE_STATE_PATH")}
    modules = ("module-null-sink rate=48000", f"module-native-protocol-unix auth-anonymous=1 socket={socket}")
    options = ("-n", "--daemonize=no", "--exit-idle-time=-1", "--disable-shm=yes", "--log-target=null")
    process = subprocess.Popen(["pulseaudio", *options, *(f"--load={one}" for one in modules)], env=os.environ | homes)
    try:
        give_up_at = time.monotonic() + PATIENCE
        while not socket.exists():
            assert process.poll() is None, "pulseaudio has ended"
            assert time.monotonic() < give_up_at, "pulseaudio does not serve"
            time.sleep(0.01)
        yield f"unix:{socket}"
    finally:
        process.kill()
        process.wait()
