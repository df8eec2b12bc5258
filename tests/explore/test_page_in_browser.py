"""The page in a headless browser, used by clicking and typing. Results are compared with NumPy."""

from __future__ import annotations

import csv
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v import WordVectors
from fastw2v.explore import ExploreServer, write_page

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
sync_api = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs Chromium or Google Chrome")

ANIMALS = ["cat", "dog", "cow", "owl", "fox"]
HOSTILE = ["<b>bold</b>", "</script><script>fail()</script>", "&amp;", "", "tab\there", "\u202eevil", 'a,b"c', " sp "]
KOREAN = ["고양이", "강아지", "학교"]
HEBREW = ["שלום", "ספר", "בית"]
WORDS = [*ANIMALS, *KOREAN, *HEBREW, *HOSTILE, *(f"w{i}" for i in range(600))]


def made_vectors(seed: int = 0, words: list[Any] = WORDS) -> WordVectors:
    random = np.random.default_rng(seed)
    centres = random.normal(size=(6, 24)) * 2
    rows = centres[np.arange(len(words)) % 6] + random.normal(size=(len(words), 24))
    return WordVectors(words, rows, counts=np.arange(len(words), 0, -1) * 10)


def neighbours(vectors: WordVectors, positive: list[str], negative: list[str], n: int = 20) -> list[tuple[str, float]]:
    """Return what the page must show, by brute force."""
    words = list(vectors.index_to_key)
    unit = vectors.vectors / np.linalg.norm(vectors.vectors, axis=1, keepdims=True)
    rows = {word: unit[words.index(word)] for word in [*positive, *negative]}
    query = np.sum([rows[word] for word in positive], axis=0) - np.sum([rows[word] for word in negative], axis=0)
    cosines = unit @ (query / np.linalg.norm(query))
    order = [i for i in np.argsort(-cosines) if words[i] not in {*positive, *negative}]
    return [(words[i], float(cosines[i])) for i in order[:n]]


class Session:
    """A page in the browser, with everything that it reported and requested."""

    def __init__(self, browser: Any, url: str, **context: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **context})
        self.page = self.context.new_page()
        self.page.set_default_timeout(8000)
        self.reports: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.reports.append(message.text))
        self.page.on("pageerror", lambda error: self.reports.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.reports.append(dialog.message), dialog.dismiss()))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(url)

    def ready(self) -> Any:
        self.page.wait_for_selector("html[data-ready]")
        return self.page

    def search(self, word: str) -> None:
        self.page.fill("#word", word)
        self.page.press("#word", "Enter")

    def listed(self, number: int = 0) -> list[tuple[str, float]]:
        """Return the words and cosines of a list, as text that a reader sees."""
        self.page.wait_for_selector("#results:not([hidden]) ol")
        rows = self.page.locator("#lists > div").nth(number).locator("li")
        words, cosines = rows.locator("a").all_text_contents(), rows.locator(".number").all_text_contents()
        return list(zip(words, map(float, cosines), strict=True))

    def until(self, expression: str) -> None:
        """Wait until an expression is true in the page, whose security policy forbids `page.wait_for_function`."""
        end = time.monotonic() + 8
        while not self.page.evaluate(expression):
            assert time.monotonic() < end, f"never true: {expression}"
            self.page.wait_for_timeout(20)

    def view(self, number: int = 0) -> dict[str, Any]:
        return self.page.evaluate(f"maps[{number}].view()")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=BROWSER)
        yield started
        started.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("pages")
    write_page(made_vectors(), folder / "one.html", method="pca", names=["one.bin"])
    write_page(made_vectors(), folder / "two.html", made_vectors(1), method="pca", names=["one.bin", "two.bin"])
    write_page(made_vectors(words=["alone"]), folder / "single.html")
    return {path.stem: path.as_uri() for path in folder.iterdir()}


@pytest.fixture
def opened(browser: Any, files: dict[str, str]) -> Iterator[Callable[..., Session]]:
    sessions: list[Session] = []

    def open_page(name: str, **context: Any) -> Session:
        sessions.append(Session(browser, files.get(name, name), **context))
        return sessions[-1]

    yield open_page
    for session in sessions:
        session.context.close()
        assert session.reports == []  # no error, no refused request, no alert


def assert_same(found: list[tuple[str, float]], wanted: list[tuple[str, float]]) -> None:
    """Compare lists of words and cosines. The page has int8 vectors, and words with equal cosines can change places."""
    assert len(found) == len(wanted)
    np.testing.assert_allclose([cosine for _, cosine in found], [cosine for _, cosine in wanted], atol=0.005)
    known = dict(wanted)
    assert len(known.keys() & {word for word, _ in found}) >= len(wanted) - 2
    for word, cosine in found:
        assert known.get(word, wanted[-1][1]) == pytest.approx(cosine, abs=0.01)


def test_search_shows_neighbours_and_moves_the_map(opened: Callable[..., Session]):
    session = opened("one")
    page = session.ready()
    assert page.evaluate("document.activeElement.id") == "word"
    before = session.view()
    session.search("cat")
    assert_same(session.listed(), neighbours(made_vectors(), ["cat"], []))
    assert page.url.endswith("#word=cat")
    assert page.title() == "cat - one.bin"
    assert page.text_content("#heading") == "Neighbours of cat"
    assert session.view()["lit"] == 21
    session.until(f"maps[0].view().x !== {before['x']}")
    page.click("#lists a >> nth=0")
    first = neighbours(made_vectors(), ["cat"], [])[0][0]
    session.until(f"document.getElementById('word').value === {json.dumps(first)}")
    page.go_back()
    session.until("document.getElementById('word').value === 'cat'")
    page.select_option("#number", "50")
    session.until("document.querySelectorAll('#lists li').length === 50")


def test_a_link_to_a_word(opened: Callable[..., Session], files: dict[str, str]):
    session = opened(files["one"] + "#word=dog")
    session.ready()
    assert_same(session.listed(), neighbours(made_vectors(), ["dog"], []))


def test_suggestions(opened: Callable[..., Session]):
    page = opened("one").ready()
    page.fill("#word", "W59")
    options = page.evaluate("[...document.querySelectorAll('#suggestions option')].map(option => option.value)")
    assert options == ["w59", *(f"w59{i}" for i in range(10))]


def test_case_and_unknown_words(opened: Callable[..., Session]):
    session = opened("one")
    page = session.ready()
    session.search(" CAT ")
    assert_same(session.listed(), neighbours(made_vectors(), ["cat"], []))
    assert page.text_content("#heading") == "Neighbours of cat"
    session.search("w599x")
    page.wait_for_selector("#error:not(:empty)")
    message = page.text_content("#error").translate({0x2068: None, 0x2069: None})
    assert message == "“w599x” is not on this page. Similar spellings: “w599”."
    assert page.is_hidden("#results")
    assert session.view()["lit"] == 0


def test_analogy(opened: Callable[..., Session]):
    session = opened("one")
    page = session.ready()
    page.fill("#a", "cat")
    page.click("#analogy button")
    assert page.text_content("#error") == "An analogy needs three words."
    assert page.evaluate("document.activeElement.id") == "b"
    page.keyboard.type("dog")
    page.fill("#c", "cow")
    page.press("#c", "Enter")
    assert_same(session.listed(), neighbours(made_vectors(), ["dog", "cow"], ["cat"]))
    assert page.text_content("#heading") == "cat is to dog as cow is to …"
    assert page.url.endswith("#a=cat&b=dog&c=cow")


def test_two_models(opened: Callable[..., Session]):
    session = opened("two")
    page = session.ready()
    session.search("cat")
    wanted = [neighbours(made_vectors(seed), ["cat"], []) for seed in (0, 1)]
    found = [session.listed(number) for number in (0, 1)]
    for one, other in zip(found, wanted, strict=True):
        assert_same(one, other)
    for number, rows in enumerate(found):
        only = {word for word, _ in rows} - {word for word, _ in found[1 - number]}
        marked = page.locator("#lists > div").nth(number).locator("li:has(.only) a").all_text_contents()
        assert set(marked) == only
    assert page.is_visible("#key")
    page.select_option("#which", "1")
    assert page.locator("figure:visible b").all_text_contents() == ["two.bin"]
    page.select_option("#which", "both")
    assert page.locator("figure:visible b").all_text_contents() == ["one.bin", "two.bin"]


def test_moved_words(opened: Callable[..., Session]):
    session = opened("two")
    page = session.ready()
    first = page.locator("#moved tbody tr").first
    word = first.locator("a").text_content()
    cosines = [float(text) for text in page.locator("#moved tbody tr td:nth-child(2)").all_text_contents()]
    assert cosines == sorted(cosines)
    first.locator("a").click()
    assert_same(session.listed(1), neighbours(made_vectors(1), [word], []))


def test_any_word_is_found_and_shown_as_text(opened: Callable[..., Session]):
    session = opened("one")
    page = session.ready()
    for word in [KOREAN[0], HEBREW[0], *HOSTILE]:
        page.evaluate("word => go({ word })", word)  # a text field cannot contain an empty word or a tab
        session.until(f"shownRows.length === 20 && shownRows[0][1] === {json.dumps(word)}")
        assert_same(session.listed(), shown(word))
        assert page.locator("#heading bdi").get_attribute("dir") == "auto"
        assert page.locator("#lists b, #lists script, #frequency b").count() == 0


def shown(word: str) -> list[tuple[str, float]]:
    visible = {"": "(empty)", "tab\there": "tab␉here", "\u202eevil": "\ufffdevil"}
    return [(visible.get(found, found), cosine) for found, cosine in neighbours(made_vectors(), [word], [])]


def test_typed_korean_and_hebrew(opened: Callable[..., Session]):
    session = opened("one")
    page = session.ready()
    for word in ("강아지", "ספר"):
        session.search(word)
        session.until(f"document.getElementById('heading').textContent.endsWith({json.dumps(word)})")
        assert_same(session.listed(), shown(word))
    direction = page.locator("#heading bdi").evaluate("node => getComputedStyle(node).direction")
    assert direction == "rtl"


def test_keyboard_only(opened: Callable[..., Session]):
    session = opened("one", reduced_motion="reduce")
    page = session.ready()
    page.keyboard.type("fox")
    page.keyboard.press("Enter")
    assert_same(session.listed(), neighbours(made_vectors(), ["fox"], []))
    seen = []
    for _ in range(12):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.textContent"))
        if page.evaluate("document.activeElement.closest('li') !== null"):
            break
    first = neighbours(made_vectors(), ["fox"], [])[0][0]
    assert seen[-1] == first
    page.keyboard.press("Enter")
    session.until("document.activeElement.id === 'heading'")
    assert page.text_content("#heading") == f"Neighbours of {first}"
    page.keyboard.press("Escape")
    session.until("document.getElementById('results').hidden")
    # Tab passes every control of the page and leaves it: no trap.
    page.focus("#word")
    names = set()
    for _ in range(150):
        page.keyboard.press("Tab")
        names.add(page.evaluate("document.activeElement.tagName"))
        if page.evaluate("document.activeElement.tagName") == "CANVAS":
            break
    assert "CANVAS" in names
    whole = session.view()
    page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    moved = session.view()
    assert moved["scale"] == pytest.approx(1.3 * whole["scale"])
    assert moved["x"] > whole["x"]
    page.keyboard.press("0")
    assert session.view()["scale"] == whole["whole"]
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") != "CANVAS"


def test_map_with_a_mouse(opened: Callable[..., Session]):
    session = opened("one", reduced_motion="reduce")
    page = session.ready()
    box = page.locator("canvas").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session.until("Number(document.querySelector('canvas').dataset.labels) > 10")
    page.mouse.move(*middle)
    for _ in range(3):
        page.mouse.wheel(0, -300)
    session.until("maps[0].view().scale > 2 * maps[0].view().whole")
    start = session.view()
    page.mouse.down()
    page.mouse.move(middle[0] + 50, middle[1] + 30, steps=5)
    moved = session.view()
    page.mouse.up()
    assert moved["x"] == pytest.approx(start["x"] - 50 / start["scale"])
    assert moved["y"] == pytest.approx(start["y"] + 30 / start["scale"])
    page.click("#all")
    session.until("maps[0].view().scale === maps[0].view().whole")
    page.click("#in")
    assert session.view()["scale"] == pytest.approx(1.5 * session.view()["whole"])
    page.click("#all")
    x, y = page.evaluate("maps[0].place('owl')")
    page.mouse.move(box["x"] + x, box["y"] + y)
    page.wait_for_selector(".tip:not([hidden])")
    assert page.text_content(".tip") == "owl 6,160"
    page.mouse.click(box["x"] + x, box["y"] + y)
    assert_same(session.listed(), neighbours(made_vectors(), ["owl"], []))


def test_map_with_two_fingers(opened: Callable[..., Session]):
    session = opened("one", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = session.ready()
    page.locator("canvas").scroll_into_view_if_needed()
    box = page.locator("canvas").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    before = session.view()
    fingers = session.context.new_cdp_session(page)

    def touch(kind: str, apart: float | None) -> None:
        points = [] if apart is None else [{"x": x - apart, "y": y, "id": 0}, {"x": x + apart, "y": y, "id": 1}]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 30)
    for apart in range(35, 65, 5):
        touch("touchMove", apart)
    touch("touchEnd", None)
    assert session.view()["scale"] == pytest.approx(2 * before["scale"], rel=0.05)
    assert (session.view()["x"], session.view()["y"]) == pytest.approx((before["x"], before["y"]), abs=0.05)


def test_clusters_and_counts(opened: Callable[..., Session]):
    session = opened("one")
    page = session.ready()
    names = page.locator(".legend button")
    assert names.count() == len(set(page.evaluate("[...models[0].clusters]")))
    names.nth(1).click()
    assert session.view()["cluster"] == 1
    assert names.nth(1).get_attribute("aria-pressed") == "true"
    names.nth(1).click()
    assert session.view()["cluster"] == -1
    page.select_option("#colours", "count")
    assert page.text_content(".legend") == "rarefrequent"


def test_words_by_frequency(opened: Callable[..., Session]):
    session = opened("one")
    page = session.ready()
    rows = page.locator("#frequency tbody tr")
    assert rows.nth(0).locator("td").all_text_contents() == ["1", "cat", f"{len(WORDS) * 10:,}"]
    assert rows.count() == 50
    page.click("#frequency button:has-text('Next')")
    assert rows.nth(0).locator("td").first.text_content() == "51"
    page.fill("#frequency input", "Owl")
    assert rows.locator("a").all_text_contents() == ["owl"]
    rows.locator("a").click()
    assert_same(session.listed(), neighbours(made_vectors(), ["owl"], []))


def test_copy_and_export(opened: Callable[..., Session], tmp_path: Path):
    session = opened("one", accept_downloads=True, permissions=["clipboard-read", "clipboard-write"])
    page = session.ready()
    session.search("고양이")
    wanted = session.listed()
    with page.expect_download() as download:
        page.click("#csv")
    download.value.save_as(tmp_path / "list.csv")
    text = (tmp_path / "list.csv").read_bytes().decode("utf-8-sig")
    assert text.startswith("model,query,rank,word,cosine\r\none.bin,고양이,1,")
    rows = list(csv.reader(text.splitlines()[1:]))
    assert [row[1:4] for row in rows] == [["고양이", str(i), word] for i, (word, _) in enumerate(wanted, 1)]
    assert [round(float(row[4]), 3) for row in rows] == pytest.approx([cosine for _, cosine in wanted], abs=0.0011)
    page.click("#copy")
    session.until("document.getElementById('status').textContent === 'The list was copied.'")
    copied = [line.split("\t") for line in page.evaluate("navigator.clipboard.readText()").splitlines()]
    assert [word for word, _ in copied] == [word for word, _ in wanted]
    assert [float(cosine) for *_, cosine in copied] == pytest.approx([cosine for _, cosine in wanted], abs=0.0011)
    with page.expect_download() as download:
        page.click("#png")
    download.value.save_as(tmp_path / "map.png")
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_a_word_that_is_not_on_the_map_is_found_as_it_is_typed(opened: Callable[..., Session]):
    words = ["us", "turkey", "we", "they", "US", "Turkey"]
    vectors = WordVectors(words, np.random.default_rng(0).normal(size=(6, 8)))
    with ExploreServer(vectors, top=4, method="pca") as server:
        session = opened(server.url)
        session.ready()
        session.search("US")
        session.until("document.getElementById('heading').textContent === 'Neighbours of US'")
        assert_same(session.listed(), neighbours(vectors, ["US"], []))


def test_two_models_that_know_different_forms_of_a_word(opened: Callable[..., Session], tmp_path: Path):
    random = np.random.default_rng(0)
    first = WordVectors(["Cat", "dog", "owl"], random.normal(size=(3, 8)))
    second = WordVectors(["cat", "dog", "owl"], random.normal(size=(3, 8)))
    write_page(first, tmp_path / "forms.html", second, method="pca")
    session = opened((tmp_path / "forms.html").as_uri())
    page = session.ready()
    session.search("Cat")
    session.listed(1)
    assert page.locator("#lists > div").nth(1).locator("p").text_content() == "For cat"
    assert page.locator("#lists .only").count() == 0


def test_a_better_map_arrives_during_a_search(opened: Callable[..., Session]):
    """The searched word stays in the middle, and a zoom on the way leaves no point between the two maps."""
    session = opened("one")
    page = session.ready()
    session.search("cat")
    session.listed()
    page.wait_for_timeout(700)
    page.evaluate("window.target = models[0].points.map((x, i) => i % 2 ? x : -x)")
    page.evaluate("maps[0].setPoints(target)")
    page.wait_for_timeout(1500)
    box = page.locator("canvas").bounding_box()
    x, y = page.evaluate("maps[0].place('cat')")
    assert 0 < x < box["width"]
    assert 0 < y < box["height"]
    page.evaluate("maps[0].setPoints(models[0].points)")
    page.wait_for_timeout(300)
    page.evaluate("maps[0].zoom(1.2)")
    view, row = session.view(), WORDS.index("cat")
    x, y = page.evaluate("maps[0].place('cat')")
    wanted = page.evaluate(f"[models[0].points[{2 * row}], models[0].points[{2 * row + 1}]]")
    assert view["x"] + (x - box["width"] / 2) / view["scale"] == pytest.approx(wanted[0], abs=1e-5)
    assert view["y"] - (y - box["height"] / 2) / view["scale"] == pytest.approx(wanted[1], abs=1e-5)


def test_words_are_listed_by_frequency(opened: Callable[..., Session], tmp_path: Path):
    vectors = WordVectors(["b", "a", "c"], np.random.default_rng(0).normal(size=(3, 8)), counts=[5, 9, 7])
    write_page(vectors, tmp_path / "order.html")
    page = opened((tmp_path / "order.html").as_uri()).ready()
    assert page.locator("#frequency tbody a").all_text_contents() == ["a", "c", "b"]


def test_a_self_contained_page_requests_nothing(opened: Callable[..., Session], files: dict[str, str]):
    session = opened("two")
    session.ready()
    session.search("cat")
    session.listed()
    assert [url for url in session.requests if not url.startswith("data:")] == [files["two"]]


@pytest.mark.parametrize("name", ["one", "two"])
def test_phone(opened: Callable[..., Session], name: str):
    session = opened(name, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = session.ready()
    session.search("cat")
    session.listed()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("canvas").first.bounding_box()["height"] > 300


def test_a_single_word(opened: Callable[..., Session]):
    session = opened("single")
    page = session.ready()
    session.search("alone")
    page.wait_for_selector("#results:not([hidden])")
    assert page.text_content("#status") == "There are no other words."


def test_dark_mode(opened: Callable[..., Session]):
    page = opened("one", color_scheme="dark").ready()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 22, 26)"
    page.emulate_media(color_scheme="light")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_served_page(browser: Any):
    vectors = made_vectors()
    with ExploreServer(vectors, top=100, method="pca") as server:
        session = Session(browser, server.url)
        page = session.ready()
        for word in ("cat", "w590"):  # the second word is not on the map
            session.search(word)
            session.until(f"document.getElementById('heading').textContent.endsWith(' {word}')")
            assert_same(session.listed(), neighbours(vectors, [word], []))
        session.search("DOG")
        session.until("document.getElementById('heading').textContent.endsWith(' dog')")
        session.search("catt")
        page.wait_for_selector("#error:not(:empty)")
        assert "'catt' is not in the vocabulary" in page.text_content("#error")
        assert all(url.startswith((server.url, "data:")) for url in session.requests)
        page.route("**/query?*", lambda route: route.abort())
        session.search("owl")
        session.until("document.getElementById('error').textContent.startsWith('The server does not answer.')")
        session.context.close()


def test_a_better_map_replaces_the_first(browser: Any):
    with ExploreServer(made_vectors(), method="pca") as server:
        session = Session(browser, "about:blank", reduced_motion="reduce")
        page = session.page

        def pending(route: Any) -> None:
            answer = route.fetch()
            data = answer.json()
            data["models"][0]["pending"] = "PaCMAP"
            route.fulfill(response=answer, json=data)

        def better(route: Any) -> None:
            answer = route.fetch()
            route.fulfill(response=answer, json=answer.json() | {"method": "PaCMAP", "pending": None})

        page.route("**/models?*", pending)
        page.route("**/points?*", better)
        page.goto(server.url)
        session.ready()
        assert "A better map (PaCMAP) is being computed" in page.text_content("figcaption")
        session.until("document.querySelector('figcaption').textContent.includes('PaCMAP. Words close')")
        assert "being computed" not in page.text_content("figcaption")
        assert session.reports == []
        session.context.close()
