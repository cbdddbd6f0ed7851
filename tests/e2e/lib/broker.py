"""A broker of one's own, as lib/broker.js has it."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
APPS = ROOT / "scripts"
BINARY = os.environ.get("MOONWIRE_BINARY", str(ROOT / "build/moonwire"))
DEADLINE = float(os.environ.get("MOONWIRE_TEST_DEADLINE_MS", 20000)) / 1000
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:")


def until(probe, what):
    """The first value of `probe` that is not falsy, within the deadline."""
    end = time.monotonic() + DEADLINE
    while not (value := probe()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {DEADLINE} s: {what}")
        time.sleep(0.005)
    return value


class Broker:
    def __init__(self, scripts=None, app="", port=0, **settings):
        """Over a copy of tests/e2e/scripts/<scripts>, or of the repository's app of that name."""
        self.folder = tempfile.mkdtemp(prefix="moonwire-e2e-")
        original = APPS if app and not scripts else HERE.parent / "scripts" / (scripts or "echo")
        shutil.copytree(original, self.folder, dirs_exist_ok=True)
        command = [BINARY, "run", os.path.join(self.folder, app), "--port", str(port), "--set", "server.host=127.0.0.1",
                   "--set", "server.drain_seconds=1", "--set", "limits.handler_ms=10000"]
        for key, value in settings.items():
            command += ["--set", f"{key.replace('__', '.')}={value}"]
        env = {k: v for k, v in os.environ.items() if not k.startswith("MOONWIRE_")}
        env["XDG_RUNTIME_DIR"] = env["XDG_STATE_HOME"] = self.folder  # control socket, store
        self.process = subprocess.Popen(
            command, env=env, cwd=self.folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.stdout, self.stderr = [], []
        self.readers = [
            threading.Thread(target=lambda: self.stdout.extend(self.process.stdout), daemon=True),
            threading.Thread(target=self._read_log, daemon=True),
        ]
        for reader in self.readers:
            reader.start()
        try:
            until(lambda: self.stdout or self.process.poll() is not None, "the listening line")
            first = self.stdout[0].strip() if self.stdout else ""
            match = re.match(r"listening on (https?://\S+:(\d+))$", first)
            if not match:
                raise AssertionError(f"broker did not start: {self.log()}")
        except BaseException:
            self.discard()
            raise
        self.url, self.port = match[1], int(match[2])

    def _read_log(self):
        for line in self.process.stderr:
            self.stderr.append(line)

    def log(self):
        return "".join(self.stderr)

    def discard(self):
        self.process.kill()
        self.process.wait()
        for reader in self.readers:
            reader.join()
        self.process.stdout.close()
        self.process.stderr.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self):
        """Ends the broker and judges how it lived."""
        try:
            self.process.send_signal(signal.SIGTERM)
            code = self.process.wait(DEADLINE)
        finally:
            self.discard()
        assert code == 0, f"exit code {code}; log:\n{self.log()}"
        assert not SANITIZER.search(self.log()), self.log()
        errors = [line for line in self.stderr if re.match(r"\S+ error ", line)]
        assert not errors, "".join(errors)
