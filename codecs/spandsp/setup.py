"""Lets setuptools build the extension module; everything else is in pyproject.toml."""

from setuptools import setup

setup(
    cffi_modules=["build_spandsp.py:ffi"],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},  # cffi builds for the stable ABI: one wheel for all Pythons
)
