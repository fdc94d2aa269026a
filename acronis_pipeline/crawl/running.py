"""Coroutines run from plain functions, even where the thread already has an event loop (Dagster, Jupyter)."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run to completion, in a thread of its own if this one has a running loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(main)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, main).result()


def run_within(main: Coroutine[Any, Any, T], deadline_s: float) -> T:
    """Run to completion, or leave it behind in a daemon thread.

    Cancelling alone does not do: a name look-up runs in a thread that asyncio waits for, for as long as it takes.

    Raises
    ------
    TimeoutError
        If it is not done within `deadline_s`.
    """
    outcome: Future[T] = Future()

    def work() -> None:
        try:
            outcome.set_result(asyncio.run(main))
        except BaseException as error:  # handed over whole: the caller raises it
            outcome.set_exception(error)

    threading.Thread(target=work, daemon=True, name="run-within").start()
    return outcome.result(timeout=deadline_s)
