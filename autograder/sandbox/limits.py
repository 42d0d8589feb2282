"""How much a submission may use."""

from traitlets import Integer
from traitlets.config import Configurable

MiB = 2**20


class Limits(Configurable):
    """What one submission may use, set in nbgrader_config.py: `c.Limits.memory = 2 * 2**30`.

    Seconds a cell may run are `c.Execute.timeout`, as in nbgrader.
    """

    memory = Integer(4096 * MiB, help="bytes, of all its processes together").tag(config=True)
    processes = Integer(128, help="processes and threads").tag(config=True)
    open_files = Integer(512, help="open files of a process").tag(config=True)
    file_size = Integer(256 * MiB, help="bytes of one file").tag(config=True)
    scratch = Integer(512 * MiB, help="bytes of all files, in memory").tag(config=True)
    files = Integer(20_000, help="files and folders").tag(config=True)
    cpu_seconds = Integer(600, help="seconds of processor time of a process").tag(config=True)
    seconds = Integer(600, help="seconds a submission may take").tag(config=True)
    outputs = Integer(32 * MiB, help="bytes all cells may display, and as many of evidence").tag(
        config=True
    )
    output = Integer(32 * MiB, help="bytes a cell may display, evidence included").tag(config=True)

    @property
    def beside(self) -> tuple[int, int]:
        """How many bytes, and how many files, may lie beside a notebook."""
        return self.scratch // 2, self.files // 2

    def as_dict(self) -> dict[str, int]:
        """Return the limits by name."""
        return {name: getattr(self, name) for name in self.class_trait_names(config=True)}
