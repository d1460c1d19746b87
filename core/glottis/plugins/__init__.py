"""Plugins: found by entry point, validated, called behind a guard, and kept by name in a registry."""

from glottis.plugins.agent_files import AgentFile, FunctionAgent
from glottis.plugins.guard import guarded
from glottis.plugins.host import create
from glottis.plugins.manager import BrokenPlugin, Plugin, installed_names
from glottis.plugins.registry import Catalogue, Registered, Registry, load_beside, load_plugins

__all__ = [
    "AgentFile",
    "BrokenPlugin",
    "Catalogue",
    "FunctionAgent",
    "Plugin",
    "Registered",
    "Registry",
    "create",
    "guarded",
    "installed_names",
    "load_beside",
    "load_plugins",
]
