"""What a test imports is forgotten after it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def imports_of(folder: Path) -> Iterator[None]:
    """Within the block modules are imported from this folder as well."""
    path = sys.path[:]
    try:
        yield
    finally:
        sys.path[:] = path
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None)).startswith(f"{folder}/"):
                del sys.modules[name]
