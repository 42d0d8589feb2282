"""What a student's notebook does not have to show: red boxes that tell nothing."""

import sys
import traceback
import warnings
from functools import partialmethod
from importlib.util import find_spec
from types import TracebackType
from typing import Any

NO_WIDGETS = "IProgress not found"  # how tqdm's warning begins


def mind(shell: Any) -> None:
    """Mind the manners of a notebook, in an IPython shell.

    A function that is not written yet ends its cell with a line and not with a traceback. Without
    ipywidgets, progress bars are text on standard output, which front ends do not colour red.
    """
    shell.set_custom_exc((NotImplementedError,), _not_written)
    if find_spec("ipywidgets") is None:
        warnings.filterwarnings("ignore", NO_WIDGETS)
        from tqdm import tqdm

        tqdm.__init__ = partialmethod(tqdm.__init__, file=sys.stdout)


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
