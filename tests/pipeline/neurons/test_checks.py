import numpy as np
import pytest

from graphs.errors import StratagraphError
from pipeline.neurons import checks, checks_untrained
from pipeline.neurons.checks import CHECKS, CheckSetting, Finding, check_neurons
from pipeline.neurons.checks_untrained import glorot_graph


@pytest.fixture
def setting(tmp_path):
    return CheckSetting(out=tmp_path, data=None, networks=1, shuffles=1, workers=1)


def test_findings_are_rows_of_a_table(capsys):
    check_neurons("1")
    head, _, row = capsys.readouterr().out.splitlines()
    assert head == "| check | what | expected | measured | |"
    assert row == "| 1 | n-cut of 2-2-2 | 0.0989 | 0.0989 | yes |"


def test_the_module_is_a_command_too(capsys, monkeypatch):
    with pytest.raises(SystemExit) as status:
        from pipeline.cli import main

        main(["neurons", "check", "1"])
    assert not status.value.code
    assert "| 1 | n-cut" in capsys.readouterr().out


@pytest.mark.parametrize("numbers", ["0", "1,100", "one", ""])
def test_unknown_checks_are_refused(numbers):
    with pytest.raises(StratagraphError, match="check.*; choose from 1, 2, 3"):
        check_neurons(numbers)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"networks": 0}, "--networks 0 measures nothing; give at least 1"),
        ({"shuffles": 0}, "--shuffles 0 compares with nothing; give at least 1"),
        ({"workers": -1}, "--workers -1 does no work; give at least 1"),
    ],
)
def test_checks_of_nothing_are_refused_before_any_training(option, message):
    with pytest.raises(StratagraphError, match=message):
        check_neurons("6", **option)


def test_every_check_is_a_function():
    for number, (path, what) in CHECKS.items():
        home, _, name = path.partition(":")
        assert callable(getattr(checks.import_module(home), name)), number
        assert what


def test_two_clusters_are_a_split_in_depth(setting):
    assert [finding.agrees for finding in checks_untrained.depth_split(setting)] == [True] * 3


def test_random_networks_have_the_published_n_cut(setting, monkeypatch):
    monkeypatch.setattr(checks_untrained, "RANDOM", {2: (0.384, 0.386), 4: (2.346, 2.355)})
    found = list(checks_untrained.random_networks(setting))
    assert [finding.agrees for finding in found] == [True, True]
    assert [finding.expected for finding in found] == [".384 to .386", "2.346 to 2.355"]
    monkeypatch.setattr(checks_untrained, "RANDOM", {2: (0.3, 0.31)})
    assert [finding.agrees for finding in checks_untrained.random_networks(setting)] == [False]


def test_pruning_keeps_the_largest_tenth_of_each_layer():
    whole, pruned = glorot_graph(0), glorot_graph(0, sparsity=0.9)
    for before, after in zip(whole.blocks, pruned.blocks, strict=True):
        kept = after.weights.data
        assert len(kept) == pytest.approx(0.1 * before.weights.nnz, abs=1)
        assert kept.min() >= np.quantile(before.weights.data, 0.9)


def test_a_finding_that_disagrees_is_told(capsys, monkeypatch):
    def wrong(_setting):
        yield Finding("something", "1", "2", agrees=False)
        yield Finding("something else", "1", "?")

    monkeypatch.setattr(checks_untrained, "fixture", wrong)
    check_neurons("1")
    out = capsys.readouterr().out
    assert "| 1 | something | 1 | 2 | NO |" in out
    assert "| 1 | something else | 1 | ? |  |" in out
