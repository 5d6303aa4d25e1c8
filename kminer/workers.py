"""Work in processes of kminer's own that end with it, with results in the order of the tasks."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import Any, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


def default_jobs() -> int:
    """How many processes to use: the processors this process may run on."""
    return len(os.sched_getaffinity(0))


def processes(count: int, begin: Callable[..., None], *arguments: Any) -> ProcessPoolExecutor:
    """`count` processes, each of which runs `begin(*arguments)` first; it should call `follow_parent`."""
    return ProcessPoolExecutor(count, get_context("forkserver"), initializer=begin, initargs=arguments)


def follow_parent() -> None:
    """In a worker: leave Ctrl-C to the main process, and end with it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    main_process = parent_process()
    assert main_process is not None

    def watch() -> None:
        wait([main_process.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def in_order(
    executor: Executor, function: Callable[[Task], Result], tasks: Iterable[Task], ahead: int
) -> Iterator[Result]:
    """Results of `function` on each of `tasks`, in their order; at most `ahead` tasks are taken beforehand."""
    pending: list[Future[Result]] = []
    try:
        for task in tasks:
            pending.append(executor.submit(function, task))
            if len(pending) >= ahead:
                yield pending.pop(0).result()
        while pending:
            yield pending.pop(0).result()
    finally:
        for future in pending:
            future.cancel()
