"""The rules of auth schemes: who is let in, who is not, and what is said about it."""

import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import trio

from glottis.contracts.auth import AuthRequest, AuthScheme, AuthSchemeSpec
from glottis.contracts.errors import AuthenticationFailed, Forbidden
from glottis.contracts.info import Principal
from glottis.plugins.auth import GuardedAuthScheme
from glottis.testing.rules.comparison import Watched
from glottis.testing.rules.leftovers import Held, expect_ended
from glottis.testing.rules.rule import DoesNotApply, NotTried, expect, rules_of
from glottis.testing.rules.secrecy import overheard, secrets_in
from glottis.testing.rules.subject import Settings, Subject, check_description
from glottis.testing.rules.thread_time import LONGEST_STEP_MS, LongestStep
from glottis.testing.rules.trial import run_trial

STRANGER: Final = AuthRequest(
    "POST",
    "/api/websession/initiate",
    {"host": "voice.example.org", "content-type": "application/json", "user-agent": "stranger"},
    "192.0.2.1",
    campaign_id="campaign",
)
"""From an address for documentation (RFC 5737), and without credentials."""
_NEIGHBOUR: Final = replace(STRANGER, headers={**STRANGER.headers, "host": "127.0.0.1:8080"}, client_host="127.0.0.1")
PATIENCE: Final = 30.0
"""Seconds that the gateway waits for an answer."""
_SETTLING: Final = 100.0
"""Seconds in which what goes on beside can come to an end."""
_CREDENTIALS: Final = ("authorization", "x-api-key", "cookie", "proxy-authorization")
_MARK: Final = "hunter2-hunter2"
"""What strangers present, and nobody repeats."""
_BASE64: Final = f"{string.ascii_uppercase}{string.ascii_lowercase}{string.digits}-_"
_SAMPLED: Final = 24
"""Places of a credential at which it is changed."""
_LEAST_SECRET: Final = 8
"""Characters of a text that is looked for: shorter ones are in many a word."""


@dataclass(frozen=True, slots=True)
class AuthSubject(Subject[AuthSchemeSpec]):
    """Beside what others have, requests that the scheme lets in or refuses, and settings of another deployment."""

    accepted: Sequence[AuthRequest] = ()
    expired: Sequence[AuthRequest] | None = ()
    """None: they do not expire."""
    skewed: Sequence[AuthRequest] | None = ()
    other_settings: Settings = None

    def scheme(self) -> AuthScheme:
        """As the gateway has it."""
        return GuardedAuthScheme(self.make(), self.plugin)

    def credentials(self) -> list[tuple[AuthRequest, str]]:
        """Requests that are let in, each with the name of a header that has a key or token in it.

        Raises ``NotTried`` if none is known, and ``DoesNotApply`` if there can be none.
        """
        self.expect_keys()
        found = presented_by(self.accepted)
        if not found:
            raise NotTried("needs requests with a key or token that it lets in: give them as accepted")
        return found

    def expect_keys(self) -> None:
        """Raises ``DoesNotApply`` for a scheme that is for this machine alone, and lets in who shows nothing."""
        if self.spec.loopback_only and _lets_in(self.scheme(), _NEIGHBOUR):
            raise DoesNotApply("there are no keys or tokens: it lets in everybody on this machine")


def _lets_in(scheme: AuthScheme, request: AuthRequest) -> bool:
    let_in: list[Principal | None] = []

    async def scenario() -> None:
        let_in.append(await _asked(scheme, request))

    run_trial(scenario)
    return let_in[0] is not None


def presented_by(requests: Iterable[AuthRequest]) -> list[tuple[AuthRequest, str]]:
    """The requests with a key or token, each with the name of the header that has it."""
    return [(request, name) for request in requests for name in _CREDENTIALS if len(request.headers.get(name, "")) > 2]


def check_accepted(subject: AuthSubject) -> None:
    """Who is known is let in, each time, and is the same."""
    neighbours = [_NEIGHBOUR] if subject.spec.loopback_only and not subject.accepted else []
    _expect_let_in(subject, [*subject.accepted, *neighbours], "accepted")


def check_skewed(subject: AuthSubject) -> None:
    """Clocks of two machines differ by some seconds."""
    subject.expect_keys()
    if subject.skewed is None:
        raise DoesNotApply("its keys or tokens have no time")
    _expect_let_in(subject, subject.skewed, "skewed")


def _expect_let_in(subject: AuthSubject, requests: Sequence[AuthRequest], name: str) -> None:
    if not requests:
        raise NotTried(f"needs requests that it lets in: give them as {name}")
    scheme = subject.scheme()

    async def scenario() -> None:
        for request in requests:
            first, second = await _asked(scheme, request), await _asked(scheme, request)
            expect(first is not None, f"{request} is not let in")
            expect(first == second, f"{request} is somebody else when it asks again")

    run_trial(scenario)


def check_strangers(subject: AuthSubject) -> None:
    """Who shows nothing, or nonsense, gets nothing, and in the words of the contract."""
    _expect_refusal(subject.scheme(), strangers(), "a stranger")


def strangers() -> Iterable[AuthRequest]:
    """Without credentials, and with odd ones, asking for odd campaigns."""
    yield STRANGER
    yield replace(STRANGER, headers={})
    for value in ("", "Bearer", "Bearer ", f"Bearer {_MARK}", "Basic Og==", "\udcff\x00é", "x" * 8000, "Bearer .. "):
        for name in ("authorization", "x-api-key"):
            yield replace(STRANGER, headers={**STRANGER.headers, name: value})
    none = "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."
    for campaign in (None, "", "é" * 256, "../.."):
        yield replace(STRANGER, headers={**STRANGER.headers, "authorization": none}, campaign_id=campaign)


def check_forged(subject: AuthSubject) -> None:
    """Credentials that nearly are good."""
    _expect_refusal(subject.scheme(), forgeries(subject.credentials()), "a forged key or token")


def forgeries(presented: Iterable[tuple[AuthRequest, str]]) -> Iterable[AuthRequest]:
    """Each good credential with one character changed, cut, extended, or in another case."""
    for request, name in presented:
        value = request.headers[name]
        start = value.rfind(" ") + 1
        places = {*range(start, len(value), max(1, (len(value) - start) // _SAMPLED)), len(value) - 1}
        forged = [changed_at(value, place) for place in sorted(places)]
        forged += [value[:-1], value[: start + 1], f"{value}A", value[:start] + value[start:].swapcase(), value[:start]]
        for wrong in forged:
            if wrong != value:
                yield replace(request, headers={**request.headers, name: wrong})


def changed_at(text: str, place: int) -> str:
    """Another character there; of base64 one whose highest bit differs, as the lowest may mean nothing."""
    value = _BASE64.find(text[place])
    return text[:place] + (_BASE64[value ^ 32] if value >= 0 else "A") + text[place + 1 :]


def check_expired(subject: AuthSubject) -> None:
    """What was good once."""
    subject.expect_keys()
    if subject.expired is None:
        raise DoesNotApply("its keys or tokens have no time")
    if not subject.expired:
        raise NotTried("needs requests whose credentials are over: give them as expired")
    _expect_refusal(subject.scheme(), subject.expired, "a credential that has expired")


def check_foreign(subject: AuthSubject) -> None:
    """What is good elsewhere."""
    subject.expect_keys()
    if subject.other_settings is None:
        raise NotTried("needs settings of a deployment that lets in others: give them as other_settings")
    elsewhere = replace(subject, settings=subject.other_settings).scheme()
    requests = [request for request, _ in subject.credentials()]
    _expect_refusal(elsewhere, requests, "a key or token of another deployment")


def _expect_refusal(scheme: AuthScheme, requests: Iterable[AuthRequest], what: str) -> None:
    async def scenario() -> None:
        for request in requests:
            principal = await _asked(scheme, request)
            expect(principal is None, f"{what} is let in as {principal.name if principal else ''}")

    run_trial(scenario)


async def _asked(scheme: AuthScheme, request: AuthRequest) -> Principal | None:
    with trio.move_on_after(PATIENCE) as scope:
        try:
            return await scheme.authenticate(request)
        except (AuthenticationFailed, Forbidden):
            return None
    expect(not scope.cancelled_caught, f"no answer in {PATIENCE:g} s")
    return None


def check_leaves_nothing(subject: AuthSubject) -> None:
    """Of requests that were answered."""
    scheme = subject.scheme()

    async def scenario() -> None:
        requests = [STRANGER, *subject.accepted]
        for request in requests:
            await _asked(scheme, request)  # what it keeps for good is there from now on
        before = Held.now()
        for request in 3 * requests:
            await _asked(scheme, request)
        await trio.sleep(_SETTLING)
        await expect_ended(before, f"{3 * len(requests)} requests have")

    run_trial(scenario)


def check_yields(subject: AuthSubject) -> None:
    """Whoever asks costs those who speak no gap. Tried again, since others may have disturbed."""
    scheme = subject.scheme()
    requests = [STRANGER, *subject.accepted, *list(forgeries(presented_by(subject.accepted)))[:1]]
    for request in requests:
        longest = min(_longest_step(scheme, request) for _ in range(3))
        expect(
            longest <= LONGEST_STEP_MS,
            f"holds up all calls for {longest:.0f} ms to answer a request: move that into trio.to_thread.run_sync",
        )


def _longest_step(scheme: AuthScheme, request: AuthRequest) -> float:
    async def scenario() -> None:
        await _asked(scheme, request)

    run_trial(scenario, [longest := LongestStep()])
    return longest.milliseconds


def check_secrets(subject: AuthSubject) -> None:
    """All that it says, in errors, in the log, and in its own words."""
    presented = presented_by((*subject.accepted, *(subject.expired or ())))
    known = [*secrets_in(subject.typed_settings()), _MARK]
    known += [request.headers[name].rpartition(" ")[2] for request, name in presented]
    requests = [*strangers(), *subject.accepted, *(subject.expired or ())]
    requests += forgeries(presented_by(subject.accepted))
    with overheard() as said:
        scheme = subject.make()
        said += [repr(scheme), str(scheme), repr(subject.typed_settings())]

        async def scenario() -> None:
            for request in requests:
                try:
                    said.append(repr(await scheme.authenticate(request)))
                except Exception as error:
                    said.extend([str(error), repr(error)])

        run_trial(scenario)
    quoted = any(secret in text for secret in known if len(secret) >= _LEAST_SECRET for text in said)
    expect(
        not quoted, "a secret, key or token is in an error, in the log or in a repr: say what is wrong, quote nothing"
    )


def check_constant_time(subject: AuthSubject) -> None:
    """The same work wherever the first wrong character is, and a comparison that is made for secrets.

    Time itself tells nothing on a machine that does other things. So Python's instructions are counted; and since
    ``==`` is one instruction, however far it gets, there has to be a call of ``hmac.compare_digest``, or of a
    function of a library that verifies.
    """
    scheme = subject.make()
    for request, name in subject.credentials():
        value = request.headers[name]
        start = max(value.rfind(" "), value.rfind(".")) + 1  # of a token, its signature
        wrong = [
            replace(request, headers={**request.headers, name: changed_at(value, place)})
            for place in (start, start + 1, len(value) - 2)
        ]
        _expect_constant(_watched(scheme, wrong)[1:])


def _watched(scheme: AuthScheme, requests: Sequence[AuthRequest]) -> list[Watched[Principal | None]]:
    """What was done for each; the first is asked to warm up."""
    answers: list[Watched[Principal | None]] = []

    async def scenario() -> None:
        for request in requests:
            answers.append(Watched(scheme.authenticate(request)))
            try:
                await answers[-1]
            except (AuthenticationFailed, Forbidden):
                continue

    run_trial(scenario)
    return answers


def _expect_constant(answers: list[Watched[Principal | None]]) -> None:
    early, late = answers
    expect(
        early.instructions == late.instructions,
        f"takes {early.instructions} steps if a character at the beginning is wrong, and {late.instructions} if one "
        "near the end is: it stops at the first difference",
    )
    expect(
        early.is_for_secrets and late.is_for_secrets,
        "compares without hmac.compare_digest: == stops at the first difference",
    )


AUTH_RULES: Final = rules_of(
    "auth",
    ("description", "the specification can be used, and makes a scheme", check_description),
    ("accepted", "who is known is let in, each time", check_accepted),
    ("strangers", "who shows nothing, or nonsense, is refused", check_strangers),
    ("forged", "a key or token that is nearly right is refused", check_forged),
    ("expired", "a key or token that is over is refused", check_expired),
    ("foreign", "a key or token of another deployment is refused", check_foreign),
    ("skewed", "a caller whose clock differs a little is let in", check_skewed),
    (
        "leaves-nothing",
        "requests that were answered leave no task, thread, process or file behind",
        check_leaves_nothing,
    ),
    ("yields", "to answer a request never holds up calls", check_yields),
    ("secrets", "no secret, key or token is in errors, logs or a repr", check_secrets),
    ("constant-time", "secrets are compared in constant time", check_constant_time),
)
