"""One thread for numpy: an experiment has a process for each core already, and these would wait for each other.

What the libraries beneath it add up in one thread they add up in the same order, too, so its last digits are the same.
"""

from threadpoolctl import threadpool_limits


def in_one_thread() -> threadpool_limits:
    """From now on in this process; as a context manager until its end."""
    return threadpool_limits(limits=1)
