"""The clients of ``docs/clients.md`` and ``docs/doors.md`` call a real gateway, as far as this machine can run them."""

import json
import subprocess
import sys
import wave
from pathlib import Path

import trio
from support.audio import SPEECH, Samples, from_pcm, read_wav, similarity
from support.gateway import CONFIG, open_test_gateway
from support.markdown import Document
from support.patience import PROCESS_PATIENCE

ROOT = Path(__file__).parents[2]
PAGE = Document(ROOT / "docs" / "clients.md")
DOORS = Document(ROOT / "docs" / "doors.md")
JAVASCRIPT = ROOT / "plugins" / "web" / "javascript"
ON_LOOPBACK = """
import runpy, sys
import aioice.ice

aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Runs a client that would leave loopback out."""
SHIMS = """
declare module "react-native";
declare module "react-native-webrtc";
"""


async def output_of(*command: str | Path) -> str:
    with trio.fail_after(PROCESS_PATIENCE):
        done = await trio.run_process([*map(str, command)], capture_stdout=True, capture_stderr=True, check=False)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    return done.stdout.decode()


async def test_the_client_in_python_speaks_and_keeps_what_it_hears(tmp_path: Path) -> None:
    PAGE.write_files(tmp_path)
    heard = tmp_path / "heard.wav"
    async with open_test_gateway(tmp_path) as gateway:
        client = tmp_path / "caller.py"
        told = await output_of(sys.executable, "-c", ON_LOOPBACK, client, gateway.url, "echo", SPEECH, heard, "5")
    assert "text Backend connected" in told
    assert "state {'state': 'active'}" in told
    assert "'codec': 'opus'" in told
    played, rate = read_wav(SPEECH)
    assert similarity(at_rate(heard, rate), played, rate) > 0.7


async def test_the_whip_client_in_python_speaks_and_keeps_what_it_hears(tmp_path: Path) -> None:
    DOORS.write_files(tmp_path)
    heard = tmp_path / "heard.wav"
    async with open_test_gateway(tmp_path, CONFIG + '\n[routes]\nenabled = ["whip"]\n') as gateway:
        client, endpoint = tmp_path / "whip_caller.py", f"{gateway.url}/whip/echo"
        await output_of(sys.executable, "-c", ON_LOOPBACK, client, endpoint, SPEECH, heard, "5")
        assert not len(gateway.sessions)
    played, rate = read_wav(SPEECH)
    assert similarity(at_rate(heard, rate), played, rate) > 0.7


def at_rate(path: Path, rate: int) -> Samples:
    """The left of a recording that aiortc has made in stereo, at a lower rate."""
    with wave.open(str(path)) as file:
        samples = from_pcm(file.readframes(file.getnframes()))
        return samples[:: file.getnchannels() * file.getframerate() // rate]


async def test_curl_finds_out_what_there_is_and_creates_a_session(tmp_path: Path) -> None:
    PAGE.write_files(tmp_path)
    async with open_test_gateway(tmp_path) as gateway:
        told = await output_of("sh", tmp_path / "session.sh", gateway.url, "echo")
        ready, campaigns, session = told.splitlines()
        assert ready == "ready"
        assert {"campaignId": "echo"} in json.loads(campaigns)["campaigns"]
        assert json.loads(session)["websocketUrl"].startswith(gateway.url.replace("http", "ws"))


def test_the_types_of_the_components_of_react_are_right(tmp_path: Path) -> None:
    PAGE.write_files(tmp_path)
    (tmp_path / "shims.d.ts").write_text(SHIMS)
    settings = {
        "extends": str(JAVASCRIPT / "tsconfig.json"),
        "compilerOptions": {
            "noEmit": True,
            "declaration": False,
            "emitDeclarationOnly": False,
            "jsx": "react-jsx",
            "module": "esnext",
            "moduleResolution": "bundler",
            "rootDir": "/",
            "paths": {
                "@glottis/client": [str(JAVASCRIPT / "src" / "index.ts")],
                "@glottis/client/react": [str(JAVASCRIPT / "src" / "react.ts")],
                "react/*": [str(JAVASCRIPT / "node_modules" / "@types" / "react" / "*")],
                "react": [str(JAVASCRIPT / "node_modules" / "@types" / "react")],
            },
        },
        "include": ["*.tsx", "*.d.ts"],
    }
    (tmp_path / "tsconfig.json").write_text(json.dumps(settings))
    done = subprocess.run(
        [JAVASCRIPT / "node_modules" / ".bin" / "tsc", "--project", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
