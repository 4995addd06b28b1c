"""What attacks share: a cluster of the order example, and what one of its nodes costs while it is attacked."""

import os
import resource
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "http"))

from cluster import NODES, SLOW, Cluster, build_of, eventually, files_of, free_ports, memory_of  # noqa: E402, F401

BUILD = build_of(sys.argv)

NODE_FILES = 1_024  # what most systems allow a process unless told otherwise
MIB = 1 << 20


def start(test, before=None, **more):
    """A cluster that runs, and ends with the test; the test itself may open as many files as the system allows."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(NODE_FILES, hard), hard))  # the nodes inherit it
    shop = Cluster(BUILD, **{"token": False, **more})  # what a stranger can do must not rest on it
    test.addCleanup(shop.__exit__)
    if before:
        before(shop)
    shop.__enter__()
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard != resource.RLIM_INFINITY else 1 << 20, hard))
    shop.wait_ready()
    shop.wait_linked()
    return shop


def reset(one):
    """Closes a connection as a process does that dies in the middle of something."""
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    one.close()


def connect(test, port, timeout=30 * SLOW):
    """A connection that ends with the test."""
    one = socket.create_connection(("127.0.0.1", port), timeout=timeout)
    test.addCleanup(one.close)
    return one


def hear(one):
    """All that comes until the other side closes."""
    got = b""
    while True:
        try:
            part = one.recv(65536)
        except (ConnectionResetError, BrokenPipeError):
            return got
        if not part:
            return got
        got += part


def healthz(port, timeout=30 * SLOW):
    """How long a new client waits for /healthz; anything but a 200 raises."""
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as one:
        one.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        got = hear(one)
    if not got.startswith(b"HTTP/1.1 200 "):
        raise AssertionError(f"/healthz: {got!r}")
    return time.monotonic() - begun
