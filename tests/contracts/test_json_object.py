import gc
import json

import pytest
from glottis.contracts.json_object import JsonObject, decoded

TEXT = b'{"a": [1, {"b": null}], "c": "\xc3\xa4"}'


def test_it_is_a_mapping_like_the_dict_that_it_stands_for() -> None:
    mapping = JsonObject(TEXT)
    value = json.loads(TEXT)
    assert mapping == value
    assert value == mapping
    assert (mapping["c"], mapping.get("x", 5), len(mapping), list(mapping)) == ("ä", 5, 2, ["a", "c"])
    assert {**mapping, "d": 1} == {**value, "d": 1}
    assert repr(mapping) == repr(value)
    assert "c" in mapping
    with pytest.raises(KeyError):
        mapping["x"]


def test_decoded_it_is_a_dict_and_always_the_same() -> None:
    mapping = JsonObject(TEXT)
    assert type(decoded(mapping)) is dict
    assert decoded(mapping) is decoded(mapping)
    plain = {"a": 1}
    assert decoded(plain) is plain


def test_until_somebody_looks_it_holds_nothing_but_its_text() -> None:
    mapping = JsonObject(b'{"a":[' + b"{}," * 1000 + b"1]}")
    assert not any(gc.is_tracked(held) for held in gc.get_referents(mapping) if held is not JsonObject)
    assert len(mapping["a"]) == 1001
