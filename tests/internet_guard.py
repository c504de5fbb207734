"""No socket of the internet in this process and all that it starts, whoever asks for one.

On Linux the kernel refuses the call itself (seccomp): a process that asks for a socket of any family but AF_UNIX and
AF_NETLINK (by which a process reads its own machine's addresses, and cannot leave it) dies of SIGSYS, also where native
code asks, and its Python traceback is kept beside the journal. What Python opens, looks up and binds is written down on
every system (audit events), so that a test can say which local sockets there were.

One thing is left out, by name: urllib3, which diffusers brings, asks when it is imported whether this computer knows
IPv6, by a socket that it binds to ``::1``, any port, and closes. It speaks to nobody. A guarded process says of itself
that it knows no IPv6, and is not asked.

Processes and their children are guarded by a ``sitecustomize.py`` on ``PYTHONPATH`` (:func:`guarded_environment`).
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import json
import os
import platform
import signal
import socket
import struct
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

JOURNAL: Final = "PARTCRAFT_TEST_INTERNET_JOURNAL"
"""The environment variable that names the file in which guarded processes write what they do."""

_CALLS: Final = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
"""By machine: its number among the kernel's architectures, and the number of ``socket(2)``."""

_ALLOWED: Final = (1, 16)
"""AF_UNIX and AF_NETLINK of Linux."""

_EVENTS: Final = (
    "socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr",
    "socket.sendto", "socket.sendmsg",
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One line of the journal: ``event`` of a process, "guarded" for its first. ``local``: not of the internet."""

    pid: int
    program: str
    event: str
    address: str
    local: bool


@cache
def kernel_can_refuse() -> bool:
    """Whether native code is stopped, too: tried, for some containers let nobody refuse."""
    if not _knows_calls():
        return False
    code = "from tests.internet_guard import _refuse_sockets; _refuse_sockets()"
    repository = Path(__file__).resolve().parent.parent
    command = [sys.executable, "-c", code]
    return not subprocess.run(command, cwd=repository, stderr=subprocess.DEVNULL, check=False).returncode


def _knows_calls() -> bool:
    return sys.platform == "linux" and platform.machine() in _CALLS


def guarded_environment(folder: Path) -> dict[str, str]:
    """The environment in which every Python program guards itself first. ``folder`` is made, for its journal."""
    folder.mkdir(parents=True)
    (folder / "sitecustomize.py").write_text("from tests.internet_guard import guard\nguard()\n")
    repository = Path(__file__).resolve().parent.parent
    path = os.pathsep.join([str(folder), str(repository)])
    return {**os.environ, "PYTHONPATH": path, JOURNAL: str(folder / "journal.jsonl")}


def journal(folder: Path) -> list[Entry]:
    """What all guarded processes wrote, in turn; no file if there was none. Raises ``OSError``."""
    lines = (folder / "journal.jsonl").read_text("utf-8").splitlines()
    return [Entry(**json.loads(line)) for line in lines]


def guard() -> None:
    """From now on, in this process and its children; there is no way back."""
    path = os.environ[JOURNAL]
    socket.has_ipv6 = False
    _write(path, "guarded", "", True)

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _EVENTS:
            address = arguments[-1] if event in ("socket.connect", "socket.bind") else arguments[0]
            _write(path, event, repr(address), isinstance(address, str | bytes) and event[7:] in ("connect", "bind"))

    sys.addaudithook(hear)
    if _knows_calls():
        refused = Path(f"{path}.{os.getpid()}.traceback").open("w")  # noqa: SIM115 - open as long as the process is
        faulthandler.register(signal.SIGSYS, refused, chain=True)
        with contextlib.suppress(OSError):  # where the kernel takes no filter, what Python does is heard all the same
            _refuse_sockets()


def _write(path: str, event: str, address: str, local: bool) -> None:
    entry = Entry(os.getpid(), " ".join(getattr(sys, "orig_argv", sys.argv)[1:])[:200], event, address, local)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(file, json.dumps(vars(entry)).encode() + b"\n")
    os.close(file)


def _refuse_sockets() -> None:
    """Have the kernel send SIGSYS for ``socket(family, ...)`` of other families. Raises ``OSError``."""
    machine, call = _CALLS[platform.machine()]
    load, equal, end = 0x20, 0x15, 0x06  # BPF_LD | BPF_W | BPF_ABS, BPF_JMP | BPF_JEQ | BPF_K, BPF_RET | BPF_K
    allow, trap = 0x7FFF0000, 0x00030000
    families = [(equal, len(_ALLOWED) - at, 0, family) for at, family in enumerate(_ALLOWED)]
    steps = [
        (load, 0, 0, 4),  # seccomp_data.arch
        (equal, 0, len(families) + 4, machine),
        (load, 0, 0, 0),  # seccomp_data.nr
        (equal, 0, len(families) + 2, call),
        (load, 0, 0, 16),  # seccomp_data.args[0], its lower half
        *families,
        (end, 0, 0, trap),
        (end, 0, 0, allow),
    ]
    program = b"".join(struct.pack("HBBI", *step) for step in steps)
    held = ctypes.create_string_buffer(program)
    header = ctypes.create_string_buffer(struct.pack("HP", len(steps), ctypes.addressof(held)))
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value in ((38, 1), (22, 2)):  # PR_SET_NO_NEW_PRIVS; PR_SET_SECCOMP with SECCOMP_MODE_FILTER
        last = ctypes.byref(header) if option == 22 else 0
        if libc.prctl(option, value, last, 0, 0):
            raise OSError(ctypes.get_errno(), "the kernel takes no filter of calls")
