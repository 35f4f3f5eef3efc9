"""TCP ports on the loopback address: is one taken, which one is free."""

import random
import socket

LOOPBACK = "127.0.0.1"
# Below the range that Linux (32768..) and macOS (49152..) hand out to outgoing connections: a port of ours that is
# free for a moment, between a stop and the next start, is not snatched by somebody's client.
FREE_PORTS = range(20_000, 32_000)


def is_taken(port: int) -> bool:
    """Whether somebody listens on the port, on the loopback address or on all of them."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Connections of the last owner that linger in TIME_WAIT do not make a port taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False


def free_port() -> int:
    """Some port that nobody listens on just now."""
    for _ in range(200):
        port = random.choice(FREE_PORTS)  # noqa: S311  a port is no secret
        if not is_taken(port):
            return port
    raise OSError(f"no free port found between {FREE_PORTS.start} and {FREE_PORTS.stop}")


def preferred_port(port: int) -> int:
    """The port itself where it is free, else some other one."""
    return free_port() if is_taken(port) else port
