"""Auth schemes, made of a good one: a key opens the door."""

import hashlib
import hmac
import logging
import threading
import time
from collections.abc import Mapping
from typing import Any

import msgspec
import trio
from glottis import AuthenticationFailed, AuthRequest, AuthSchemeSpec, Principal, Secret

KEY = "correct-horse-battery"
logger = logging.getLogger(__name__)


class Config(msgspec.Struct, frozen=True, kw_only=True):
    key: Secret = Secret(KEY)


class Good:
    """``X-API-Key: TIME KEY``, with the time at which that ends before it."""

    def __init__(self, config: Config) -> None:
        self.config = config

    async def authenticate(self, request: AuthRequest) -> Principal | None:
        ends, _, key = request.headers.get("x-api-key", "").rpartition(" ")
        return Principal("owner") if self.is_key(key) and self.is_time(ends) else None

    def is_key(self, presented: str) -> bool:
        known = self.config.key.reveal().encode()
        return hmac.compare_digest(presented.encode("utf-8", "surrogateescape"), known)

    def is_time(self, ends: str) -> bool:
        return ends == "never" or (ends.isdecimal() and int(ends) > time.time())


class Methodless:
    def __init__(self, config: Config) -> None:
        pass


class Once(Good):
    """Lets in each key once."""

    seen = False

    def is_key(self, presented: str) -> bool:
        if not super().is_key(presented) or self.seen:
            return False
        self.seen = True
        return True


class Open(Good):
    """Lets in who says nothing wrong."""

    async def authenticate(self, request: AuthRequest) -> Principal | None:
        return await super().authenticate(request) if "x-api-key" in request.headers else Principal("anybody")


class Ascii(Good):
    """Takes headers for ASCII."""

    def is_key(self, presented: str) -> bool:
        presented.encode("ascii")
        return super().is_key(presented)


class Wordy(Good):
    """Tells more than any client wants to read."""

    async def authenticate(self, request: AuthRequest) -> Principal | None:
        if (principal := await super().authenticate(request)) is None:
            raise AuthenticationFailed("UNAUTHENTICATED", "no " * 1000)
        return principal


class Generous(Good):
    """Looks at the beginning."""

    def is_key(self, presented: str) -> bool:
        return super().is_key(KEY) and presented[:12] == KEY[:12]


class Careless(Good):
    """Does not mind capitals."""

    def is_key(self, presented: str) -> bool:
        return super().is_key(presented.lower())


class Timeless(Good):
    def is_time(self, ends: str) -> bool:
        return True


class Built(Good):
    """Has its key within."""

    def is_key(self, presented: str) -> bool:
        return hmac.compare_digest(presented.encode("utf-8", "surrogateescape"), KEY.encode())


class Punctual(Good):
    """Takes whoever has a little more time than others for somebody from the future."""

    def is_time(self, ends: str) -> bool:
        return super().is_time(ends) and (ends == "never" or int(ends) < time.time() + 3600)


class Leaving(Good):
    """Counts those who ask, in a task that goes on."""

    async def authenticate(self, request: AuthRequest) -> Principal | None:
        trio.lowlevel.spawn_system_task(trio.sleep_forever)
        return await super().authenticate(request)


class Threaded(Good):
    """Has a thread for each request."""

    async def authenticate(self, request: AuthRequest) -> Principal | None:
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        return await super().authenticate(request)


class Thorough(Good):
    """Hashes what it is shown, as one does with passwords, where it is."""

    def is_key(self, presented: str) -> bool:
        spent = time.thread_time()
        while time.thread_time() - spent < 0.1:
            hashlib.pbkdf2_hmac("sha256", presented.encode("utf-8", "surrogateescape"), b"salt", 10_000)
        return super().is_key(presented)


class Talkative(Good):
    """Tells the log what it has seen."""

    def is_key(self, presented: str) -> bool:
        logger.debug("looking at %r", presented)
        return super().is_key(presented)


class Helpful(Good):
    """Tells the client what it has got."""

    async def authenticate(self, request: AuthRequest) -> Principal | None:
        if (principal := await super().authenticate(request)) is None:
            raise AuthenticationFailed(
                "UNAUTHENTICATED", f"{request.headers.get('x-api-key', '')[:99]} is not the key."
            )
        return principal


class Proud(Good):
    """Shows what it has."""

    def __repr__(self) -> str:
        return f"Proud({self.config.key.reveal()})"


class Hurried(Good):
    """Compares with ``==``."""

    def is_key(self, presented: str) -> bool:
        return presented == self.config.key.reveal()


class Looping(Good):
    """Compares character by character, as far as it has to."""

    def is_key(self, presented: str) -> bool:
        known = self.config.key.reveal()
        hmac.compare_digest(known, known)
        return len(presented) == len(known) and all(one == other for one, other in zip(presented, known, strict=True))


def spec_of(scheme: Any) -> AuthSchemeSpec:
    return AuthSchemeSpec("sample", scheme, Config)


def request_with(key: str) -> AuthRequest:
    return AuthRequest("POST", "/api/websession/initiate", {"x-api-key": key}, "192.0.2.1")


ACCEPTED = (request_with(f"never {KEY}"),)
EXPIRED = (request_with(f"1000000000 {KEY}"),)
SKEWED = (request_with(f"{int(time.time()) + 86_400} {KEY}"),)
OTHER = Config(key=Secret("the-key-of-another-house"))
GOOD = spec_of(Good)
BAD: Mapping[str, list[AuthSchemeSpec]] = {
    "description": [AuthSchemeSpec("", Good, Config), spec_of(Methodless)],
    "accepted": [spec_of(Once)],
    "strangers": [spec_of(Open), spec_of(Ascii), spec_of(Wordy)],
    "forged": [spec_of(Generous), spec_of(Careless)],
    "expired": [spec_of(Timeless)],
    "foreign": [spec_of(Built)],
    "skewed": [spec_of(Punctual)],
    "leaves-nothing": [spec_of(Leaving), spec_of(Threaded)],
    "yields": [spec_of(Thorough)],
    "secrets": [spec_of(Talkative), spec_of(Helpful), spec_of(Proud)],
    "constant-time": [spec_of(Hurried), spec_of(Looping)],
}
