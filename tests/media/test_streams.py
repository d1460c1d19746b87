"""Calls by TCP: who may keep a connection, and what goes over it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

import pytest
import trio
import trio.testing
from glottis.contracts.errors import ConfigurationError
from glottis.media import stream_places
from glottis.media.dialling import Diallers
from glottis.media.endpoint import UdpEndpoint
from glottis.media.stream_listener import StreamListener
from glottis.media.stream_places import StreamPlaces
from glottis.wire.address import Address, Datagram, Path
from glottis.wire.stream_frames import framed
from glottis.wire.stun import Attribute, MessageClass, build_stun
from support.patience import PATIENCE

CHECK = build_stun(MessageClass.REQUEST, b"check of us.", [(Attribute.USERNAME, b"ours:theirs")])
RTP = b"\x80media"
HOST = "127.0.0.1"


class Session:
    """Takes part in the stream's first check, if it is ``welcoming``, as a driver does when the password was right."""

    def __init__(self, endpoint: UdpEndpoint, *, welcoming: bool = True) -> None:
        self.received: list[tuple[bytes, Path]] = []
        self._endpoint = endpoint
        self._welcoming = welcoming

    def receive(self, data: bytes, path: Path) -> None:
        self.received.append((data, path))
        if self._welcoming:
            self._endpoint.add_path(path, self, proven=True)

    def refuse(self) -> None: ...
    def send_failed(self, error: Exception) -> None: ...


class Scene:
    def __init__(self, endpoint: UdpEndpoint, listener: StreamListener) -> None:
        self.endpoint = endpoint
        self.listener = listener
        self._streams: list[trio.SocketStream] = []

    async def connect(self) -> trio.SocketStream:
        stream = await trio.open_tcp_stream(*self.listener.addresses[0])
        self._streams.append(stream)
        return stream

    def close(self) -> None:
        """What strangers have opened."""
        for stream in self._streams:
            stream.socket.close()

    def session(self, *, welcoming: bool = True) -> Session:
        session = Session(self.endpoint, welcoming=welcoming)
        self.endpoint.add_ufrag("ours", session)
        return session


@asynccontextmanager
async def open_scene(proof_time: float = 5.0) -> AsyncIterator[Scene]:
    with UdpEndpoint([]) as endpoint, StreamListener.bind([HOST], 0, endpoint, proof_time) as listener:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listener.run)
            scene = Scene(endpoint, listener)
            with trio.fail_after(PATIENCE), closing(scene):
                yield scene
            nursery.cancel_scope.cancel()


async def is_closed(stream: trio.SocketStream) -> bool:
    try:
        return await stream.receive_some() == b""
    except trio.BrokenResourceError:
        return True


async def test_datagrams_go_both_ways_until_the_call_leaves() -> None:
    async with open_scene() as scene:
        session, stream = scene.session(), await scene.connect()
        await stream.send_all(framed(CHECK) + framed(RTP)[:3])
        await stream.send_all(framed(RTP)[3:])
        while len(session.received) < 2:
            await trio.lowlevel.checkpoint()
        path = session.received[0][1]
        assert session.received == [(CHECK, path), (RTP, path)]
        assert path == Path(scene.listener.addresses[0], Address(*stream.socket.getsockname()), "tcp")
        scene.endpoint.send(Datagram(RTP, path), session)
        assert await stream.receive_some() == framed(RTP)
        scene.endpoint.send(Datagram(b"\x80goodbye", path), session)
        scene.endpoint.remove(session)
        assert await stream.receive_some() == framed(b"\x80goodbye")
        assert await is_closed(stream)
        assert scene.listener.refused == 0


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(framed(RTP), id="media"),
        pytest.param(framed(CHECK.replace(b"ours", b"none")), id="a check of nobody"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="another protocol"),
        pytest.param(b"\0\4\0\1\0\0", id="half a check"),
    ],
)
async def test_who_does_not_begin_with_a_check_of_a_call_is_sent_away(said: bytes) -> None:
    async with open_scene() as scene:
        session, stream = scene.session(), await scene.connect()
        await stream.send_all(said)
        assert await is_closed(stream)
        assert session.received == []
        assert scene.listener.refused == 1


async def test_who_lies_about_a_length_later_is_sent_away() -> None:
    async with open_scene() as scene:
        scene.session()
        stream = await scene.connect()
        await stream.send_all(framed(CHECK) + b"\xff\xff")
        assert await is_closed(stream)


@pytest.mark.parametrize("said", [b"", framed(CHECK)[:-1], framed(CHECK)], ids=["nothing", "drips", "no password"])
async def test_who_proves_nothing_is_sent_away_in_time(said: bytes) -> None:
    async with open_scene(0.05) as scene:
        scene.session(welcoming=False)
        stream = await scene.connect()
        await stream.send_all(said)
        assert await is_closed(stream)
        assert (scene.listener.refused, len(scene.listener)) == (1, 0)


async def test_a_flood_of_connections_takes_no_place_of_a_call() -> None:
    async with open_scene() as scene:
        session, stream = scene.session(), await scene.connect()
        await stream.send_all(framed(CHECK))
        while not session.received:
            await trio.lowlevel.checkpoint()
        strangers = [await scene.connect() for _ in range(2 * stream_places.MAX_UNPROVEN_PER_CLIENT)]
        assert await is_closed(strangers[0])
        await trio.testing.wait_all_tasks_blocked()
        assert len(scene.listener) <= 1 + stream_places.MAX_UNPROVEN_PER_CLIENT
        assert scene.listener.refused == len(strangers) - stream_places.MAX_UNPROVEN_PER_CLIENT
        scene.endpoint.send(Datagram(RTP, session.received[0][1]), session)
        assert await stream.receive_some() == framed(RTP)


def test_places_have_a_limit_and_shares() -> None:
    places = StreamPlaces()
    held = [places.take("192.0.2.1", lambda: True) for _ in range(stream_places.MAX_STREAMS_PER_CLIENT)]
    assert None not in held
    assert places.take("192.0.2.1", lambda: True) is None
    others = [places.take(f"2001:db8:0:{n:x}::1", lambda: True) for n in range(stream_places.MAX_STREAMS)]
    assert others.count(None) == len(held)
    assert places.take("192.0.2.2", lambda: True) is None
    for place in (*held, *others):
        if place is not None:
            places.leave(place)
    assert len(places) == 0


async def test_the_oldest_who_has_proved_nothing_gives_way() -> None:
    places = StreamPlaces()
    hosts = [f"192.0.2.{n}" for n in range(stream_places.MAX_UNPROVEN)]
    first, second, *_ = [places.take(host, lambda host=host: host == hosts[0]) for host in hosts]  # type: ignore[misc]
    places.take("198.51.100.1", lambda: False)
    assert first is not None
    assert not first.scope.cancel_called
    places.take("198.51.100.2", lambda: False)
    assert second is not None
    assert second.scope.cancel_called


async def test_a_caller_connects_where_its_check_goes_and_says_nothing_else_first() -> None:
    async with open_scene() as scene:
        session = scene.session()
        with UdpEndpoint([]) as caller:
            diallers, received = Diallers(caller), Session(caller)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(diallers.run)
                await trio.testing.wait_all_tasks_blocked()
                path = Path(diallers.add(HOST), scene.listener.addresses[0], "tcp")
                caller.add_path(path, received, proven=True)
                for data in (RTP, CHECK, RTP):
                    caller.send(Datagram(data, path), received)
                while len(session.received) < 2:
                    await trio.lowlevel.checkpoint()
                assert [data for data, _ in session.received] == [CHECK, RTP]
                scene.endpoint.send(Datagram(RTP, session.received[0][1]), session)
                while not received.received:
                    await trio.lowlevel.checkpoint()
                assert received.received == [(RTP, path)]
                nursery.cancel_scope.cancel()


async def test_a_port_that_is_taken_is_an_error_of_the_configuration() -> None:
    async with open_scene() as scene:
        [address] = scene.listener.addresses
        with pytest.raises(ConfigurationError, match=rf"media\.tcp_port: cannot listen on {HOST} port {address.port}"):
            StreamListener.bind([HOST], address.port, scene.endpoint)
