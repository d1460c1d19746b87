from collections.abc import Callable
from typing import Generic, Protocol, TypeVar, runtime_checkable

import pytest
from glottis import Component, LocalError
from glottis.contracts.components import members_of

T_co = TypeVar("T_co", covariant=True)


class Empty(Protocol): ...


class Reader(Protocol[T_co]):
    limit: int = 5
    on_end: Callable[[], None]

    def __init__(self) -> None: ...
    def __len__(self) -> int: ...
    @property
    def position(self) -> int: ...
    @staticmethod
    def name() -> str: ...
    def read(self) -> T_co: ...


@runtime_checkable
class File(Reader[bytes], Protocol):
    __slots__ = ()
    path: str

    async def close(self) -> None: ...


class Plain(Generic[T_co]):
    def read(self) -> T_co | None: ...


@pytest.mark.parametrize(
    ("kind", "methods", "attributes"),
    [
        (Empty, [], []),
        (Reader, ["__len__", "name", "read"], ["limit", "on_end", "position"]),
        (File, ["__len__", "close", "name", "read"], ["limit", "on_end", "path", "position"]),
        (Plain, ["read"], []),
    ],
)
def test_members_of_a_kind_are_what_it_and_its_bases_declare(
    kind: type, methods: list[str], attributes: list[str]
) -> None:
    assert members_of(kind) == (methods, attributes)


def test_a_component_makes_a_new_one_each_time() -> None:
    component: Component[list[int]] = Component("list", list)
    assert component.make() == []
    assert component.make() is not component.make()


def test_a_component_that_was_not_looked_up_says_so() -> None:
    component: Component[list[int]] = Component("list")
    with pytest.raises(LocalError, match="'list' was not looked up"):
        component.make()
