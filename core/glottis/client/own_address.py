"""Whether this machine still has an address, asked in the same way on each system."""

import errno
import socket


def is_ours(host: str) -> bool:
    """Whether a socket can be bound to an IP address; true where the system does not say that it cannot."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((host, 0))
    except OSError as error:
        return error.errno != errno.EADDRNOTAVAIL
    return True
