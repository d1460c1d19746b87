"""What the gateway tells a worker as it is. Only this way: what comes back is never unpickled."""

import pickle
from typing import Any


def pickled(value: object) -> bytes:
    """For ``unpickled``, in the worker."""
    return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)


def unpickled(data: bytes) -> Any:
    """What the gateway has given, in the process that it has started."""
    return pickle.loads(data)  # noqa: S301
