"""Steps of the way up that run beside each other, each with its time."""

import time
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor
from concurrent.futures import wait as futures_wait
from typing import Any


class Phases:
    """Start phases with `begin`; `wait` gives a phase's result, or raises what it raised."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._pool = ThreadPoolExecutor(max_workers=16)

    def begin(self, title: str, work: Callable[..., Any], *arguments: Any) -> Future:
        return self._pool.submit(self._run, title, work, *arguments)

    def run(self, title: str, work: Callable[..., Any], *arguments: Any) -> Any:
        return self._run(title, work, *arguments)

    def _run(self, title: str, work: Callable[..., Any], *arguments: Any) -> Any:
        began = time.monotonic()
        result = work(*arguments)
        now = time.monotonic()
        if title:
            print(f"  {now - self._start:5.1f} s  {title} ({now - began:.1f} s)", flush=True)
        return result

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start


def wait(*futures: Future) -> list[Any]:
    """Results in order. The first failure is raised at once, without waiting for the others."""
    done, _ = futures_wait(futures, return_when=FIRST_EXCEPTION)
    for future in done:
        future.result()
    return [future.result() for future in futures]
