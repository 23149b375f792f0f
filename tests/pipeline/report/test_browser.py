"""The page in a real browser: it opens, moves, changes colours, and asks for nothing."""

import shutil

import numpy as np
import pytest
from playwright.sync_api import sync_playwright

from pipeline.report_command import write_report

pytestmark = pytest.mark.browser

QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
DESKTOP, PHONE = (1280, 900), (390, 844)
LAST = "6"  # of seven layers
COLOURS = "[...document.querySelector('.graph .plot').data[0].marker.color]"
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def address(made):
    return write_report(made.run, out=made.place / "browsed.html").as_uri()


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium, address):
    """Open the page; afterwards nothing was complained of and nothing was fetched."""
    complaints, requests, contexts = [], [], []

    def open_page(size=DESKTOP, scheme="light", **more):
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, **more
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(address)
        page.locator(".graph").scroll_into_view_if_needed()
        page.wait_for_selector(".graph[data-ready]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
    assert {url for url in requests if not url.startswith("data:")} == {address}


def places(page):
    """Where the nodes are on the screen, in the order of the samples."""
    boxes = page.locator(".graph .plot .scatterlayer path.point")
    script = (
        "all => all.map(one => one.getBoundingClientRect())"
        ".map(box => [box.x + box.width / 2, box.y + box.height / 2])"
    )
    return np.array(boxes.evaluate_all(script))


def ink(page):
    return page.evaluate("getComputedStyle(document.body).color")


def test_the_slider_moves_nodes_by_keyboard(opened, made):
    page = opened()
    slider = page.get_by_role("slider", name="Layer")
    before = places(page)
    assert len(before) == made.samples
    slider.focus()
    page.keyboard.press("Home")
    page.wait_for_selector(".graph[data-layer='0']")
    after = places(page)
    assert np.median(np.hypot(*(after - before).T)) > 20  # pixels
    assert slider.get_attribute("aria-valuetext") == "relu, 1 of 7"
    assert page.locator(".graph .state").text_content().startswith("relu (1 of 7): Q ")
    page.keyboard.press("End")
    page.wait_for_selector(f".graph[data-layer='{LAST}']")
    np.testing.assert_allclose(places(page), before, atol=1)


def test_play_goes_through_all_layers_to_the_last(opened):
    page = opened(reduced_motion="reduce")
    page.evaluate(
        "() => { window.seen = []; new MutationObserver(() => window.seen.push("
        "document.querySelector('.graph').dataset.layer)).observe("
        "document.querySelector('.graph'), {attributeFilter: ['data-layer']}); }"
    )
    play = page.get_by_role("button", name="Play")
    play.press("Enter")
    page.wait_for_function(f"() => window.seen.at(-1) === '{LAST}'")
    assert page.evaluate("window.seen") == ["0", "1", "2", "3", "4", "5", "6"]


def test_a_slider_that_is_moved_stops_the_play(opened):
    page = opened()
    page.get_by_role("button", name="Play").press("Enter")
    word = page.locator(".play .word")
    assert word.text_content() == "Stop"
    page.get_by_role("slider", name="Layer").press("ArrowRight")
    assert word.text_content() == "Play"
    page.wait_for_selector(".graph[data-layer='1']")
    page.wait_for_timeout(1500)  # longer than a step of the play takes
    assert page.evaluate("document.querySelector('.graph').dataset.layer") == "1"


def test_a_prediction_that_is_no_class_of_the_data_has_a_number_and_is_grey(opened):
    page = opened()
    page.evaluate("() => { document.querySelector('.graph').view.data.predicted[0] = 99; }")
    page.get_by_role("radio", name="prediction").check()
    assert page.evaluate(COLOURS)[0] == "#8c8c8c"
    text = page.evaluate("document.querySelector('.graph .plot').data[0].text[0]")
    assert "predicted class 99" in text


def test_colours_are_those_of_classes_predictions_and_communities(opened):
    page = opened()
    data = page.evaluate("document.querySelector('.graph').view.data")
    shown = {}
    for name in ("class", "prediction", "community"):
        page.get_by_role("radio", name=name).check()
        shown[name] = page.evaluate(COLOURS)
    assert shown["class"] == [data["colors"][label] for label in data["labels"]]
    assert shown["prediction"] == [data["colors"][label] for label in data["predicted"]]
    last = data["layers"][-1]["community"]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        if last[a] == last[b]:
            assert shown["community"][a] == shown["community"][b]
    assert len(set(shown["community"])) > 1


def test_radio_buttons_take_arrow_keys_and_a_class_is_shown_alone(opened, made):
    page = opened()
    page.get_by_role("radio", name="class").focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("radio", name="prediction").is_checked()
    page.keyboard.press("ArrowLeft")
    page.get_by_role("button", name="plain").press("Enter")
    opacity = page.evaluate("document.querySelector('.graph .plot').data[0].marker.opacity")
    labels = page.evaluate("document.querySelector('.graph').view.data.labels")
    plain = sorted(made.names).index("plain")
    assert [value == 1 for value in opacity] == [label == plain for label in labels]


def test_hover_tells_the_sample_as_text(opened):
    page = opened()
    data = page.evaluate("document.querySelector('.graph').view.data")
    node = data["labels"].index(data["names"].index(SCRIPT))
    # others may lie on it: the one that is topmost at its place answers
    page.mouse.move(*places(page)[node])
    page.wait_for_selector(".graph .hoverlayer .hovertext")
    said = page.locator(".graph .hoverlayer .hovertext").text_content()
    number = int(said.split("sample ")[1].split(":")[0])
    at = data["samples"].index(number)
    name = data["names"][data["labels"][at]]
    assert f"sample {number}: {name}" in said
    assert "predicted" in said
    card = page.locator(".sample .about")
    assert f"Sample {number}" in card.text_content()
    assert name in card.text_content()
    near = [data["samples"][other] for other in data["layers"][-1]["near"][at]]
    listed = card.locator(".near .note").all_text_contents()
    assert [int(text.split(",")[0]) for text in listed] == near
    images = card.locator(".thumb").evaluate_all(
        "all => all.map(one => getComputedStyle(one).backgroundImage.slice(0, 15))"
    )
    assert images == ['url("data:image'] * (1 + len(near))


def test_a_sample_is_found_by_its_number_and_leads_to_its_neighbours(opened):
    page = opened()
    data = page.evaluate("document.querySelector('.graph').view.data")
    box = page.get_by_role("spinbutton", name="Sample")
    box.fill(str(data["samples"][5]))
    box.press("Enter")
    first = data["layers"][-1]["near"][5][0]
    page.locator(".near button").first.press("Enter")
    assert f"Sample {data['samples'][first]}" in page.locator(".about").text_content()
    ring = page.evaluate("document.querySelector('.graph .plot').data[1].x")
    assert ring == [data["layers"][-1]["x"][first]]
    box.fill("999999")
    box.press("Enter")
    assert "There is no sample 999999 here" in page.locator(".about").text_content()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_the_screen_and_every_figure_is_drawn_in_its_colours(opened, size, scheme):
    page = opened(size, scheme)
    for plot in page.locator("figure .plot").all():
        plot.scroll_into_view_if_needed()
    page.wait_for_function(
        "() => [...document.querySelectorAll('figure .plot')].every(one => one.dataset.drawn)"
    )
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]
    text = page.locator("#all-curve-curve .xtick text").first
    assert text.evaluate("one => getComputedStyle(one).fill") == ink(page)
    page.emulate_media(color_scheme="dark" if scheme == "light" else "light")
    page.wait_for_function(
        "() => getComputedStyle(document.querySelector('#all-curve-curve .xtick text')).fill"
        " === getComputedStyle(document.body).color"
    )


def test_everything_that_acts_can_be_reached_by_tab_and_shows_where_it_is(opened):
    page = opened()
    page.evaluate("scrollTo(0, 0)")
    reached = set()
    for _ in range(120):
        page.keyboard.press("Tab")
        found = page.evaluate(
            "() => { const one = document.activeElement; const style = getComputedStyle("
            "one.matches('input[type=radio]') ? one.nextElementSibling : one);"
            "return [one.tagName + (one.type ? '.' + one.type : ''), style.outlineStyle]; }"
        )
        if found[0] == "BODY":
            break
        assert found[1] != "none", found
        reached.add(found[0])
    kinds = {"A", "INPUT.range", "INPUT.radio", "INPUT.number", "BUTTON.button", "BUTTON.submit"}
    assert kinds | {"SUMMARY", "PRE"} <= reached
