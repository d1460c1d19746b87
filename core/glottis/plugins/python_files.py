"""Python code that is named by its file or module, and can be loaded anew while the process goes on."""

import importlib
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Final, TypeVar

from glottis.contracts.errors import LocalError
from glottis.plugins.failures import blamed

T = TypeVar("T")

_folders: Final[set[Path]] = set()
"""Those that code was loaded from."""
_names: Final[set[str]] = set()
"""Of the modules that files have become: nothing in another folder is meant by them."""


class NoSuchModule(LocalError):
    """Nothing can be imported by the name that was given."""


class PythonCode(ABC):
    """A module that can be loaded, and later loaded anew. ``module_name`` is what it is called while it is."""

    module_name: str

    def __init__(self, place: str, folder: Path) -> None:
        self._place = place
        self._folder = folder
        self._is_loaded = False

    def load(self, take: Callable[[ModuleType], T]) -> T:
        """Run its code, and take of the module what is wanted, or raise.

        From the second time on, what it imports from its own folder is loaded anew with it. What lies beside code of
        another folder does not stand for what is called the same in this one. Raises ``PluginError``, which names the
        line, for whatever the code raises. After any error all that was loaded before is still there.
        """
        _look_first_in(self._folder)
        anew = self.files() if self._is_loaded else set()
        namesakes = _namesakes(self._folder)
        with _forgotten(anew, namesakes):
            with _blamed_on(self._place, self._folder):
                module = self._run()
            taken = take(module)
        sys.modules.update({name: one for name, one in namesakes.items() if _top(name) not in sys.modules})
        self._is_loaded = True
        return taken

    @abstractmethod
    def files(self) -> set[Path]:
        """Those that are loaded anew."""

    @abstractmethod
    def _run(self) -> ModuleType: ...


class PythonFile(PythonCode):
    """A module by the path of its file, which need not be where Python looks for modules, and may be called anything.

    Raises ``LocalError`` if there is no such file.
    """

    def __init__(self, place: str) -> None:
        self._path = Path(place).resolve()
        if not self._path.is_file():
            raise LocalError(f"{place}: there is no such file")
        super().__init__(place, self._path.parent)
        self.module_name = _free_name(self._path.stem)
        _names.add(self.module_name)

    def files(self) -> set[Path]:
        """It, and what lies beside it."""
        return {self._path, *self._folder.glob("*.py")}

    def _run(self) -> ModuleType:
        loader = _SourceLoader(self.module_name, str(self._path))
        spec = spec_from_loader(self.module_name, loader)
        assert spec is not None
        module = sys.modules[self.module_name] = module_from_spec(spec)
        loader.exec_module(module)
        return module


class PythonModule(PythonCode):
    """A module by its name, looked for in the working directory, too."""

    def __init__(self, place: str) -> None:
        super().__init__(place, Path.cwd())
        self.module_name = place

    def files(self) -> set[Path]:
        """Its file; of a module in a package, all of that folder."""
        path = _file_of(sys.modules.get(self.module_name))
        if path is None:
            return set()
        return set(path.parent.glob("*.py")) if "." in self.module_name or path.stem == "__init__" else {path}

    def _run(self) -> ModuleType:
        try:
            return importlib.import_module(self.module_name)
        except ModuleNotFoundError as error:
            if f"{self.module_name}.".startswith(f"{error.name}."):  # and none that it imports
                expected = "expected a module that can be imported from here, or a file such as my.py"
                raise NoSuchModule(f"{self.module_name}: there is no such module; {expected}") from None
            raise


class _SourceLoader(SourceFileLoader):
    """Leaves no bytecode and takes none, which would stand for another text of the same second and length."""

    def path_stats(self, path: str) -> dict[str, float]:
        raise OSError


def _look_first_in(folder: Path) -> None:
    """For what is imported, as Python does for the folder of a script."""
    _folders.add(folder)
    sys.path[:] = [str(folder), *(place for place in sys.path if place != str(folder))]
    importlib.invalidate_caches()


def _namesakes(folder: Path) -> dict[str, ModuleType]:
    """Modules that lie beside code of another folder, and would stand for what is called the same in this one."""
    own = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}
    tops = {name for name in own - _names if _place_of(sys.modules.get(name)) in _folders - {folder}}
    return {name: module for name, module in list(sys.modules.items()) if _top(name) in tops}


def _top(name: str) -> str:
    return name.partition(".")[0]


def _place_of(module: ModuleType | None) -> Path | None:
    """The folder in which its file lies, or its package."""
    file = _file_of(module)
    if file is None:
        return None
    return file.parents[1] if file.name == "__init__.py" else file.parent


@contextmanager
def _forgotten(files: Collection[Path], modules: Mapping[str, ModuleType]) -> Iterator[None]:
    """Modules of these files are, and these ones; they come back if the block fails."""
    before = {**_modules_of(files), **modules}
    _forget(before)
    try:
        yield
    except BaseException:
        _forget([*_modules_of(files), *(name for name in list(sys.modules) if _top(name) in modules)])
        sys.modules.update(before)
        raise


@contextmanager
def _blamed_on(place: str, folder: Path) -> Iterator[None]:
    try:
        yield
    except NoSuchModule:
        raise
    except BaseException as error:
        raise blamed(error, _line_of(error, folder) or place) from error


def _line_of(error: BaseException, folder: Path) -> str:
    """Where in the files of this folder an error comes from: the innermost place."""
    lines = []
    traceback = error.__traceback__
    while traceback is not None:
        lines.append((traceback.tb_frame.f_code.co_filename, traceback.tb_lineno))
        traceback = traceback.tb_next
    if isinstance(error, SyntaxError) and error.filename:
        lines.append((error.filename, error.lineno or 1))
    own = [(Path(file), line) for file, line in lines if Path(file).is_relative_to(folder)]
    own = [(path, line) for path, line in own if "site-packages" not in path.parts]
    return f"{own[-1][0].relative_to(folder)}, line {own[-1][1]}" if own else ""


def _modules_of(files: Collection[Path]) -> dict[str, ModuleType]:
    return {
        name: module for name, module in list(sys.modules.items()) if name != "__main__" and _file_of(module) in files
    }


def _file_of(module: ModuleType | None) -> Path | None:
    """None for what is no module, or has no file. Nothing is asked for, which might import something."""
    file = getattr(module, "__dict__", {}).get("__file__")
    return Path(file) if isinstance(file, str) else None


def _forget(modules: Collection[str]) -> None:
    for name in modules:
        sys.modules.pop(name, None)
    importlib.invalidate_caches()


def _free_name(stem: str) -> str:
    """The name of the module that a file becomes: one that no other has, whatever the file is called."""
    name = "".join(character if character.isalnum() else "_" for character in stem)
    while name in sys.modules or name in sys.stdlib_module_names:
        name += "_"
    return name
