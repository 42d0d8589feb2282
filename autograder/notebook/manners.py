"""How a notebook behaves: no red boxes that tell nothing, and short loops for who tries it out."""

import os
import sys
import traceback
import warnings
from functools import partialmethod
from importlib.util import find_spec
from types import TracebackType
from typing import Any

NO_WIDGETS = "IProgress not found"  # how tqdm's warning begins
SHORT = "GRADIENT_CHECK_SHORT"  # 10: loops with a progress bar take a tenth of their steps


def mind(shell: Any) -> None:
    """Mind the manners of a notebook, in an IPython shell.

    A function that is not written yet ends its cell with a line and not with a traceback. Without
    ipywidgets, progress bars are text on standard output, which front ends do not colour red. Where
    the environment says how much shorter (SHORT), loops with a progress bar are.
    """
    shell.set_custom_exc((NotImplementedError,), _not_written)
    if find_spec("ipywidgets") is None:
        warnings.filterwarnings("ignore", NO_WIDGETS)
        from tqdm import tqdm

        tqdm.__init__ = partialmethod(tqdm.__init__, file=sys.stdout)
    if (times := os.environ.get(SHORT, "")).isdigit() and int(times) > 0:
        shorten(int(times))


def shorten(times: int) -> None:
    """Let progress bars over a range, or of epochs, end `times` times sooner."""
    from tqdm import tqdm

    begin = tqdm.__init__

    def begin_shorter(bar: Any, iterable: Any = None, *rest: Any, **options: Any) -> None:
        if isinstance(iterable, range) and not options.get("disable"):
            iterable = iterable[: -(-len(iterable) // times)]
        if options.get("unit") == "epoch" and options.get("total"):  # whose loop asks bar.total
            options["total"] = -(-options["total"] // times)
        begin(bar, iterable, *rest, **options)

    tqdm.__init__ = begin_shorter


def _not_written(
    shell: Any, kind: type, error: NotImplementedError, trace: TracebackType, tb_offset: Any = None
) -> None:
    """Say which function is not written yet; an error from elsewhere keeps its traceback."""
    *_, (last, _) = traceback.walk_tb(trace)
    if str(error) or last.f_globals is not shell.user_ns or last.f_code.co_name == "<module>":
        shell.showtraceback((kind, error, error.__traceback__), tb_offset=tb_offset)
    else:
        name = last.f_code.co_qualname
        print(f"{name} is not written yet. Write it, run its cell and then this one again.")
