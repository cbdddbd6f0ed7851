"""Holds threads to a share of a processor, so that what takes several has room beside the generator."""
import contextlib
import pathlib

GROUPS = pathlib.Path("/sys/fs/cgroup/cpu")  # control groups of version 1: they take single threads
PERIOD_US = 20_000
SHARE = 0.25


def available():
    try:
        with threads_held([]):
            return True
    except OSError:
        return False


def reactors_of(pids):
    for pid in pids:
        for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
            if (thread / "comm").read_text().startswith("reactor-"):
                yield int(thread.name)


@contextlib.contextmanager
def threads_held(threads):
    """Each of them gets SHARE of a core and no more."""
    groups = []
    try:
        for number, thread in enumerate([*threads, None]):
            group = GROUPS / f"moonwire-bench-{number}"
            group.mkdir(exist_ok=True)
            groups.append(group)
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(int(PERIOD_US * SHARE)))
            if thread:
                (group / "tasks").write_text(str(thread))
        yield
    finally:
        for thread in threads:
            with contextlib.suppress(OSError):
                (GROUPS / "tasks").write_text(str(thread))
        for group in groups:
            with contextlib.suppress(OSError):
                group.rmdir()
