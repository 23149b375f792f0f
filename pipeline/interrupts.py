"""Ctrl-C at any moment: one line on standard error and exit status 130."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

INTERRUPTED = 130  # 128 + SIGINT, as shells count
MESSAGE = "stratagraph: interrupted; the same command goes on from here\n"


@contextmanager
def leaving_at_once(message: str = MESSAGE) -> Iterator[Callable[[], None]]:
    """Let Ctrl-C end the process on the spot, while modules are imported.

    There is nothing to put in order yet, and an exception would not do: raised while a compiled
    module is imported it comes out as an ImportError, or not at all. Where Ctrl-C is ignored
    already (`nohup`, jobs in the background) or means something else, it stays so.

    Parameters
    ----------
    message : str
        What standard error gets then.

    Yields
    ------
    callable
        Makes Ctrl-C raise KeyboardInterrupt again: for when the work begins.
    """
    mine = threading.current_thread() is threading.main_thread()
    if not mine or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield lambda: None
        return

    def leave(_number: int, _frame: Any) -> NoReturn:
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, message.encode())
        os._exit(INTERRUPTED)

    signal.signal(signal.SIGINT, leave)

    def begin() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)

    try:
        yield begin
    finally:
        begin()


def caused_by_interrupt(error: BaseException) -> bool:
    """Whether an error is a Ctrl-C in disguise, as one during a late import may be.

    Examples
    --------
    >>> try:
    ...     try:
    ...         raise KeyboardInterrupt
    ...     except KeyboardInterrupt as stop:
    ...         raise ImportError("initialization failed") from stop
    ... except ImportError as error:
    ...     caused_by_interrupt(error)
    True
    """
    known: set[int] = set()
    behind: BaseException | None = error
    while behind is not None and id(behind) not in known:
        if isinstance(behind, KeyboardInterrupt):
            return True
        known.add(id(behind))
        behind = behind.__cause__ or behind.__context__
    return False
