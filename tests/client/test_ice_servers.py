"""STUN and TURN servers that a caller is told of."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio
from glottis import IceServer
from glottis.client.calling import CallRequest, open_client_call
from glottis.client.grant import parse_session_grant_untrusted
from glottis.client.ice_servers import parse_ice_servers_untrusted, read_ice_server
from glottis.contracts.errors import LocalError, Malformed
from glottis.contracts.ice_servers import MAX_ICE_SERVERS
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import examples
from support.gateway import open_test_gateway
from support.installed import installed_plugins
from support.patience import PATIENCE

OPUS = installed_plugins().codecs.find("opus").spec
TURN = {"urls": ["turn:a", "turns:a"], "username": "u", "credential": "secret"}


def test_servers_of_a_grant_are_read_and_their_credentials_not_shown() -> None:
    body = json.dumps({"sessionId": "s", "websocketUrl": "ws://h", "iceServers": [TURN, {"urls": ["stun:b"]}]})
    grant = parse_session_grant_untrusted(body.encode())
    assert grant.ice_servers == (IceServer(("turn:a", "turns:a"), "u", "secret"), IceServer(("stun:b",)))
    assert "secret" not in repr(grant)


def test_gateway_need_not_name_any() -> None:
    assert parse_ice_servers_untrusted(None) == ()


@pytest.mark.parametrize(
    "value",
    [1, {}, "turn:a", [1], [{}], [{"urls": "stun:a"}], [{"urls": ["http://a"]}], [{**TURN, "credential": None}]],
)
def test_what_names_no_server_is_malformed(value: object) -> None:
    with pytest.raises(Malformed, match="iceServers: "):
        parse_ice_servers_untrusted(value)


def test_more_servers_than_a_call_has_are_left_out() -> None:
    assert len(parse_ice_servers_untrusted([{"urls": ["stun:a"]}] * 1000)) == MAX_ICE_SERVERS


URLS = st.one_of(st.text(), st.sampled_from(["stun:a", "turn:[::1]:1?transport=tcp", "turns:ä", "turn:a:99999"]))
VALUES = st.recursive(
    st.one_of(st.none(), st.integers(), st.text(), st.lists(URLS)),
    lambda inner: st.one_of(
        st.lists(inner), st.fixed_dictionaries({}, optional={"urls": inner, "username": inner, "credential": inner})
    ),
)


def test_any_value_is_read_or_malformed() -> None:
    """Fuzz: parse_ice_servers_untrusted raises Malformed and nothing else."""

    @settings(max_examples=examples(300), derandomize=True)
    @given(VALUES)
    def check(value: Any) -> None:
        with suppress(Malformed):
            parse_ice_servers_untrusted(value)

    check()


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("stun:192.0.2.1", IceServer(("stun:192.0.2.1",))),
        ("turn:a?transport=tcp,1700:user,k,ey=", IceServer(("turn:a?transport=tcp",), "1700:user", "k,ey=")),
    ],
)
def test_command_line_names_a_server(text: str, server: IceServer) -> None:
    assert read_ice_server(text) == server


@pytest.mark.parametrize("text", ["", "a", "turn:a", "turn:a,user", "turn:a,,secret", "http://a,user,secret"])
def test_what_is_no_server_is_told_without_its_credential(text: str) -> None:
    with pytest.raises(ValueError, match="expected a STUN or TURN URI") as raised:
        read_ice_server(text)
    assert "secret" not in str(raised.value)


async def test_call_by_relays_alone_without_a_relay_is_not_begun(tmp_path: Path) -> None:
    async with open_test_gateway(tmp_path) as gateway:
        stun = IceServer(("stun:127.0.0.1:9",))
        request = CallRequest(gateway.url, (OPUS,), ice_policy="relay", ice_servers=(stun,))
        with trio.fail_after(PATIENCE), pytest.raises(LocalError, match="needs a TURN server"):
            async with open_client_call(request):
                await trio.sleep_forever()
