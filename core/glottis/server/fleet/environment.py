"""How a process knows that it is a worker."""

from collections.abc import Mapping
from typing import Final, NamedTuple

VARIABLE: Final = "WORKER_OF_GLOTTIS"
"""Has the descriptor of the socket to the parent, and the worker's number."""


class Role(NamedTuple):
    """Of a worker."""

    descriptor: int
    number: int


def role_of(environ: Mapping[str, str]) -> Role | None:
    """None for a process that is no worker."""
    words = environ.get(VARIABLE, "").split()
    if len(words) != len(Role._fields) or not all(word.isdigit() for word in words):
        return None
    return Role(*map(int, words))


def as_worker(environ: Mapping[str, str], role: Role) -> dict[str, str]:
    """The environment of a process that is to be one."""
    return {**environ, VARIABLE: f"{role.descriptor} {role.number}"}
