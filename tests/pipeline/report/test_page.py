"""What stands in the page. How it looks and moves is in test_browser.py."""

import json
import shutil
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import lxml.html
import numpy as np
import pandas as pd
import pytest
import torch

from graphs.errors import RunError
from graphs.snapshots import Snapshot
from graphs.tables import read_frame, write_table
from pipeline.models import load_model
from pipeline.options import Images, Neighbours, Network
from pipeline.plan_command import plan_pruning
from pipeline.pruning.options import Goal
from pipeline.report import network
from pipeline.report.classes import classes_section
from pipeline.report.opening import open_folders
from pipeline.report.section import PageTable, label
from pipeline.report_command import write_report
from pipeline.run import run_stages
from pipeline.stage2_edges import build_edges
from pipeline.stage3_communities import measure_graphs
from pipeline.studies.compare import study_compare
from pipeline.studies.similarity import study_similarity
from pipeline.studies.untrained import Untrained, study_random


def read(path):
    return lxml.html.fromstring(path.read_text("utf-8"))


def texts(page, section):
    return " ".join(page.get_element_by_id(section).text_content().split())


def figure(page, key):
    """A figure as plotly gets it."""
    return json.loads(page.xpath(f"//script[@data-figure='{key}']")[0].text)


def curve_of(path):
    """The lines of the curve."""
    return figure(read(path), "all-curve-curve")["data"]


def graph(page):
    """What the script of the graph reads."""
    return json.loads(page.xpath("//div[@class='graph']/script")[0].text)


@pytest.fixture(scope="module")
def whole(made):
    """The page of a run with a plan and a study of its layers."""
    return write_report(made.run, out=made.place / "page.html")


@pytest.fixture(scope="module")
def page(whole):
    return read(whole)


def test_every_section_is_there_and_headings_go_down_one_at_a_time(page):
    sections = page.xpath("//section/@id")
    names = ["summary", "curve", "classes", "similarity", "flow", "graph", "suspects", "plan"]
    assert [name.split("-")[1] for name in sections] == [*names, "commands"]
    levels = [int(tag.tag[1]) for tag in page.xpath("//h1|//h2|//h3|//h4")]
    assert levels[0] == 1 == levels.count(1)
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = page.xpath("//@id")
    assert len(ids) == len(set(ids))
    anchors = [link.removeprefix("#") for link in page.xpath("//nav//a/@href")]
    assert set(anchors) <= set(ids)


def test_nothing_is_fetched(page):
    policy = page.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")[0]
    assert policy.startswith("default-src 'none';")
    for place in page.xpath("//@src | //link/@href | //a/@href"):
        assert place.startswith(("data:", "#")), place[:80]
    assert "@import" not in page.xpath("//style")[0].text


def test_names_are_texts_and_never_markup(page, made):
    assert not page.xpath("//img")  # one of the names would be one
    scripts = page.xpath("//body//script[not(@type)]")
    assert len(scripts) == 2  # plotly's and ours
    buttons = page.xpath("//div[@class='legend']/button")
    assert [button.text_content().strip() for button in buttons] == sorted(made.names)
    shown = figure(page, "run-classes-terms")["layout"]["yaxis"]["ticktext"]
    assert shown[1].startswith("&lt;script&gt;")
    assert not any("<" in text for text in shown)


def test_the_same_run_gives_the_same_page(whole, made, tmp_path):
    again = write_report(made.run, out=tmp_path / "again.html")
    assert again.read_bytes() == whole.read_bytes()


def test_the_curve_is_the_mean_over_repeats_with_a_band(page, made):
    layers = pd.read_parquet(made.run / "metrics" / "layers.parquet")
    mean = layers.groupby("layer_index")["modularity"].mean()
    line = next(t for t in figure(page, "all-curve-curve")["data"] if t["mode"] == "lines+markers")
    np.testing.assert_allclose(line["y"], mean)
    rows = page.xpath("//section[@id='all-curve']//tbody/tr")
    assert [row[1].text for row in rows] == [f"{q:.3f}".replace("-", "−") for q in mean]


def test_every_figure_has_words_and_a_table(page):
    figures = page.xpath("//figure")
    assert len(figures) >= 5
    for item in figures:
        assert item.xpath(".//div[@role='img']/@aria-label")[0].endswith(".")
        assert item.xpath("./figcaption")[0].text_content()
        heads = item.xpath(".//thead//th")
        assert all(len(row) == len(heads) for row in item.xpath(".//tbody/tr"))
        assert item.xpath(".//tbody/tr")


def test_the_graph_is_that_of_the_run(page, made):
    data, item = graph(page), open_folders([made.run]).runs[0].sets[0]
    assert data["samples"] == item.nodes["sample"].tolist()
    assert data["labels"] == item.nodes["label"].tolist()
    for position, layer in enumerate(data["layers"]):
        knn = item.neighbours(position)
        assert layer["near"] == knn.indices.tolist()
        edges = Snapshot.from_knn(knn).edges
        assert layer["edges"] == edges.ravel().tolist()
        assert len(layer["x"]) == len(layer["y"]) == made.samples
    first, last = (np.array([data["layers"][at][axis] for axis in "xy"]) for at in (0, -1))
    assert np.abs(first - last).max() > 50  # nodes move
    assert sorted(data["images"]) == list(range(made.samples))


def test_bands_of_the_flow_carry_every_sample_in_every_step(page, made):
    sankey = figure(page, "run-flow-flow")["data"][0]
    columns = np.array(sankey["node"]["x"])[sankey["link"]["source"]]
    counts = pd.Series(sankey["link"]["value"]).groupby(columns).sum()
    assert set(counts) == {made.samples}
    assert len(counts) == 6  # steps between seven layers


def test_what_is_missing_is_said_with_its_command(page, made):
    assert f"stratagraph plan {made.run}" in texts(page, "run-plan")
    assert f"stratagraph study similarity {made.run}" in texts(page, "run-similarity")


def test_a_plan_and_a_study_come_into_the_page(run, tmp_path):
    plan_pruning(run, goal=Goal(rule="increment", threshold=0.0), device="cpu")
    study_similarity(run, out=tmp_path / "alike")
    study_compare(run, out=tmp_path / "compared")
    page = read(write_report(run, tmp_path / "alike", tmp_path / "compared"))
    assert "By increment, " in texts(page, "run-plan")
    cka = figure(page, "run-similarity-linear-cka")["data"][0]["z"]
    np.testing.assert_allclose(np.diagonal(cka), 1, atol=1e-5)
    assert page.xpath("//section[contains(@id, 'study')]//img/@src")[0].startswith("data:image/png")


def test_a_study_of_two_runs_is_shown_beside_them(run, tmp_path):
    shutil.copytree(run, tmp_path / "other")
    study = study_similarity(run, tmp_path / "other", out=tmp_path / "two")
    page = read(write_report(run, study))
    assert "CKA of the features is not part of a run" in texts(page, "run-similarity")
    assert len(page.xpath("//section[@id='end-study-1']//img")) == 1


def test_cka_of_other_layers_is_shown_on_its_own(run, tmp_path):
    study = study_similarity(run, out=tmp_path / "alike")
    path = study / "metrics" / "similarity.parquet"
    pairs = read_frame(path, "similarity")
    fewer = pairs[(pairs["layer_a_index"] > 0) & (pairs["layer_b_index"] > 0)]
    write_table(fewer, path, "similarity")
    page = read(write_report(run, study))
    assert "CKA of the features is not part of a run" in texts(page, "run-similarity")
    assert page.xpath("//section[@id='end-study-1']//img")


def test_pictures_of_a_study_lie_on_paper_with_a_caption(run, tmp_path):
    page = read(write_report(run, study_compare(run, out=tmp_path / "compared")))
    (picture,) = page.xpath("//figure[@class='paper']")
    assert picture.xpath("./figcaption")[0].text == "compare.png of compared"
    assert picture.xpath(".//img/@alt")[0].startswith("compare.png of compared. ")


def test_untrained_networks_lie_beside_the_curve(tmp_path):
    network = Network(model="mlp", weights=str(tmp_path / "weights.pt"))
    model = load_model("mlp", input_shape=(1, 8, 8), seed=7)
    torch.save(model.state_dict(), network.weights)
    how = {"network": network, "images": Images(samples=60, repeats=2)}
    run = run_stages(tmp_path / "run", **how)
    study = study_random(tmp_path / "random", **how, untrained=Untrained(seeds=3))
    lines = {trace.get("name"): trace for trace in curve_of(write_report(run, study))}
    layers = pd.read_parquet(study / "metrics" / "layers.parquet")
    others = layers[layers["variant"] != "trained"]
    mean = others.groupby("layer_index")["modularity"].mean()
    np.testing.assert_allclose(lines["untrained"]["y"], mean)
    rows = read(run / "report.html").xpath("//section[@id='all-curve']//tbody/tr")
    assert [row[4].text for row in rows] == [f"{q:.3f}".replace("-", "−") for q in mean]
    # with another k it is another question
    build_edges(run, neighbours=Neighbours(k=5))
    measure_graphs(run)
    assert "untrained" not in {trace.get("name") for trace in curve_of(write_report(run, study))}


def test_shuffled_labels_are_in_the_legend_once(made, run):
    path = run / "metrics" / "layers.parquet"
    layers = read_frame(path, "layers")
    write_table(layers.drop(columns=layers.filter(like="modularity_null").columns), path, "layers")
    traces = curve_of(write_report(run, made.run, made.run, out=run.parent / "three.html"))
    shown = [one["showlegend"] for one in traces if one.get("name") == "labels shuffled"]
    assert shown == [True, False]


def test_the_folder_one_is_in_has_a_name(run, monkeypatch):
    monkeypatch.chdir(run)
    assert open_folders([Path(".")]).runs[0].name == "run"


def test_commands_can_be_pasted(run):
    run.rename(run.parent / "my run")
    page = read(write_report(run.parent / "my run"))
    folder = f"{run.parent}/my run"
    assert f"stratagraph plan '{folder}'" in texts(page, "run-plan")
    told = f"stratagraph study similarity '{folder}' --out '{folder}-similarity'"
    assert told in texts(page, "run-similarity")


def test_of_many_classes_pairs_without_a_link_have_no_row():
    """Of more than 100 classes the table has only pairs that are linked: here, in no last layer."""
    rows = [(0, "a", 0, 1, 0.2, 1.5), (0, "a", 0, 2, 0.1, 0.5), (1, "b", 0, 0, 1.0, 3.0)]
    columns = ["layer_index", "layer", "class_a", "class_b", "observed", "excess"]
    pairs = pd.DataFrame(rows, columns=columns).assign(variant="clean", repeat=0, z=-9.0)
    for side in "ab":
        pairs[f"class_{side}_name"] = pairs[f"class_{side}"].astype(str)
    samples = pd.DataFrame({"label": [0, 1], "predicted": [0, 1]})
    terms = pd.DataFrame(
        {"layer_index": [0, 0, 1, 1], "class": [0, 1] * 2, "class_name": ["0", "1"] * 2}
    )
    item = SimpleNamespace(
        classes=terms.assign(modularity_term=0.1),
        depth=pd.DataFrame({"layer_index": [0, 1], "layer": ["a", "b"]}),
        table=lambda name: {"class_pairs": pairs, "samples": samples}[name],
    )
    found = classes_section(item).figures[1]
    assert found.table.rows == [["0 – 1", "1.500", "0.000"], ["0 – 2", "0.500", "0.000"]]
    assert [len(row) for row in found.figure.data[0].z] == [2, 2]


def test_runs_of_one_name_are_told_apart_and_share_one_curve_figure(made, run):
    page = read(write_report(made.run, run, out=run.parent / "both.html"))
    lines = [t for t in figure(page, "all-curve-curve")["data"] if t["mode"] == "lines+markers"]
    titles = [f"{made.place.name}/run", f"{run.parent.name}/run"]
    assert [line["name"] for line in lines] == [label(title) for title in titles]
    assert [head.text for head in page.xpath("//h2[@class='part']")] == titles
    assert len(page.xpath("//div[@class='graph']")) == 2


def test_a_page_goes_on_without_images_that_are_gone(run, manifest):
    manifest(run, lambda it: it["activations"]["parameters"]["given"].update(data="gone.parquet"))
    page = read(write_report(run))
    assert "Without images: gone.parquet does not exist" in texts(page, "run-graph")
    assert "images" not in graph(page)


def test_images_of_other_contents_are_not_shown(run, manifest):
    manifest(run, lambda it: it["activations"]["parameters"].update(data="0" * 64))
    assert "are not those of the run" in texts(read(write_report(run)), "run-graph")


def test_large_graphs_are_thinned_with_a_note(run, monkeypatch):
    monkeypatch.setattr(network, "SHOWN", 20)
    page = read(write_report(run))
    assert "Thinned: 20 of 60 samples are shown" in texts(page, "run-graph")
    data = graph(page)
    assert len(data["samples"]) == 20 == len(set(data["samples"]))
    for layer in data["layers"]:
        assert set(layer["edges"]) <= set(range(20))
    assert len(data["layers"][-1]["edges"]) > 20  # neighbours of the last layer came along


def test_a_thinned_layer_may_have_no_links(run, monkeypatch):
    """Two samples that are linked in the last layer, and not in all layers before."""
    monkeypatch.setattr(network, "SHOWN", 2)
    edges = [layer["edges"] for layer in graph(read(write_report(run)))["layers"]]
    assert edges[-1] == [0, 1]
    assert [] in edges


def test_a_run_that_changes_loses_its_page(run):
    path = write_report(run)
    build_edges(run, neighbours=Neighbours(k=5))
    assert not path.exists()


def test_another_file_is_not_replaced(made, tmp_path):
    (tmp_path / "mine.html").write_text("<p>mine</p>")
    with pytest.raises(RunError, match="is no page of stratagraph; choose another --out"):
        write_report(made.run, out=tmp_path / "mine.html")
    assert (tmp_path / "mine.html").read_text() == "<p>mine</p>"


def test_long_tables_say_what_they_leave_out():
    table = PageTable.of(["n"], [[n] for n in range(1000)])
    assert (len(table.rows), table.left_out) == (200, 800)
    assert PageTable.of(["a", "b"], [["x", None]]).filled().columns == ["a"]
