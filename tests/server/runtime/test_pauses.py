import gc

from glottis.server.runtime.pauses import Pauses


def test_pauses_are_measured() -> None:
    now = iter([1.0, 1.25, 2.0, 2.125])
    pauses = Pauses(lambda: next(now))
    for _ in range(2):
        pauses("start", {})
        pauses("stop", {})
    assert (pauses.count, pauses.longest, pauses.last) == (2, 0.25, (2.0, 2.125))
    assert pauses.share(1.5, 2.5) == 0.125
    assert pauses.share(1.0, 1.5) == 0

    pauses.forget()
    assert (pauses.count, pauses.longest) == (0, 0)


def test_python_tells_of_collections() -> None:
    pauses = Pauses()
    gc.callbacks.append(pauses)
    gc.collect()
    gc.callbacks.remove(pauses)
    assert pauses.count >= 1
    assert pauses.longest > 0
