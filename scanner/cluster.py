"""The audit on the workers of a Dask cluster: the same tasks on many machines, the store written by the client alone.

A task is a repository: a worker fetches it into a cache folder of its own machine, scans it
with what the store knows of it along, and sends back what was learned, without secrets. A
task that is done twice brings the same twice. Tokens are those of the worker's environment.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

from scanner.audit import Audit, Settings, Watch
from scanner.clones import Cache
from scanner.errors import ScanError, UsageError
from scanner.model import RuleSet
from scanner.order import Order
from scanner.pipeline import sight
from scanner.rules import load_builtin
from scanner.sources.organisation import Remote
from scanner.store import Store
from scanner.store.carried import Snapshot
from scanner.visit import Fetched, Outcome, examine, fetch

AHEAD = 3
"""Tasks that are given out for each thread of the cluster."""


_POLL = 0.02  # seconds
_RETURN = 120.0
"""Seconds in which a scheduler that went away has to be back."""


class Job(NamedTuple):
    """`rules` is None where they are the built-in ones, which the worker has; their digest tells whether it has the same."""

    remote: Remote
    known: bytes | None
    snapshot: Snapshot
    rules: RuleSet | None
    digest: str
    folder: str
    size: int | None
    timeout: float
    excluded: Callable[[str], bool] | None
    kin: tuple[str, ...] = ()


_kept = threading.local()  # a thread of a worker looks at many repositories under one set of rules


def work(job: Job) -> tuple[Fetched, Outcome | None]:
    """Fetch and scan one repository, on a worker."""
    rules = job.rules or load_builtin()
    if rules.digest != job.digest:
        return Fetched(None, problem="the worker has another version of Keyleash than the client; install the same"), None
    try:
        cache = Cache(job.folder, job.size, timeout=job.timeout)
        if getattr(_kept, "digest", "") != job.digest:
            _kept.sight, _kept.digest = sight(rules)(), job.digest
        fetched = fetch(cache, job.remote, job.known, job.kin)
        if fetched.path is None:
            return fetched, None
        with nullcontext() if job.remote.local else cache.held(job.remote.name):  # another worker here may want room
            outcome = examine(fetched.path, job.snapshot, _kept.sight, job.excluded)
        cache.evict(lambda path: path == fetched.path, fetched.path)
    except ScanError as problem:
        return Fetched(None, problem=str(problem)), None
    return fetched._replace(sample=frozenset()), outcome


class Distributed(Audit):
    """An audit whose tasks run on a cluster. Raises `UsageError` where there is none at `address`."""

    def __init__(self, store: Store, settings: Settings, watch: Watch, address: str) -> None:
        super().__init__(store, settings, watch)
        if not re.fullmatch(r"[a-z]+://[^\s/]+:[0-9]{1,5}", address):
            raise UsageError(f"--cluster {address}: write the address of a scheduler, as tcp://HOST:8786")
        self._address = address
        self._rules = None if settings.rules.digest == load_builtin().digest else settings.rules
        self._client = self._connected(5.0)
        if self._client is None:
            raise UsageError(f"--cluster {address}: no scheduler answers there; start one with  dask scheduler")

    def run(self, remotes: Sequence[Remote]) -> Any:
        """Audit the repositories, big ones first; a scheduler that restarts is waited for and given the rest anew."""
        left = {remote.name: remote for remote in sorted(remotes, key=lambda one: -one.size)}
        while left:
            try:
                self._round(left)
            except _Disconnected:
                self._watch.say(f"{self._address}: the scheduler is gone; waiting for it to come back")
                self._client = self._connected(_RETURN)
                if self._client is None:
                    for remote in list(left.values()):
                        self.failed(remote, f"the scheduler at {self._address} went away and did not come back")
                    left.clear()
        if self._client:
            self._client.close()
        return self.tally

    def _round(self, left: dict[str, Remote]) -> None:
        """Give out what is left, a few tasks a thread at a time, and take off what is done."""
        self._order = waiting = Order(left.values())
        futures: dict[Any, Remote] = {}
        while waiting or futures:
            while waiting and len(futures) < AHEAD * self._threads():
                remote = waiting.take()
                futures[self._submit(remote)] = remote
            done = [future for future in futures if future.done()]
            for future in done:
                remote = futures[future]
                self._take_future(remote, future)
                del futures[future], left[remote.name]
            if not done:
                self._check()
                time.sleep(_POLL)

    def _check(self) -> None:
        if self._client is None or self._client.status != "running":
            raise _Disconnected

    def _submit(self, remote: Remote) -> Any:
        self._watch.begin(remote.name)
        settings = self._settings
        job = Job(remote, self.known(remote), self.snapshot(remote), self._rules, settings.rules.digest, settings.cache.folder,
                  settings.cache.size, settings.cache.timeout, settings.excluded, self._order.kin(remote))  # fmt: skip
        assert self._client is not None
        return self._client.submit(work, job, pure=False, priority=remote.size, retries=0)

    def _take_future(self, remote: Remote, future: Any) -> None:
        from distributed import KilledWorker

        if future.status == "lost" or future.cancelled():
            raise _Disconnected
        try:
            fetched, outcome = future.result()
        except KilledWorker:
            self.failed(remote, "one worker after the other died of it; perhaps it needs more memory")
            return
        except Exception as problem:
            self._check()
            self.failed(remote, f"its worker failed: {type(problem).__name__}")
            return
        finally:
            future.release()
        for line in fetched.said:
            self._watch.say(line)
        if fetched.problem:
            self.not_fetched(remote, fetched)
        elif outcome is None:
            self.unchanged(remote)
        else:
            self.scanned(remote, outcome, fetched.digest)

    def _threads(self) -> int:
        assert self._client is not None
        try:
            return max(1, sum(map(int, self._client.nthreads().values())))
        except Exception as problem:
            raise _Disconnected from problem

    def _connected(self, seconds: float) -> Any:
        try:
            import distributed
        except ImportError:
            raise UsageError("--cluster needs dask.distributed; install it with  pip install 'keyleash[cluster]'") from None
        for name in ("distributed", "tornado", "asyncio"):  # what they say of a try that fails is said here in one line
            logging.getLogger(name).setLevel(logging.CRITICAL)
        connect: Any = distributed.Client
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                return connect(self._address, timeout=min(10.0, seconds), set_as_default=False)
            except (OSError, ValueError, TimeoutError):
                time.sleep(1.0)
        return None


class _Disconnected(Exception):
    """The scheduler does not answer any more."""
