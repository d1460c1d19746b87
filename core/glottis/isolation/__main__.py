"""A worker, started by a gateway: ``python -m glottis.isolation PIPE LIFELINE``, both numbers of descriptors."""

import faulthandler
import fcntl
import os
import select
import signal
import socket
import sys

import trio

from glottis.contracts.errors import LocalError
from glottis.isolation import messages
from glottis.isolation.framing import HEADER, frame
from glottis.isolation.messages import LONGEST_FROM_GATEWAY, MAX_REASON, encode, parse_from_gateway
from glottis.isolation.orders import Made, Order, make
from glottis.isolation.pickles import unpickled
from glottis.isolation.pipe import Pipe
from glottis.isolation.worker import Worker
from glottis.isolation.worker_log import log_to_gateway
from glottis.plugins.failures import describe

EXIT_REFUSED = 2


def main(descriptor: int, lifeline: int) -> int:
    """Returns the process's exit code."""
    _end_with_gateway(lifeline)
    os.set_inheritable(descriptor, False)
    for number in (signal.SIGINT, signal.SIGTERM):  # meant for the gateway, which ends calls in good order
        signal.signal(number, signal.SIG_IGN)
    faulthandler.enable()
    with socket.socket(fileno=descriptor) as end:
        order = _receive_order(end)
        log_to_gateway(order.log.level)
        made = _make(order, end)
        if made is None:
            return EXIT_REFUSED
        trio.run(Worker(Pipe(end, LONGEST_FROM_GATEWAY), made).serve)
    return 0


def _end_with_gateway(lifeline: int) -> None:
    """When the gateway has gone, however it did, the kernel closes the other end, and SIGIO ends this process.

    For that no thread has to run, and no lock of the interpreter to be had.
    """
    os.set_inheritable(lifeline, False)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    look = select.poll()
    look.register(lifeline, select.POLLIN)
    if look.poll(0):
        sys.exit("the gateway is gone")


def _receive_order(end: socket.socket) -> Order:
    (length,) = HEADER.unpack(_receive(end, HEADER.size))
    message = parse_from_gateway(_receive(end, length))
    assert isinstance(message, messages.Order)
    order: Order = unpickled(message.order)
    return order


def _receive(end: socket.socket, length: int) -> bytes:
    data = end.recv(length, socket.MSG_WAITALL)
    if len(data) < length:
        sys.exit("the gateway is gone")
    return data


def _make(order: Order, end: socket.socket) -> Made | None:
    try:
        return make(order)
    except Exception as error:
        reason = str(error) if isinstance(error, LocalError) else describe(error)
        end.sendall(frame(encode(messages.Refused(reason[:MAX_REASON]))))
        return None


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
