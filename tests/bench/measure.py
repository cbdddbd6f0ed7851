"""One measurement: a fresh server, `load` against it, and the figures or why there are none."""
import contextlib
import json
import os
import pathlib
import platform
import resource
import subprocess
import tempfile

from servers import BENCH, LOAD, LOAD_CORE, CORES, Failed, Running, Unsupported, end, one_line, start

# Connecting thousands of clients to a slow server takes a while.
PATIENCE_SECONDS = 180
OPEN_FILES = 32768


def raise_open_files():
    """Both sides of 15 000 connections need that many; as far as this user may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in ((OPEN_FILES, max(OPEN_FILES, hard)), (hard, hard)):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, limit)
            return


def machine():
    def proc(file, name):
        return next((line.partition(":")[2].strip() for line in
                     pathlib.Path("/proc", file).read_text().splitlines() if line.startswith(name)), "")

    cpu = proc("cpuinfo", "model name") or platform.machine()
    memory_kb = int(proc("meminfo", "MemTotal").split()[0])
    return {"cpu": cpu, "cores": len(CORES), "memory_gb": round(memory_kb / 1e6),
            "kernel": f"{platform.system()} {platform.release()}", "load_average": os.getloadavg()[0]}


class Bench:
    """Holds what runs share: a folder for sockets and certificates, and how long a window is."""

    def __init__(self, seconds, warmup):
        self.seconds, self.warmup = seconds, warmup
        self._folder = tempfile.TemporaryDirectory(prefix="moonwire-bench-")
        self.folder = pathlib.Path(self._folder.name)
        self._certificate = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._folder.cleanup()

    def certificate(self):
        if not self._certificate:
            self._certificate = (self.folder / "bench.pem", self.folder / "bench.key")
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                 "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                 "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", self._certificate[1],
                 "-out", self._certificate[0]], check=True, capture_output=True)
        return self._certificate

    def serve(self, server, label, tls=False, deflate=False):
        log = BENCH / "logs" / f"{label}-{server.key}.log"
        return Running(server, log, self.folder, self.certificate() if tls else None, deflate)

    def load(self, running, arguments):
        """`load`'s figures. Raises Failed."""
        command = [LOAD, *arguments, "--port", running.port, "--seconds", self.seconds,
                   "--warmup", self.warmup, *(part for pid in running.pids for part in ("--pid", pid))]
        process = start(command, {LOAD_CORE}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        patience = self.seconds + self.warmup + PATIENCE_SECONDS
        try:
            out, err = process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            raise Failed(running.died() or f"did not end within {patience:.0f} s") from None
        finally:
            end(process)
        if dead := running.died(patience=0 if process.returncode == 0 else 0.5):
            raise Failed(dead)
        if process.returncode != 0:
            raise Failed(one_line(err) or f"load ended with code {process.returncode}")
        try:
            figures = json.loads(out)
        except ValueError:
            raise Failed(f"load printed no JSON: {one_line(out)}") from None
        if figures["seconds"] <= 0 or figures.get("sent") == 0:
            raise Failed("the generator got no time within its window")
        return figures

    def once(self, server, label, arguments, tls=False, deflate=False):
        """The figures of a fresh server, or {"failed": why} or {"unsupported": why}."""
        try:
            with self.serve(server, label, tls, deflate) as running:
                return self.load(running, arguments)
        except Unsupported as reason:
            return {"unsupported": str(reason)}
        except Failed as reason:
            return {"failed": str(reason)}


ENOUGH = 0.97  # of what is offered; less within the window, and a queue grows


def share_delivered(figures):
    """What arrived within the window, of what was offered; more than 1 if it was late before."""
    offered = figures.get("expected", 0) / figures["seconds"]
    return figures["delivered_per_s"] / offered if offered else 1


def judge(figures):
    """("ok", ""), or what was too much at the offered rate, and in a few words why.

    "slow": the server could not keep up. "late": the generator sent late, so that latencies are not
    the server's; the cost is."""
    expected, lost = figures.get("expected") or 0, figures.get("lost") or 0
    share = share_delivered(figures)
    if share < ENOUGH:
        return "slow", f"too slow: delivered {100 * share:.0f} % of the rate"
    if lost > expected / 100:
        return "slow", f"too slow: {100 * lost / expected:.0f} % not delivered"
    if (figures.get("p99_ms") or 0) > 1000:
        return "slow", f"too slow: p99 {figures['p99_ms'] / 1000:.1f} s"
    if figures.get("saturated"):
        return "late", "the generator sent late"
    return "ok", ""
