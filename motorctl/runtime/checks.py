"""What ``motorctl doctor`` tries, one function a matter. Each imports what it tries, since that may be what fails."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import numpy as np

from motorctl.errors import MotorctlError

_MULTICAST_PORT, _PORTS = 16571, range(16572, 16605)
_GROUPS = ("224.0.0.183", "239.255.172.215")
"""Where liblsl asks for streams on a link and on a site (its configuration's defaults)."""
_BOUND = 3.0  # s


@dataclass(frozen=True)
class Finding:
    """What a check came to.

    Args:
        name: what was tried.
        ok: whether it will do.
        found: versions, times, or what went wrong.
        cure: what to do where it is not ok.
    """

    name: str
    ok: bool
    found: str
    cure: str = ""


def run_check(check: Callable[[], Finding]) -> Finding:
    """The check's finding, whatever happens in it: an import or a driver that fails is what a doctor is asked about."""
    name = check.__name__.replace("_", " ")
    try:
        return check()
    except MotorctlError as error:
        return Finding(name, False, error.problem, error.cure)
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        chosen = os.environ.get("MUJOCO_GL")
        cure = f"Unset MUJOCO_GL, which is '{chosen}'." if chosen else "Reinstall motorctl with its dependencies."
        return Finding(name, False, text, cure)


def lsl_library() -> Finding:
    """liblsl loads, and is not too old."""
    import pylsl  # type: ignore[import-untyped]

    version = pylsl.library_version()
    return Finding(
        "lsl library",
        version >= 116,
        f"liblsl {version // 100}.{version % 100}, pylsl {pylsl.__version__}",
        "Upgrade pylsl, or unset PYLSL_LIB if it names an old liblsl.",
    )


def lsl_round_trip() -> Finding:
    """A sample sent on an outlet is found, received, and stamped on the same clock."""
    import pylsl

    from motorctl.signals.lsl import LSLSink, LSLSource, find_stream
    from motorctl.signals.stream import Channel, StreamInfo

    name = f"motorctl-doctor-{os.getpid()}"
    cure = (
        "Let UDP 16571 and TCP and UDP 16572-16604 through the firewall; where multicast is blocked, list the other "
        "machines in lsl_api.cfg: [lab] KnownPeers = {name or address}."
    )
    with LSLSink(StreamInfo(name, "EEG", 0.0, (Channel("Cz"),))) as sink:
        try:
            ages = []
            with LSLSource(find_stream(name=name, timeout=_BOUND)) as source:
                for value in range(20):
                    sink.send(np.full((1, 1), value, np.float32), np.array([pylsl.local_clock()]))
                    chunk = source.read(_BOUND)
                    if len(chunk) != 1 or chunk.samples[0, 0] != value:
                        return Finding("lsl round trip", False, "a sample sent was not received", cure)
                    ages.append(1e3 * (pylsl.local_clock() - chunk.times[0]))
        except MotorctlError as error:
            return Finding("lsl round trip", False, error.problem, cure)
    return Finding("lsl round trip", True, f"a sample takes {median(ages):.2f} ms, at most {max(ages):.2f} ms")


def lsl_ports() -> Finding:
    """Ports of liblsl's range are there to be used."""
    free = [port for port in _PORTS if _can_bind(port, socket.SOCK_STREAM) and _can_bind(port, socket.SOCK_DGRAM)]
    return Finding(
        "lsl ports",
        len(free) >= 2,
        f"{len(free)} of {len(_PORTS)} ports 16572-16604 are free; a stream takes two",
        "Stop programs that use them, or raise PortRange in lsl_api.cfg on all machines.",
    )


def _can_bind(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def multicast() -> Finding:
    """What is sent to liblsl's groups, on its port, comes back."""
    silent = [group for group in _GROUPS if not _heard_again(group)]
    return Finding(
        "multicast",
        not silent,
        f"{', '.join(silent)}: nothing comes back" if silent else f"heard on {', '.join(_GROUPS)}",
        "Streams on this machine may still be seen. For others: allow multicast in the firewall, leave VPN and guest "
        "networks, or list the machines in lsl_api.cfg: [lab] KnownPeers = {name or address}.",
    )


def _heard_again(group: str) -> bool:
    membership = socket.inet_aton(group) + socket.inet_aton("0.0.0.0")
    word = f"motorctl doctor {os.getpid()}".encode()  # no query of LSL's: outlets pass over it
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        try:
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # outlets are bound to it too
            receiver.bind(("", _MULTICAST_PORT))
            receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
            sender.sendto(word, (group, _MULTICAST_PORT))
            end = time.monotonic() + 1
            while (left := end - time.monotonic()) > 0:
                receiver.settimeout(left)
                if receiver.recv(65536) == word:
                    return True
        except OSError:
            pass
    return False


def timers() -> Finding:
    """Sleeping is short enough, and deadlines of a 100 Hz loop are met."""
    slept = []
    for _ in range(100):
        before = time.perf_counter()
        time.sleep(1e-3)
        slept.append(time.perf_counter() - before - 1e-3)
    late = []
    begin = time.perf_counter()
    for deadline in begin + 0.01 * np.arange(1, 101):
        time.sleep(max(0.0, deadline - time.perf_counter()))
        late.append(time.perf_counter() - deadline)
    p99 = float(np.percentile(late, 99))
    return Finding(
        "timers",
        p99 < 0.01,
        f"sleep is {1e3 * median(slept):.2f} ms too long, deadlines at 100 Hz are met {1e3 * p99:.2f} ms late (p99)",
        "Close what keeps the machine busy, plug in the charger, and choose the performance power plan.",
    )


def opengl() -> Finding:
    """MuJoCo draws a picture."""
    from motorctl.envs import make_env

    env = make_env("motorctl/ArmReach-v0", render_mode="rgb_array")
    env.reset(seed=0)
    picture = np.asarray(env.render())
    env.close()
    return Finding(
        "opengl",
        bool(picture.std() > 0),
        f"a picture of {picture.shape[1]} x {picture.shape[0]}",
        "Set MUJOCO_GL to egl, glfw or osmesa; without it everything but pictures works.",
    )


def mujoco() -> Finding:
    """The physics of the arm, against the 20 ms of a control step."""
    import mujoco as library

    from motorctl.envs import make_env

    env = make_env("motorctl/ArmReach-v0")
    env.reset(seed=0)
    action = env.action_space.sample() * 0
    step = _time_of(lambda: env.step(action))
    return Finding(
        "mujoco", step < 0.01, f"mujoco {library.__version__}, a control step takes {1e3 * step:.2f} ms", _BUSY
    )


def torch() -> Finding:
    """A step of a recurrent network."""
    import torch as library

    from motorctl.threads import one_thread

    network = library.nn.GRU(64, 128, 2, batch_first=True)
    row = library.zeros(1, 1, 64)
    with one_thread(), library.inference_mode():
        step = _time_of(lambda: network(row))
    return Finding(
        "torch", step < 0.01, f"torch {library.__version__}, a step of 2 x 128 GRU takes {1e3 * step:.2f} ms", _BUSY
    )


_BUSY = "Close what keeps the machine busy; a control step has 20 ms for everything."


def _time_of(call: Callable[[], object]) -> float:
    """Median time of a call (s)."""
    times = []
    for _ in range(50):
        before = time.perf_counter()
        call()
        times.append(time.perf_counter() - before)
    return median(times)


CHECKS: tuple[Callable[[], Finding], ...] = (
    lsl_library,
    lsl_ports,
    multicast,
    lsl_round_trip,
    timers,
    opengl,
    mujoco,
    torch,
)
"""In the order in which they are tried."""
