"""``glottis plugins --url``, against a gateway on loopback."""

from pathlib import Path

import pytest
import trio
from glottis.cli import main
from glottis.client.calling import CallRequest, open_client_call
from support.gateway import CONFIG, open_test_gateway
from support.installed import installed_plugins

OPERATED = CONFIG.replace("[auth]", '[auth]\noperators = ["anonymous"]')
PCMU = installed_plugins().codecs.find("PCMU").spec


async def test_figures_of_a_gateway_that_has_had_a_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with open_test_gateway(tmp_path, OPERATED) as gateway:
        async with open_client_call(CallRequest(gateway.url, (PCMU,))) as call:
            await call.connected.wait()
        code = await trio.to_thread.run_sync(main, ["plugins", "--url", gateway.url])
    assert code == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert any(line.startswith("echo glottis-echo 0.1.0 create of echo ") for line in lines)
    assert any(line.startswith("auth-anonymous glottis-auth-anonymous 0.1.0 authenticate ") for line in lines)


def test_gateway_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "--url", "http://127.0.0.1:1"]) == 1
    assert capsys.readouterr().err.startswith("glottis: ")
