"""For programs of tests: a package that is not installed."""

HIDE = """
class Hidden:
    def __init__(self, package):
        self._package = package

    def find_spec(self, name, path=None, target=None):
        if name == self._package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def hide(package):
    sys.meta_path.insert(0, Hidden(package))
"""
"""Python that defines ``hide``. A package that is None in ``sys.modules`` is missing by another name: its module's."""
