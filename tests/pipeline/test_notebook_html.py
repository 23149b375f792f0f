"""What notebooks show of an analysis and of a plan, read by an HTML parser."""

import pytest
from lxml import etree, html

from pipeline import analyze
from pipeline.data import from_arrays, load_data
from pipeline.models import load_model


@pytest.fixture(scope="module")
def found():
    digits = load_data("digits")
    data = from_arrays(digits.images(range(300)).numpy(), digits.labels[:300])
    return analyze(load_model("resnet14", input_shape=(1, 8, 8)), data, samples=80, repeats=2)


def test_an_analysis_shows_its_curve_and_its_table(found):
    text = found._repr_html_()
    assert len(text) < 60_000
    page = html.fromstring(text)
    assert list(page.iter("script")) == []
    rows = [[cell.text_content() for cell in row] for row in page.iter("tr")]
    assert rows[0][:4] == ["", "layer", "Q", "sd"]
    means = found.layers.groupby("layer_index")["modularity"].mean()
    assert [row[2] for row in rows[1:]] == [f"{value:.3f}" for value in means]
    assert "Q goes from" in page.text_content()
    # the picture is an element of its own, with text that can be read
    (svg,) = etree.fromstring(f"<div>{text[text.index('<svg') : text.index('</svg>') + 6]}</div>")
    assert etree.QName(svg).localname == "svg"
    written = " ".join(svg.itertext())
    assert "modularity Q of the classes" in written
    assert all(layer in written for layer in found.layers["layer"].unique())


def test_showing_it_twice_gives_the_same(found):
    assert found._repr_html_() == found._repr_html_()


def test_a_plan_shows_what_it_saves(found):
    plan = found.plan("running_maximum")
    page = html.fromstring(plan._repr_html_())
    rows = {row[0]: row[1:] for row in ([c.text_content() for c in r] for r in page.iter("tr"))}
    assert rows["parameters"][:2] == [f"{plan.params_before:,}", f"{plan.params_after:,}"]
    share = 100 * (plan.params_after / plan.params_before - 1)
    assert rows["parameters"][2] == f"{share:+.1f} %".replace("-", "−")
    assert f"removed: {', '.join(plan.removed)}" in page.text_content()


def test_the_flow_of_an_analysis_names_its_layers(found):
    axes = found.plot("flow")
    layers = found.layers["layer"].unique().tolist()
    assert [label.get_text() for label in axes.get_xticklabels()] == layers
    # a block a community of the first repeat
    first = found.communities.query("repeat == 0")
    bands = found.flows.query("repeat == 0")
    assert len(axes.patches) == len(first) + len(bands)
