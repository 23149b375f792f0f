from pathlib import Path

import pandas as pd
import pytest

from graphs.export import check_gephi
from pipeline.demo import MODELS, demo

pytestmark = pytest.mark.slow


def test_the_demo_trains_measures_tells_and_does_not_repeat_itself(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = demo(Path("runs/demo"), progress=False)
    told = capsys.readouterr().out
    for model in MODELS:
        history = pd.read_csv(out / f"{model}-training" / "history.csv")
        assert history["test_accuracy"].iloc[-1] > 0.9
        layers = pd.read_parquet(out / model / "metrics" / "layers.parquet")
        curve = layers.groupby("layer_index")["modularity"].mean()
        assert curve.iloc[-1] > curve.iloc[0]
        assert f"{model}: Classes separate with depth: Q goes from {curve.iloc[0]:.2f}" in " ".join(
            told.split()
        )
        for path in (out / model / "exports").iterdir():
            assert check_gephi(path) == []
    assert "Next, your own network:" in told
    assert max(map(len, told.splitlines())) <= 79
    assert (out / "curves.png").exists()
    assert f"page     {out}/report.html" in told
    page = (out / "report.html").read_bytes()
    shards = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
    demo(out, progress=False)
    assert (out / "report.html").read_bytes() == page
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")} == shards
