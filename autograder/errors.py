"""Errors that a user reads as a sentence, not as a traceback."""


class UserError(Exception):
    """Something is missing or wrong; the message says what, where, and the remedy.

    The command prints the message, and a notebook shows it as one line without a traceback.
    Every such error in the course is one.
    """

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]

    @property
    def sentences(self) -> tuple[str, ...]:
        """The message, a line each."""
        return tuple(str(self).splitlines())


class SandboxError(UserError):
    """A submission cannot be shut in on this system, or the sandbox ended."""
