"""The command ``glottis``. What is wrong with the configuration is told in one line each, with exit code 2."""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from glottis.barrier import split, stop
from glottis.config import (
    API_KEY_VARIABLE,
    ResolvedConfig,
    configure_logging,
    flush_logs,
    load_config,
    load_log,
    name_variables,
    render,
    resolve,
    uncaught_errors_logged,
)
from glottis.contracts.errors import ConfigurationError, LocalError
from glottis.contracts.secret import Secret
from glottis.plugins import Registry, load_plugins

if TYPE_CHECKING:
    from glottis.client.command import CallerOptions

EXIT_FAILED: Final = 1
EXIT_WRONG_CONFIGURATION: Final = 2
EXIT_INTERRUPTED: Final = 130
"""What shells report for a program that SIGINT ended."""

logger = logging.getLogger(__name__)


def _run_gateway(config: ResolvedConfig) -> None:
    from glottis.server.gateway import run  # late, so that the other commands need not wait for what it imports

    run(config)


def _run_caller(options: "CallerOptions", registry: Registry) -> int:
    from glottis.client.command import run  # late, as above

    return run(options, registry)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the commands stand on."""

    load_plugins: Callable[..., Registry] = load_plugins
    run_gateway: Callable[[ResolvedConfig], object] = _run_gateway
    run_caller: Callable[["CallerOptions", Registry], int] = _run_caller


def main(arguments: Sequence[str] | None = None, parts: Parts | None = None) -> int:
    """Run one command and return the process's exit code."""
    options = _parser().parse_args(arguments)
    try:
        exit_code: int = options.run(options, parts or Parts())
    except LocalError as error:
        message = name_variables(str(error), os.environ) if isinstance(error, ConfigurationError) else str(error)
        options.tell(message.splitlines())
        return EXIT_WRONG_CONFIGURATION
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BaseExceptionGroup as group:
        if not _has_interrupt(group):
            raise
        return EXIT_INTERRUPTED
    finally:
        flush_logs()
    return exit_code


def _has_interrupt(group: BaseExceptionGroup[BaseException]) -> bool:
    """Whether the operator's interrupt is in it, as trio's nurseries hand it on; what else failed with it is logged."""
    interrupt, failure = split(group)
    if interrupt is not None and failure is not None:
        logger.error("failed when it was interrupted", exc_info=failure)
    return interrupt is not None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="glottis", description="A WebRTC voice gateway.")
    parser.add_argument("--version", action="version", version=f"glottis {version('glottis')}")
    parser.set_defaults(tell=_write)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="run the gateway until it is interrupted")
    _add_config(serve)
    serve.set_defaults(run=_serve, tell=_log)

    plugins = commands.add_parser("plugins", help="list the installed plugins, what they register, and broken ones")
    _add_config(plugins)
    plugins.set_defaults(run=_plugins)

    config = commands.add_parser("config", help="look at the configuration")
    check = config.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "check", help="check everything that can be checked without listening, and print the values in force"
    )
    _add_config(check)
    check.set_defaults(run=_config_check)

    call = commands.add_parser("call", help="call a gateway without a browser")
    _add_call_options(call)
    call.set_defaults(run=_call)
    return parser


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file; GLOTTIS_SERVER__PORT=… goes on top")


def _add_call_options(call: argparse.ArgumentParser) -> None:
    call.add_argument("url", help="address of the gateway, such as http://127.0.0.1:8080")
    call.add_argument("--campaign", default="echo", help="campaignId to ask for (default: echo)")
    call.add_argument("--wav", type=Path, metavar="FILE", help="16-bit WAV file to speak; without it, silence")
    call.add_argument("--record", type=Path, metavar="FILE", help="WAV file to write what is heard to")
    call.add_argument(
        "--listen", type=_seconds, default=1.0, metavar="SECONDS", help="stay so long after the speech (default: 1)"
    )
    call.add_argument(
        "--codec", type=str.upper, choices=["OPUS", "PCMU", "PCMA", "G722"], help="the only codec to offer"
    )
    call.add_argument(
        "--websocket", action="store_true", help="send audio by the WebSocket, as PCM unless --codec names another"
    )
    call.add_argument("--text", help="text to send once connected")
    call.add_argument(
        "--dtmf", type=_digits, default="", metavar="DIGITS", help="keys to press after the speech, such as 12#"
    )
    call.add_argument("--api-key", metavar="KEY", help=f"key to show the gateway; better set {API_KEY_VARIABLE}")


def _digits(text: str) -> str:
    from glottis.calls.dtmf import tones_of  # late, as above

    try:
        tones_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _seconds(text: str) -> float:
    with suppress(ValueError):
        if 0 <= (seconds := float(text)) <= sys.maxsize:
            return seconds
    raise argparse.ArgumentTypeError("expected seconds, such as 1.5")


def _serve(options: argparse.Namespace, parts: Parts) -> int:
    configure_logging(load_log(options.config, os.environ))  # first, since plugins that are being made may log
    resolved, registry = _resolved(options.config, parts)
    for broken in registry.broken:
        logger.warning("left out: %s", broken)
    try:
        with uncaught_errors_logged():
            parts.run_gateway(resolved)
    except (LocalError, KeyboardInterrupt):
        raise
    except BaseException as error:
        stop(error, lambda failure: logger.critical("the gateway failed", exc_info=failure))
        return EXIT_FAILED
    return 0


def _call(options: argparse.Namespace, parts: Parts) -> int:
    from glottis.client.command import CallerOptions  # late, as above

    api_key = options.api_key or os.environ.get(API_KEY_VARIABLE)
    return parts.run_caller(
        CallerOptions(
            options.url,
            campaign=options.campaign,
            codec=options.codec,
            wav=options.wav,
            record=options.record,
            text=options.text,
            dtmf=options.dtmf,
            api_key=Secret(api_key) if api_key else None,
            listen=options.listen,
            websocket=options.websocket,
        ),
        parts.load_plugins(),
    )


def _config_check(options: argparse.Namespace, parts: Parts) -> int:
    resolved, registry = _resolved(options.config, parts)
    _check_addresses(resolved)
    _write(f"left out: {broken}" for broken in registry.broken)
    sys.stdout.write(f"{render(resolved)}\n# OK\n")
    return 0


def _plugins(options: argparse.Namespace, parts: Parts) -> int:
    registry = parts.load_plugins(disabled=load_config(options.config, os.environ).plugins.disabled)
    rows = [("PLUGIN", "DISTRIBUTION", "VERSION", "REGISTERS")]
    rows += [
        (plugin.name, plugin.distribution, plugin.version, ", ".join(registry.registered_by(plugin)) or "nothing")
        for plugin in registry.plugins
    ]
    rows += [
        (broken.plugin.name, broken.plugin.distribution, broken.plugin.version, f"BROKEN: {broken.reason}")
        for broken in registry.broken
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        sys.stdout.write("  ".join(cells).rstrip() + "\n")
    return 0


def _resolved(path: Path | None, parts: Parts) -> tuple[ResolvedConfig, Registry]:
    config = load_config(path, os.environ)
    registry = parts.load_plugins(disabled=config.plugins.disabled)
    return resolve(config, registry), registry


def _check_addresses(resolved: ResolvedConfig) -> None:
    """Look for the configured interfaces on this machine; raises ``ConfigurationError``."""
    from glottis.media.interfaces import media_addresses  # late, as above

    if addresses := resolved.config.media.addresses:
        media_addresses(addresses, resolved.config.server.host)


def _write(lines: Iterable[str]) -> None:
    sys.stderr.writelines(f"glottis: {line}\n" for line in lines)


def _log(lines: Iterable[str]) -> None:
    for line in lines:
        logger.error("%s", line)
