"""``glottis call``: call a gateway without a browser."""

import argparse
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from glottis.cli.parts import Commands, Parts, add_api_key, api_key

if TYPE_CHECKING:
    from glottis.contracts.ice_servers import IceServer


def add(commands: Commands) -> None:
    """Add the command."""
    call = commands.add_parser("call", help="call a gateway without a browser")
    call.add_argument("url", help="address of the gateway, such as http://127.0.0.1:8080")
    call.add_argument("--campaign", default="echo", help="campaignId to ask for (default: echo)")
    add_voice(call, "16-bit WAV file to speak; without it, silence")
    call.add_argument("--codec", type=str.upper, help="the only codec to offer, such as PCMU: any that is installed")
    way = call.add_mutually_exclusive_group()
    way.add_argument(
        "--websocket", action="store_true", help="send audio by the WebSocket, as PCM unless --codec names another"
    )
    way.add_argument("--relay", action="store_true", help="send audio by TURN servers only")
    call.add_argument(
        "--ice-server",
        type=_ice_server,
        action="append",
        default=[],
        metavar="URI[,USERNAME,CREDENTIAL]",
        help="STUN or TURN server to use beside those that the gateway names",
    )
    call.add_argument("--text", help="text to send once connected")
    call.add_argument(
        "--data-channel",
        nargs="?",
        const="chat",
        metavar="LABEL",
        help="open a data channel, of this label or 'chat', and send the text by it",
    )
    call.add_argument(
        "--dtmf", type=_digits, default="", metavar="DIGITS", help="keys to press after the speech, such as 12#"
    )
    add_api_key(call)
    call.set_defaults(run=_call)


def add_voice(parser: argparse.ArgumentParser, wav: str) -> None:
    """The options that say what is spoken, and where what is heard goes; ``wav`` is the help of the first."""
    parser.add_argument("--wav", type=Path, metavar="FILE", help=wav)
    parser.add_argument("--record", type=Path, metavar="FILE", help="WAV file to write what is heard to")
    parser.add_argument(
        "--listen", type=_seconds, default=1.0, metavar="SECONDS", help="stay so long after the speech (default: 1)"
    )


def _digits(text: str) -> str:
    from glottis.calls.dtmf import tones_of  # late, so that other commands need not wait for it

    try:
        tones_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _ice_server(text: str) -> "IceServer":
    from glottis.client.ice_servers import read_ice_server  # late, as above

    try:
        return read_ice_server(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _seconds(text: str) -> float:
    with suppress(ValueError):
        if 0 <= (seconds := float(text)) <= sys.maxsize:
            return seconds
    raise argparse.ArgumentTypeError("expected seconds, such as 1.5")


def _call(options: argparse.Namespace, parts: Parts) -> int:
    from glottis.client.command import CallerOptions  # late, as above

    return parts.run_caller(
        CallerOptions(
            options.url,
            campaign=options.campaign,
            codec=options.codec,
            wav=options.wav,
            record=options.record,
            text=options.text,
            dtmf=options.dtmf,
            api_key=api_key(options),
            listen=options.listen,
            websocket=options.websocket,
            ice_servers=tuple(options.ice_server),
            ice_policy="relay" if options.relay else "all",
            data_channel=options.data_channel,
        ),
        parts.load_plugins(),
    )
