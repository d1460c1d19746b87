"""The one error of a service: who it was, what it did, and what to change."""

import re
from typing import Final

import msgspec
from glottis import RemoteError

_ADVICE: Final = {
    400: "does not take the request: check model and the other settings",
    401: "does not accept the key: check api_key",
    402: "wants to be paid: check the account",
    403: "does not accept the key for this: check api_key",
    404: "has no such address or model: check url and model",
    413: "takes no request of this length",
    422: "does not take the request: check model and the other settings",
    429: "is asked too often, or the account has reached its limit",
}
_CODE: Final = re.compile(r"[a-z][a-z_]{2,40}")
"""Of an error, such as ``insufficient_quota``: never a sentence, which may repeat what was sent."""


class ServiceFailed(RemoteError):
    """A service does not do what it is asked. The message is for the log: no key and nothing of what was said."""

    code = "SERVICE_FAILED"


def refusal(place: str, status: int, body: bytes = b"") -> ServiceFailed:
    """The error for an answer of this status."""
    default = "has failed by itself" if status >= 500 else "redirects: check url" if status < 400 else "refuses"
    code = code_in(body)
    return ServiceFailed(f"{place} {_ADVICE.get(status, default)} (HTTP {status}{', ' if code else ''}{code})")


def code_in(body: bytes) -> str:
    """The name of an error in an answer in one of the usual shapes; else nothing."""
    try:
        answer = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        detail = msgspec.json.decode(answer.get("error", answer.get("detail", msgspec.Raw(b"{}"))), type=_Detail)
    except (msgspec.MsgspecError, RecursionError):
        return ""
    found = (each for each in (detail.code, detail.status, detail.type) if isinstance(each, str))
    return next(filter(is_name, found), "")


def is_name(text: str) -> bool:
    """Whether this is the name of an error, and not a sentence."""
    return _CODE.fullmatch(text) is not None


class _Detail(msgspec.Struct):
    code: str | int | float | None = None
    status: str | int | float | None = None
    type: str | int | float | None = None
