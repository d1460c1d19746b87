"""A plugin that breaks its contracts in every way there is, one method at a time."""

import gc
import inspect
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import SimpleNamespace
from typing import Any, NoReturn, Protocol

import msgspec
import trio
import trio.testing
from glottis import (
    AgentSpec,
    AuthSchemeSpec,
    Call,
    CallInfo,
    Cluster,
    CodecSpec,
    Component,
    ComponentSpec,
    IceServer,
    IceServerProviderSpec,
    Resampler,
    Resampling,
    Route,
    RouteRequest,
    RouteResponse,
    RouteSocket,
    RoutesSpec,
    SessionObserver,
    SessionWish,
    SocketRoute,
    TextMessage,
    VoiceActivityDetector,
    Whereabouts,
    hookimpl,
)
from glottis.contracts.audio import AudioFrame
from glottis.contracts.auth import AuthScheme
from glottis.contracts.call import Agent
from glottis.contracts.codec import Decoder, Encoder
from glottis.contracts.ice_servers import IceServerProvider
from glottis_spandsp import PCMU
from glottis_spandsp.resampler import SpeexResampling

from support import errors
from support.contracts import FUNCTIONS_OF_CODECS, methods_of
from support.gateway import CONFIG
from support.memory import Everybody

CODEC = "FAULTY"
AWAITED = ", awaited"
"""After the name of an async method: what happens to who awaits its result, not to who calls it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What a method does in place of its work: raise, return something else, or take ``seconds`` for it."""

    name: str
    strike: Callable[[], object] = lambda: None
    seconds: float = 0.0

    def __str__(self) -> str:
        return self.name


def _raising(make: Callable[[], BaseException], name: str) -> Fault:
    def strike() -> NoReturn:
        raise make()

    return Fault(name, strike)


def _recurse(depth: int = 0) -> int:
    return _recurse(depth + 1) + 1


ERRORS = (
    *(_raising(make, name) for name, make in errors.ERRORS.items()),
    Fault("endless recursion", _recurse),
)
NONSENSE = (
    Fault("returns an object", object),
    Fault("returns a generator", lambda: (number for number in range(3))),
    Fault("returns 100,000 objects", lambda: [object()] * 100_000),
)
BLOCKS = tuple(Fault(f"blocks {ms} ms", seconds=ms / 1000) for ms in (50, 200, 1000))


BLOCKS_AGAIN = tuple(Fault(f"blocks {ms} ms each time", partial(time.sleep, ms / 1000)) for ms in (50, 200, 1000))
"""For methods of which nobody minds what they return."""


def _make_garbage() -> None:
    """So much that its collection takes a tenth of a second or more."""
    for _ in range(500_000):
        circle: list[object] = []
        circle.append(circle)
    gc.collect()


COLLECTS = Fault("collects garbage each time", _make_garbage)


def _compute() -> NoReturn:
    while True:
        pass


NEVER = (Fault("computes for ever", _compute), Fault("waits for ever", lambda: time.sleep(100_000)))
AWAITS = Fault("awaits for ever", trio.sleep_forever)
"""For async methods."""
FAULTS = (*ERRORS, *NONSENSE, *BLOCKS, *BLOCKS_AGAIN, COLLECTS, *NEVER, AWAITS)


def fault_named(name: str) -> Fault:
    """One of ``FAULTS``."""
    return next(fault for fault in FAULTS if fault.name == name)


def block(seconds: float) -> None:
    """Hold the thread; on virtual time, which stands still for who works, let it pass."""
    clock = trio.lowlevel.current_clock()
    if isinstance(clock, trio.testing.MockClock):
        clock.jump(seconds)
    else:
        time.sleep(seconds)


class Ear(Protocol):
    """A kind of components."""

    def hear(self, frame: AudioFrame) -> AudioFrame:
        """What it makes of a frame."""


class _Settings(msgspec.Struct, frozen=True, kw_only=True):
    ear: Component[Ear] = Component("faulty")
    detector: Component[VoiceActivityDetector] = Component("faulty")


class Faulty:
    """The plugin of that name: an agent with an ear and a detector, a codec, an auth scheme and a provider.

    Each is ``faulty``, and works but for the method that ``arm`` names, as ``support.contracts`` calls it.
    """

    def __init__(self) -> None:
        self.struck = 0
        """How often the fault has happened."""
        self._method = ""
        self._fault = FAULTS[0]

    def arm(self, method: str, fault: Fault) -> None:
        """From now on the method has the fault; one that blocks does so once."""
        self.struck, self._method, self._fault = 0, method, fault

    def repair(self) -> None:
        """All of it works again."""
        self._method = ""

    def through(self, method: str, function: Callable[..., Any], *arguments: object) -> Any:
        """Call a method's function, unless its fault is in the way."""
        if method != self._method:
            return function(*arguments)
        self._note_strike(method, self._fault)
        if not self._fault.seconds:
            return self._fault.strike()
        self.repair()
        block(self._fault.seconds)
        return function(*arguments)

    def _note_strike(self, method: str, fault: Fault) -> None:
        self.struck += 1

    def _proxy(self, contract: type, product: object) -> Any:
        """The product, with each method of its contract behind ``through``."""
        methods = {}
        for name in methods_of(contract):
            method = f"{contract.__name__}.{name}"
            methods[name] = self._behind(method, getattr(product, name))
        return SimpleNamespace(**methods)

    def _behind(self, method: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: object) -> Any:
            result = self.through(method, function, *arguments)
            if inspect.iscoroutine(result):
                return self._awaited(method + AWAITED, result)
            return result

        return call

    async def _awaited(self, method: str, work: Coroutine[object, object, object]) -> object:
        try:
            outcome = self.through(method, lambda: work)
            return await outcome if inspect.iscoroutine(outcome) else outcome
        finally:
            work.close()

    # What it does in calls

    @hookimpl
    def select_agent(self) -> Any:
        """No opinion."""
        return self.through("select_agent", lambda: None)

    @hookimpl
    def audio_processors(self, call_info: CallInfo) -> Any:
        """One that changes nothing."""
        return self.through("audio_processors", lambda: [self._behind("FrameTap", lambda frame: frame)])

    @hookimpl
    def session_observers(self, call_info: CallInfo) -> Any:
        """One that takes no notice."""
        return self.through("session_observers", lambda: [self._proxy(SessionObserver, _Observer())])

    @hookimpl
    def join_cluster(self) -> Any:
        """One that knows nobody else."""
        return self.through("join_cluster", lambda: self._proxy(Cluster, _NobodyElse()))

    # What it registers

    @hookimpl
    def register_agents(self) -> Sequence[AgentSpec]:
        """``faulty`` says back what it hears, by an ear that it makes in each call."""
        return [AgentSpec("faulty", self._agent, _Settings, sample_rate=8000)]

    def _agent(self, settings: "_Settings") -> Agent:
        agent: Agent = self._behind("Agent", partial(_echo, settings))
        return agent

    @hookimpl
    def register_components(self) -> Sequence[ComponentSpec[Any]]:
        """``faulty`` is an ear, a detector, and a resampler."""
        create = self._behind("ComponentSpec.create", lambda settings: _Ear())
        resampling = self._proxy(Resampling, SpeexResampling())
        make_resampler = resampling.create_resampler
        resampling.create_resampler = lambda *rates: self._product(Resampler, make_resampler(*rates))
        detector = self._proxy(VoiceActivityDetector, _Detector())
        return [
            ComponentSpec(Ear, "faulty", create),
            ComponentSpec(Resampling, "faulty", lambda settings: resampling),
            ComponentSpec(VoiceActivityDetector, "faulty", lambda settings: detector),
        ]

    @hookimpl
    def register_codecs(self) -> Sequence[CodecSpec]:
        """``FAULTY`` is PCMU by another name."""
        real = faulty_codec()
        functions: dict[str, Any] = {
            name: self._behind(f"CodecSpec.{name}", getattr(real, name)) for name in FUNCTIONS_OF_CODECS
        }
        make_encoder, make_decoder = functions["create_encoder"], functions["create_decoder"]
        functions["create_encoder"] = lambda settings: self._encoder(make_encoder(settings))
        functions["create_decoder"] = lambda sample_rate: self._product(Decoder, make_decoder(sample_rate))
        return [replace(real, **functions)]

    def _encoder(self, product: object) -> Any:
        """With a complexity, which PCMU has not."""
        encoder = self._product(Encoder, product)
        if encoder is not product:
            encoder.set_complexity = self._behind("AdjustableEncoder.set_complexity", lambda complexity: None)
        return encoder

    def _product(self, contract: type, product: object) -> Any:
        """Nonsense stays what it is."""
        return self._proxy(contract, product) if hasattr(product, methods_of(contract)[0]) else product

    @hookimpl
    def register_auth_schemes(self) -> Sequence[AuthSchemeSpec]:
        """``faulty`` lets everybody in."""
        return [AuthSchemeSpec("faulty", lambda settings: self._proxy(AuthScheme, Everybody()))]

    @hookimpl
    def register_ice_server_providers(self) -> Sequence[IceServerProviderSpec]:
        """``faulty`` knows one server."""
        return [IceServerProviderSpec("faulty", lambda settings: self._proxy(IceServerProvider, _Provider()))]

    @hookimpl
    def register_routes(self) -> Sequence[RoutesSpec]:
        """``faulty`` has a route for everybody, and a WebSocket."""
        routes: list[Route | SocketRoute] = [
            Route("GET", "/", "public", self._behind("Route.handle", _answer)),
            SocketRoute("/", "public", self._behind("SocketRoute.handle", _say_back)),
        ]
        return [RoutesSpec("faulty", lambda settings: routes)]


FAULTY_CONFIG = (
    CONFIG.replace('scheme = "anonymous"', 'scheme = "faulty"')
    + f"""
[campaigns.talk]
agent = "echo"
sample_rate = 8000

[campaigns.faulty]
agent = "faulty"
agents.other = {{ agent = "echo" }}
extensions = ["Faulty"]

[media]
codecs = ["{CODEC}", "PCMU"]
resampler = "faulty"
jitter_buffer = "fixed"

[ice_servers]
providers = ["faulty"]

[routes]
enabled = ["faulty"]
max_requests_per_minute = 100000
"""
)
"""Enables all of the plugin ``Faulty``; its agent has a campaign ``faulty``, and the others have ``talk``."""


def faulty_codec() -> CodecSpec:
    """The codec ``FAULTY`` as its callers have it, without a fault."""
    return replace(PCMU, encoding_name=CODEC, static_payload_type=None)


class _Provider:
    async def get_ice_servers(self, call_info: object) -> list[IceServer]:
        return [IceServer(("stun:192.0.2.7",))]


class _NobodyElse:
    async def place(self, wish: SessionWish) -> None:
        return None

    async def seconds_to_wait(self, what: str, client: str, per_minute: int) -> float:
        return 0.0

    async def find(self, session_id: str) -> Whereabouts:
        return Whereabouts(reason="it was long ago")


class _Ear:
    def hear(self, frame: AudioFrame) -> AudioFrame:
        return frame


class _Detector:
    def detect(self, frame: AudioFrame) -> float:
        return 0.5


async def _answer(request: RouteRequest) -> RouteResponse:
    return RouteResponse(body=b"fine")


async def _say_back(request: RouteRequest, socket: RouteSocket) -> None:
    await socket.send(await socket.receive())


class _Observer:
    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


async def _echo(settings: _Settings, call: Call) -> None:
    ear = settings.ear.make()
    call.nursery.start_soon(_reply, call)
    call.turns(settings.detector.make())
    async for frame in call.audio:
        await call.say(ear.hear(frame))


async def _reply(call: Call) -> None:
    async for message in call.messages:
        if isinstance(message, TextMessage):
            await call.send_text(message.text)
