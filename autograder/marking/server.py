"""Serves the pages for marking, to this machine and to nobody without the token."""

import asyncio
import hmac
import json
import secrets
import webbrowser
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from socket import SO_REUSEADDR, SOL_SOCKET
from socket import socket as Socket
from typing import Any, TypeVar

from tornado.httpserver import HTTPServer
from tornado.web import Application, HTTPError, RequestHandler

from autograder.errors import UserError
from autograder.grading.marks import OutOfDate
from autograder.marking.desk import Desk

HOST = "127.0.0.1"
LAST_PORT = 65_535
LARGEST = 2**20  # bytes of a request
POLICY = (  # nothing runs but the page's own script, nothing is fetched but from here
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
    "style-src-attr 'unsafe-inline'; img-src data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

Result = TypeVar("Result")


class PortTaken(UserError):
    """The server cannot listen where it was told to."""


class Handler(RequestHandler):
    """Answers whoever has the token, at the server's own address."""

    desk: Desk
    token: str
    worker: ThreadPoolExecutor

    def initialize(self, desk: Desk, token: str, worker: ThreadPoolExecutor) -> None:
        """Take what all handlers of a server share: one thread uses the gradebook."""
        self.desk, self.token, self.worker = desk, token, worker

    def set_default_headers(self) -> None:
        """Let no browser keep a page, guess what it is, run what is in it, or say where it was."""
        self.nonce = secrets.token_urlsafe(16)
        self.set_header("Content-Security-Policy", POLICY.format(nonce=self.nonce))
        self.set_header("Cache-Control", "no-store")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")
        self.set_header("Cross-Origin-Opener-Policy", "same-origin")

    def prepare(self) -> None:
        """Refuse a request of another page: by its Host, its Origin, or for want of the token."""
        port = self.request.connection.stream.socket.getsockname()[1]  # ty: ignore[missing-attribute]
        places = {f"{name}:{port}" for name in (HOST, "localhost")}
        origin = self.request.headers.get("Origin")
        if self.request.host not in places or origin not in {None, f"http://{self.request.host}"}:
            raise HTTPError(403, reason="Open the address that the terminal shows")
        given = self.request.headers.get("X-Token") if self.request.method == "POST" else (
            self.get_query_argument("token", ""))  # fmt: skip
        if not hmac.compare_digest((given or "").encode(), self.token.encode()):
            raise HTTPError(403, reason="Open the whole address that the terminal shows")

    def check_xsrf_cookie(self) -> None:
        """Need no cookie: a POST carries the token in a header that no other page can set."""

    def write_error(self, status_code: int, **about: Any) -> None:
        """Answer with one sentence."""
        error = about.get("exc_info", (None, None, None))[1]
        said = str(error) if isinstance(error, UserError) else f"{status_code}: {self._reason}."
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(said)

    async def off_the_loop(self, work: Callable[[], Result]) -> Result:
        """Do what reads files or waits for the gradebook."""
        return await asyncio.get_running_loop().run_in_executor(self.worker, work)

    def question(self, name: str) -> str:
        """Return the name of a question. Raises HTTPError if there is none of that name."""
        if name not in self.desk.questions:
            raise HTTPError(404, reason="There is no such question")
        return name


class Start(Handler):
    """The page that lists the questions."""

    async def get(self) -> None:  # ty: ignore[incompatible-mutable-override]
        """Show it."""
        show = partial(self.desk.start, self.token, self.nonce)
        self.finish(await self.off_the_loop(show))


class OfQuestion(Handler):
    """The page of a question, and where it saves marks."""

    async def get(self, name: str) -> None:  # ty: ignore[incompatible-mutable-override]
        """Show it."""
        name, named = self.question(name), self.get_query_argument("names", "") == "1"
        show = partial(self.desk.page, name, named, self.token, self.nonce)
        self.finish(await self.off_the_loop(show))

    async def post(self, name: str) -> None:  # ty: ignore[incompatible-mutable-override]
        """Save marks. Answers with the state of the question; 409 if the page is out of date."""
        name = self.question(name)
        try:
            asked = json.loads(self.request.body)
            asked["answers"]
        except (ValueError, TypeError, KeyError):
            raise HTTPError(400, reason="This is no mark") from None
        try:
            self.finish(await self.off_the_loop(partial(self.desk.save, name, asked)))
        except OutOfDate as error:
            self.set_status(409)
            now = await self.off_the_loop(partial(self.desk.state, name))
            self.finish({**now, "error": str(error)})
        except UserError as error:
            self.set_status(400)
            self.finish({"error": str(error)})


def application(desk: Desk, token: str, worker: ThreadPoolExecutor) -> Application:
    """Return the pages for marking at one desk."""
    shared = {"desk": desk, "token": token, "worker": worker}
    return Application(
        [(r"/", Start, shared), (r"/question/([^/]+)", OfQuestion, shared)],
        default_handler_class=Nothing, default_handler_args=shared, log_function=lambda _: None,
    )  # fmt: skip


class Nothing(Handler):
    """Whatever is not there."""

    async def get(self) -> None:  # ty: ignore[incompatible-mutable-override]
        """Say so."""
        raise HTTPError(404, reason="There is no such page")


async def serve(
    desk: Desk, port: int = 0, ready: Callable[[str], object] = webbrowser.open
) -> None:
    """Serve until cancelled. `ready` is called with the address, which holds the token.

    Port 0 is any free one. Raises PortTaken, and CourseError if there is nothing to mark.
    """
    token = secrets.token_urlsafe(24)
    assert desk.questions is not None  # or the reason is said before there is an address
    socket = _listen(port)
    with ThreadPoolExecutor(1) as worker:
        server = HTTPServer(application(desk, token, worker), max_buffer_size=LARGEST)
        server.add_sockets([socket])
        try:
            ready(f"http://{HOST}:{socket.getsockname()[1]}/?token={token}")
            await asyncio.Event().wait()
        finally:
            server.stop()
            await server.close_all_connections()


def _listen(port: int) -> Socket:
    if not 0 <= port <= LAST_PORT:
        raise PortTaken(f"port {port}: ports are 0 to {LAST_PORT}; name another one with --port.")
    found = Socket()
    try:
        found.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        found.bind((HOST, port))
        found.listen()
    except OSError as error:
        found.close()  # tornado's own `bind_sockets` leaves it open
        raise PortTaken(f"port {port}: {error.strerror}; name another one with --port.") from None
    found.setblocking(False)
    return found
