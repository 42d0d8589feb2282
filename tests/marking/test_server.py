"""Who may ask the server, what it answers, and marking with the keyboard."""

import asyncio
import json
import re
import threading
from contextlib import contextmanager, suppress
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest

from autograder.grading import marks
from autograder.grading.marks import Mark
from autograder.marking.desk import Desk
from autograder.marking.server import PortTaken, serve
from tests import lab
from tests.marking.test_desk import state_of
from tests.marking.test_questions import asked, handed_in

HOSTILE = "<script>document.title = 'taken'</script><img src=x onerror=\"document.title='taken'\">"


@contextmanager
def served(desk):
    """Serve a desk in a thread. Yields the address."""
    loop, ready = asyncio.new_event_loop(), threading.Event()
    addresses = []

    def listen(address):
        addresses.append(address)
        ready.set()

    async def until_cancelled():
        with suppress(asyncio.CancelledError):
            await serve(desk, ready=listen)

    task = loop.create_task(until_cancelled())
    thread = threading.Thread(target=loop.run_until_complete, args=(task,))
    thread.start()
    try:
        assert ready.wait(30)
        yield addresses[0]
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
        loop.close()


@pytest.fixture
def desk(example):
    """A question with two answers and one that was left empty."""
    return Desk(handed_in(asked(example), kim=f"Yes. {HOSTILE}", max="No.", bob=None))


@pytest.fixture
def address(desk):
    """The address of a server, with its token."""
    with served(desk) as found:
        yield found


def fetch(address, headers=None, data=None):
    """Return the status, the headers and the body of an answer."""
    request = Request(address, data=data and json.dumps(data).encode(), headers=headers or {})
    try:
        with urlopen(request) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.headers, error.read().decode()


def question(address):
    return address.replace("/?", "/question/why?")


def a_mark(address, student=0, points=2):
    """Return what the page asks for that marks the first card, or another one."""
    state = state_of(fetch(question(address))[2])
    ((one, digest),) = state["cards"][student]["members"]
    answers = {one: [digest, state["marks"][one]["seen"]]}
    return {"answers": answers, "points": points, "comment": "So."}


def token(address):
    return re.search(r"token=(.*)", address)[1]


def marked(desk):
    return {who: mark.points for who, mark in marks.read(desk.assignment, ["why"])["why"].items()}


NOBODY = {"bob": None, "kim": None, "max": None}


def test_the_address_has_a_token_and_is_of_this_machine_only(address):
    assert urlsplit(address).hostname == "127.0.0.1" and len(token(address)) >= 32
    status, headers, page = fetch(address)
    assert status == 200 and "question/why?token=" in page
    assert headers["Cache-Control"] == "no-store" and headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("change", [
    lambda a: a.split("?")[0], lambda a: a[:-1], lambda a: f"{a}x", lambda a: f"{a}&token=",
    lambda a: a.replace("token", "Token"),
])  # fmt: skip
@pytest.mark.parametrize("page", [lambda a: a, question, lambda a: a.replace("/?", "/nothing?")])
def test_nothing_is_shown_without_the_token(address, page, change):
    status, _, said = fetch(change(page(address)))
    assert (status, said) == (403, "403: Open the whole address that the terminal shows.")


@pytest.mark.parametrize("headers", [
    {"Host": "evil.example"}, {"Host": "evil.example:80"}, {"Host": "127.0.0.1"},
    {"Origin": "http://evil.example"}, {"Origin": "null"},
])  # fmt: skip
def test_another_page_of_the_browser_is_refused(desk, address, headers):
    assert fetch(question(address), headers)[0] == 403
    posted = {"X-Token": token(address), **headers}
    assert fetch(question(address), posted, a_mark(address))[0] == 403
    assert marked(desk) == NOBODY


@pytest.mark.parametrize("headers", [{}, {"X-Token": ""}, {"X-Token": "guessed"}])
def test_no_mark_is_saved_without_the_token_in_a_header(desk, address, headers):
    """Not even with the token in the address, which is what a form could send."""
    assert fetch(question(address), headers, a_mark(address))[0] == 403
    assert marked(desk) == NOBODY


def test_localhost_is_this_machine_too(address):
    assert fetch(address.replace("127.0.0.1", "localhost"))[0] == 200


def test_a_mark_is_saved_and_a_page_that_is_out_of_date_is_told(desk, address):
    mine, other = a_mark(address), {**a_mark(address), "points": 1}
    headers = {"X-Token": token(address), "Origin": address.split("/?")[0]}
    status, _, said = fetch(question(address), headers, mine)
    assert status == 200 and json.loads(said)["progress"]["waiting"] == 1
    assert sorted(filter(None, marked(desk).values())) == [2]
    status, _, said = fetch(question(address), headers, other)
    assert status == 409 and "has changed since" in json.loads(said)["error"]
    assert 2 in {one["points"] for one in json.loads(said)["marks"].values()}
    assert sorted(filter(None, marked(desk).values())) == [2]


@pytest.mark.parametrize("wrong", [[], "x", {"points": 1}, 7])
def test_what_is_no_mark_is_refused(desk, address, wrong):
    status, _, said = fetch(question(address), {"X-Token": token(address)}, wrong)
    assert status == 400 and "Traceback" not in said
    assert marked(desk) == NOBODY


def test_points_that_there_are_not_are_refused_with_a_sentence(address):
    headers = {"X-Token": token(address)}
    status, _, said = fetch(question(address), headers, a_mark(address, points=7))
    assert (status, json.loads(said)["error"]) == (
        400, "points are a number from 0 to 3; correct them.",
    )  # fmt: skip


@pytest.mark.parametrize("path", ["question/how", "question/..%2fwhy", "style.css", "question/"])
def test_what_is_not_there_is_said(address, path):
    status, _, said = fetch(address.replace("/?", f"/{path}?"))
    assert status == 404 and said.startswith("404: There is no such")


def test_a_policy_lets_nothing_run_but_the_page_s_own_script(address):
    (_, headers, page), (_, again, _) = fetch(question(address)), fetch(question(address))
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "img-src data:" in policy
    assert "unsafe-inline" not in policy.replace("style-src-attr 'unsafe-inline'", "")
    (nonce,) = set(re.findall(r"'nonce-([^']+)'", policy))
    assert f'<script nonce="{nonce}">' in page
    assert again["Content-Security-Policy"] != policy


def test_two_servers_have_two_tokens(desk, address):
    with served(desk) as other:
        assert token(other) != token(address)
        assert fetch(other.split("token=")[0] + address.split("?")[1])[0] == 403


@pytest.mark.parametrize("port", [-1, 70_000])
def test_a_port_that_there_is_not_is_said(desk, port):
    with pytest.raises(PortTaken, match=f"port {port}: .*; name another one with --port"):
        asyncio.run(asyncio.wait_for(serve(desk, port, print), 20))


def test_a_port_that_is_taken_is_said(desk, address):
    port = urlsplit(address).port
    with pytest.raises(PortTaken, match=f"port {port}: Address already in use; name another"):
        asyncio.run(asyncio.wait_for(serve(desk, port, print), 20))


# In a browser


browser = [
    pytest.mark.slow,
    pytest.mark.skipif(lab.BROWSER is None, reason="needs Chromium"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def with_browser(test):
    """Mark a test that needs a browser."""
    for mark in browser:
        test = mark(test)
    return test


def said(page, text):
    """Wait until the page says something."""
    page.locator("#said", has_text=text).wait_for(timeout=10_000)


@with_browser
def test_a_question_is_marked_with_keys_alone(desk, address):
    with lab.page_at(address) as page:
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_selector("article[aria-current]")
        for key in ("2", ".", "5", "c"):
            page.keyboard.press(key)
        page.keyboard.type("Why?")
        page.keyboard.press("Enter")
        said(page, "saved, 2.5")
        for key in ("Shift+Digit2", "r", "1", "Enter"):
            page.keyboard.press(key)
        said(page, "Every answer to this question is marked")
        assert page.title() != "taken"
    found = marks.read(desk.assignment, ["why"])["why"]
    assert sorted([found["kim"].points, found["max"].points]) == [1.0, 2.5]
    assert {found["kim"].comment, found["max"].comment} == {"Why?"}
    assert found["bob"] == Mark(None, 0.0, False, "")


@with_browser
def test_a_mark_is_taken_back_and_what_was_typed_is_forgotten(desk, address):
    with lab.page_at(question(address)) as page:
        for key in ("3", "Enter"):
            page.keyboard.press(key)
        said(page, "saved, 3")
        for key in ("1", "z", "k", "x"):
            page.keyboard.press(key)
        said(page, "saved without points")
        assert page.locator("article .mark").all_text_contents()[:2] == ["not marked"] * 2
    assert marked(desk) == NOBODY


@with_browser
def test_of_two_pages_the_later_is_told_and_replaces_only_if_asked_again(desk, address):
    with lab.page_at(question(address)) as page:
        other = page.context.browser.new_page()
        other.goto(question(address))
        for key in ("1", "Enter"):
            page.keyboard.press(key)
        said(page, "saved, 1")
        for key in ("2", "Enter"):
            other.keyboard.press(key)
        said(other, "Answer 1 is not saved: this answer or its mark has changed")
        assert "There is now: 1." in other.locator("#said").text_content()
        assert sorted(filter(None, marked(desk).values())) == [1]
        other.keyboard.press("Enter")
        said(other, "saved, 2")
    assert sorted(filter(None, marked(desk).values())) == [2]


@with_browser
def test_a_server_that_has_ended_costs_no_mark_that_was_typed(desk):
    with served(desk) as address, lab.page_at(question(address)) as page:
        page.route("**/question/**", lambda route: route.abort())
        for key in ("2", "Enter"):
            page.keyboard.press(key)
        said(page, "Answer 1 is not saved: the server does not answer")
        assert page.locator("#points").text_content() == "2"
        page.unroute("**/question/**")
        page.keyboard.press("Enter")
        said(page, "saved, 2")
    assert sorted(filter(None, marked(desk).values())) == [2]


@with_browser
@pytest.mark.parametrize("width", [1280, 768])
def test_what_an_answer_has_in_it_does_not_run_and_the_page_fits(address, width):
    with lab.page_at(question(address), width=width) as page:
        assert page.title() != "taken"
        page.evaluate("document.querySelector('article .rendered').innerHTML = `"
                      "<img src=x onerror=\"document.title='taken'\">`")  # fmt: skip
        page.wait_for_timeout(200)
        assert page.title() != "taken"  # even if it were not cleaned
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
