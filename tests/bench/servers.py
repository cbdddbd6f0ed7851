"""Who is measured, and how a server is started, held to its core and ended."""
import contextlib
import ctypes
import os
import pathlib
import random
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build"
BENCH = BUILD / "bench"
LOAD = BUILD / "tests/bench/load"
FLOOR = BUILD / "tests/bench/floor"
MOONWIRE = pathlib.Path(os.environ.get("MOONWIRE_BINARY", BUILD / "moonwire"))
APP = ROOT / "tests/bench/app"
START_SECONDS = 60  # Java on a busy machine
STOP_SECONDS = 5

# The server has the first core and the generator the second, so that neither takes the other's time.
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE = CORES[0]
LOAD_CORE = CORES[1 % len(CORES)]
# A second reactor has a core of its own where there is one, else it shares the generator's.
SECOND_CORE = CORES[2 % len(CORES)] if len(CORES) > 2 else LOAD_CORE


class Failed(Exception):
    """Why a run has no figures, in a line."""


class Unsupported(Failed):
    """The server can't do it and says so."""


class Floor:
    key = name = "floor"
    version = "bare epoll, hard-coded protocol"
    cores = {SERVER_CORE}

    def prepare(self):
        return None if FLOOR.exists() else "not built"

    def does(self, scenario):
        return scenario.floor

    def command(self, port, tls=None, deflate=False):
        return [FLOOR, "--port", str(port)]


class Moonwire:
    def __init__(self, threads=1):
        self.threads = threads
        self.name = "moonwire" if threads == 1 else f"moonwire x{threads}"
        self.key = self.name.replace(" ", "-")
        self.version = ""
        self.cores = {SERVER_CORE} if threads == 1 else {SERVER_CORE, SECOND_CORE}

    def prepare(self):
        if not MOONWIRE.exists():
            return "not built"
        commit = said("git", "-C", ROOT, "describe", "--always", "--dirty", "--exclude=*")
        self.version = said(MOONWIRE, "--version") + (f", commit {commit}" if commit else "")
        return None

    def does(self, scenario):
        return self.threads == 1 or scenario.two_reactors

    def command(self, port, tls=None, deflate=False):
        settings = {"server.host": "127.0.0.1", "server.drain_seconds": 1}
        if tls:
            settings |= {"server.plain": "false", "server.tls.host": "127.0.0.1",
                         "server.tls.port": port, "server.tls.certificate": tls[0],
                         "server.tls.key": tls[1]}
        if deflate:
            settings["engine.deflate"] = "true"
        return [MOONWIRE, "run", APP, "--port", str(port), "--threads", str(self.threads),
                "--watch=false", *(part for key, value in settings.items()
                                   for part in ("--set", f"{key}={value}"))]


class Peer:
    """One of peers/peers.py."""
    cores = {SERVER_CORE}

    def __init__(self, peer):
        self.peer = peer
        self.key = peer.id
        self.name = self.version = peer.name  # which ends with its version

    def prepare(self):
        return self.peer.prepare(BUILD)

    def does(self, scenario):
        return True

    def command(self, port, tls=None, deflate=False):
        return self.peer.command(BUILD, port, tls=tls, deflate=deflate, threads=1)


def one_line(text):
    """The last line that says something: where a program's reason is."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""


def said(*command):
    """What it printed; nothing if it can't be run or failed."""
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return ""
    return one_line(done.stdout) if done.returncode == 0 else ""


def free_port():
    """Below the range that the system gives to clients, or the generator's would take it."""
    while True:
        port = random.randrange(15000, 32000)
        with socket.socket() as probe:
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


def start(command, cores, **options):
    """A process in a group of its own, on these cores, which does not outlive this one."""
    libc = ctypes.CDLL(None)

    def in_child():
        libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        os.sched_setaffinity(0, cores)

    try:
        return subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL,
                                start_new_session=True, preexec_fn=in_child, **options)
    except OSError as error:
        raise Failed(f"can't be started: {error.strerror}") from None


def end(process, patience=STOP_SECONDS):
    """Ends its group; what does not go by itself in time is killed."""
    for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            # Its children, if any are left: their parent no longer waits for them.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            return


def group(pid):
    """The processes of a group."""
    pids = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[2]) == pid and fields[0] != "Z":
                    pids.append(int(entry.name))
    return sorted(pids)


class Running:
    """A server that accepts; ended at the end of the `with`."""

    def __init__(self, server, log, folder, tls=None, deflate=False):
        self.port = free_port()
        self.log = log
        # Variables of the surroundings must not reach the server's settings; its control socket
        # goes with the folder.
        kept = {k: v for k, v in os.environ.items() if not k.startswith("MOONWIRE_")}
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as out:
            self.process = start(server.command(self.port, tls, deflate), server.cores, stdout=out,
                                 stderr=subprocess.STDOUT, cwd=folder,
                                 env={**kept, "XDG_RUNTIME_DIR": str(folder), "NODE_ENV": "production"})
        try:
            self._await_listening()
        except BaseException:
            end(self.process)
            raise
        self.pids = group(self.process.pid)

    def _await_listening(self):
        deadline = time.monotonic() + START_SECONDS
        while "listening" not in self.log.read_text(errors="replace"):
            if self.process.poll() is not None:
                said = one_line(self.log.read_text(errors="replace"))
                if self.process.returncode == 3:
                    raise Unsupported(said or "unsupported")
                raise Failed(f"did not start, exit code {self.process.returncode}: {said}")
            if time.monotonic() > deadline:
                raise Failed(f"did not listen within {START_SECONDS} s")
            time.sleep(0.02)

    def died(self, patience=0):
        """How, if it did; clients may notice before its end is complete."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(patience)
        if self.process.returncode is None:
            return None
        said = one_line(self.log.read_text(errors="replace"))
        return f"the server ended with code {self.process.returncode}: {said}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)
