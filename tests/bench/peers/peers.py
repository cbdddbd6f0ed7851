"""The peer servers of the benchmark: what they are called, how they are built and started.

`build_dir` is the repository's build folder; a peer lives in bench/ID below it, and what building
it printed is in bench/ID.log. ./check tells whether each does what the benchmark asks.
"""
import dataclasses
import hashlib
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
BUILD_SECONDS = 1800  # a first build fetches and compiles everything that the library needs


@dataclasses.dataclass(frozen=True)
class Peer:
    """In steps and commands {src} is the peer's folder here and {out} where it is built."""
    id: str           # its folder's name
    title: str        # {} is its version
    version: tuple    # a file that pins it, and the pattern of the version there
    tools: tuple      # that must be on the PATH
    steps: tuple      # commands that build it
    argv: tuple       # starts it
    tls: bool = True
    deflate: bool = True

    @property
    def source(self):
        return HERE / self.id

    @property
    def name(self):
        file, pattern = self.version
        return self.title.format(re.search(pattern, (self.source / file).read_text())[1])

    def prepare(self, build_dir):
        """Builds it if it isn't yet; None, or in a line why it can't be had here."""
        missing = [tool for tool in self.tools if not shutil.which(tool)]
        if missing:
            return f"there is no {' and no '.join(missing)} here"
        out = self._out(build_dir)
        stamp = out / "stamp"
        digest = self._digest()
        if stamp.exists() and stamp.read_text() == digest:
            return None
        out.mkdir(parents=True, exist_ok=True)
        stamp.unlink(missing_ok=True)
        log = out.with_suffix(".log")
        with log.open("w") as output:
            for step in self.steps:
                command = self._fill(step, out)
                try:
                    code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output,
                                          stderr=output, cwd=self.source,
                                          timeout=BUILD_SECONDS).returncode
                except subprocess.TimeoutExpired:
                    code = "none in time"
                if code != 0:
                    program, verb = [word for word in command if word not in ("env", "nice")
                                     and "=" not in word][:2]
                    return (f"{pathlib.Path(program).name} {verb} failed (exit code {code}), "
                            f"see bench/{log.name}")
        stamp.write_text(digest)
        return None

    def command(self, build_dir, port, tls=None, deflate=False, threads=1):
        """What starts it; tls is (certificate, key)."""
        return [*self._fill(self.argv, self._out(build_dir)), "--port", str(port),
                *(["--tls", *map(str, tls)] if tls else []),
                *(["--deflate"] if deflate else []), "--threads", str(threads)]

    def _out(self, build_dir):
        return pathlib.Path(build_dir).resolve() / "bench" / self.id

    def _fill(self, words, out):
        return [word.format(src=self.source, out=out, python=sys.executable) for word in words]

    def _digest(self):
        """Of all that is built, and how."""
        digest = hashlib.sha256(repr((self.steps, sys.version)).encode())
        for path in sorted(self.source.rglob("*")):
            if path.is_file():
                digest.update(str(path.relative_to(self.source)).encode() + path.read_bytes())
        return digest.hexdigest()


PEERS = [
    Peer(
        id="node", title="socket.io {} (Node)",
        version=("package-lock.json", r'"node_modules/socket.io": \{\s*"version": "([^"]+)"'),
        tools=("node", "npm"),
        steps=(
            ("cp", "{src}/package.json", "{src}/package-lock.json", "{src}/.npmrc", "{out}"),
            ("nice", "npm", "ci", "--prefix", "{out}"),
        ),
        argv=("env", "NODE_ENV=production", "NODE_PATH={out}/node_modules",
              "node", "{src}/server.js"),
    ),
    Peer(
        id="python", title="python-socketio {}",
        version=("requirements.txt", r"python-socketio==(\S+)"),
        tools=(),
        steps=(
            ("{python}", "-m", "venv", "--clear", "{out}/venv"),
            ("nice", "{out}/venv/bin/pip", "install", "-q", "--disable-pip-version-check",
             "-r", "{src}/requirements.txt"),
        ),
        argv=("{out}/venv/bin/python", "{src}/server.py"),
    ),
    Peer(
        id="rust", title="socketioxide {} (Rust)",
        version=("Cargo.toml", r'socketioxide = .*"=([^"]+)"'),
        tools=("cargo",),
        steps=(("env", "CARGO_TARGET_DIR={out}/target", "nice",
                "cargo", "build", "--release", "--locked", "--quiet"),),
        argv=("{out}/target/release/peer",),
        deflate=False,
    ),
    Peer(
        id="go", title="zishang520/socket.io {} (Go)",
        version=("go.mod", r"socket\.io/servers/socket/v3 v(\S+)"),
        tools=("go",),
        steps=(("nice", "go", "build", "-trimpath", "-o", "{out}/peer", "."),),
        argv=("{out}/peer",),
    ),
    # netty-socketio (Java) is not here. 2.0.12 to 2.0.14 state no maxPayload and left some of 200
    # echoes, sent at once by polling, without an answer; 2.0.14 connected no client over TLS.
]
