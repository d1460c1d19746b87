"""The extension ``cluster``: many nodes that are one to their callers, on one Redis."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import trio
from glottis import CallInfo, ConfigurationError, GatewayInfo, RoutesSpec, Seat, hookimpl

from glottis_cluster.history import Notebook, SessionNotes
from glottis_cluster.membership import Membership
from glottis_cluster.placing import NodesCluster
from glottis_cluster.routes import routes
from glottis_cluster.settings import ClusterConfig
from glottis_cluster.store import Store, WrongCredentials

__all__ = ["NODES", "ClusterConfig", "Node"]


@dataclass(slots=True, eq=False)
class Node:
    """What there is of the cluster in this process."""

    store: Store
    membership: Membership
    notebook: Notebook
    cluster: NodesCluster


NODES: Final[dict[int, Node]] = {}
"""Of the gateways in this process, by their settings' identity."""


@hookimpl
def extension_settings() -> type[ClusterConfig]:
    """See ``ClusterConfig``."""
    return ClusterConfig


@hookimpl
def session_observers(call_info: CallInfo, settings: ClusterConfig) -> Sequence[SessionNotes]:
    """Who tells the others what becomes of a session."""
    node = NODES.get(id(settings))
    return [node.notebook.begin(call_info)] if node is not None else []


@hookimpl
@asynccontextmanager
async def gateway_lifespan(gateway_info: GatewayInfo, settings: ClusterConfig) -> AsyncIterator[None]:
    """Membership, from before the gateway serves to after its last call."""
    store = Store(settings)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.run)
        url = gateway_info.public_url.rstrip("/") or gateway_info.url
        node = _node(url, gateway_info.parts.number, settings, store)
        problem = await _begin(settings, node)
        if problem is None:
            NODES[id(settings)] = node
            try:
                for task in (node.membership.run, node.notebook.run, node.cluster.post_office.run):
                    nursery.start_soon(task)
                yield
                await node.notebook.write()
                await node.membership.leave()
            finally:
                del NODES[id(settings)]
        nursery.cancel_scope.cancel()
    if problem is not None:
        raise problem


async def _begin(settings: ClusterConfig, node: Node) -> ConfigurationError | None:
    """What is wrong with the settings, as far as Redis can tell; where that is away, nothing is."""
    where = "extensions.settings.cluster"
    if not node.membership.is_reachable:
        return ConfigurationError("server.public_url: expected where clients reach this very node of the cluster")
    await node.store.opened()
    try:
        usurper = await node.membership.enter()
    except WrongCredentials as problem:
        return ConfigurationError(f"{where}.redis: at {settings.place} {problem}")
    if usurper:
        told = f"{settings.node!r} is the name of another node, at {usurper}; give each node one of its own"
        return ConfigurationError(f"{where}.name: {told}")
    return None


@hookimpl
def register_routes() -> Sequence[RoutesSpec]:
    """``cluster``, by which operators see the nodes."""
    return [RoutesSpec("cluster", lambda settings: routes(_any_store))]


@hookimpl
def join_cluster(seat: Seat, settings: ClusterConfig) -> NodesCluster:
    """The other nodes; none, where the gateway has no life."""
    node = NODES.get(id(settings)) or _node(seat.url, 0, settings, Store(settings))
    node.cluster.join(seat)
    return node.cluster


def _any_store() -> Store | None:
    return next((node.store for node in NODES.values()), None)


def _node(url: str, number: int, settings: ClusterConfig, store: Store) -> Node:
    membership = Membership(settings, store, url, number)
    notebook = Notebook(settings, store, membership)
    membership.began = notebook.write_all
    cluster = NodesCluster(settings, store, membership, notebook)
    membership.counts = cluster.counts
    return Node(store, membership, notebook, cluster)
