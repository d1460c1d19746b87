"""``glottis device``: keep a device in touch with a gateway."""

import argparse
import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from glottis.cli.parts import Commands, Parts
from glottis.config import API_KEY_VARIABLE, configure_logging, load_file
from glottis.contracts.errors import ConfigurationError, LocalError
from glottis.contracts.secret import Secret

if TYPE_CHECKING:
    from glottis.client.device.settings import DeviceConfig

WORDS: Final = "talk, hang-up, mute, unmute, or volume and a number from 0 to 100"


def add(commands: Commands) -> None:
    """Add the command."""
    device = commands.add_parser("device", help="keep a device with microphone and loudspeaker in touch with a gateway")
    device.add_argument("--config", type=Path, metavar="FILE", required=True, help="TOML file of the device")
    asked = device.add_mutually_exclusive_group()
    asked.add_argument("--status", action="store_true", help="print how the device that runs is, as JSON")
    asked.add_argument(
        "--tell", dest="words", nargs="+", metavar="WORD", help=f"tell the device that runs what to do: {WORDS}"
    )
    device.set_defaults(run=_device)


def _device(options: argparse.Namespace, parts: Parts) -> int:
    from glottis.client.device.settings import DeviceConfig  # late, so that other commands need not wait for it

    config = load_file(options.config, DeviceConfig)
    if options.status or options.words:
        return _ask(config, " ".join(options.words or ["status"]))
    key = os.environ.get(API_KEY_VARIABLE)
    if key and config.gateway.api_key is None:
        config = msgspec.structs.replace(config, gateway=msgspec.structs.replace(config.gateway, api_key=Secret(key)))
    configure_logging(config.log)
    return _run(config, parts)


def _ask(config: "DeviceConfig", line: str) -> int:
    from glottis.client.device.status import ask  # late, as above

    if config.status.path is None:
        raise ConfigurationError("status.socket: expected the path of a socket, to ask by it")
    answer = ask(config.status.path, line)
    if "error" in answer:
        raise LocalError(str(answer["error"]))
    sys.stdout.write(f"{json.dumps(answer)}\n")
    return 0


def _run(config: "DeviceConfig", parts: Parts) -> int:
    import trio  # late, as above

    from glottis.client.device.running import run_device
    from glottis.plugins.blame import first_of
    from glottis.server.runtime.service_manager import ServiceManager

    manager = ServiceManager(os.environ)
    ready = partial(manager.say, "READY=1")
    refusal: BaseException | None = None
    try:
        trio.run(run_device, config, parts.load_plugins(), ready, manager.keep_watched)
    except* LocalError as group:
        refusal = first_of(group)
    if refusal is not None:  # not from within the group, which would have it again
        raise refusal
    return 0
