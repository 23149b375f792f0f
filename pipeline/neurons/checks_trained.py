"""Checks of trained networks: MNIST and Fashion-MNIST, pruned and not, and what lesions cost."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from graphs.lesions import summarize_lesions
from graphs.tables import read_frame
from graphs.weight_shuffles import NULLS, NullName
from pipeline.neurons.checks import CheckSetting, Finding
from pipeline.neurons.lesion_command import lesion_neurons
from pipeline.neurons.trained_networks import (
    CLUSTERS,
    CONDITIONS,
    Measured,
    measure,
    train_condition,
)


def unpruned(setting: CheckSetting) -> Iterator[Finding]:
    """Check 6: MNIST before pruning."""
    yield _condition(
        setting, "mnist", pruned=False, nulls=("layer",), expected={"": 10.0, "layer": 10.16}
    )


def pruned_mnist(setting: CheckSetting) -> Iterator[Finding]:
    """Check 7: MNIST after pruning."""
    expected = {"": 8.95, "layer": 9.18, "layer_nonzero": 9.08}
    yield _condition(setting, "mnist", pruned=True, nulls=NULLS, expected=expected)


def dropout(setting: CheckSetting) -> Iterator[Finding]:
    """Check 8: the same with dropout."""
    expected = {"": 8.35, "layer": 9.25, "layer_nonzero": 8.59}
    yield _condition(setting, "mnist-dropout", pruned=True, nulls=NULLS, expected=expected)


def fashion(setting: CheckSetting) -> Iterator[Finding]:
    """Check 9: Fashion-MNIST, without and with dropout."""
    plain = {"": 8.65, "layer": 9.03, "layer_nonzero": 8.83}
    yield _condition(setting, "fashion", pruned=True, nulls=NULLS, expected=plain)
    dropped = {"": 8.1, "layer": 9.13, "layer_nonzero": 8.44}
    yield _condition(setting, "fashion-dropout", pruned=True, nulls=NULLS, expected=dropped)


def four_clusters(setting: CheckSetting) -> Iterator[Finding]:
    """Check 10: four clusters instead of twelve."""
    figures = {
        "mnist": (2.00, 2.04),
        "mnist-dropout": (1.84, 2.04),
        "fashion": (1.88, 1.99),
        "fashion-dropout": (1.73, 2.01),
    }
    for name, (own, layer) in figures.items():
        expected = {"": own, "layer": layer}
        yield _condition(
            setting, name, pruned=True, nulls=("layer",), expected=expected, clusters=4
        )


def order(setting: CheckSetting) -> Iterator[Finding]:
    """Check 11: what lowers the n-cut, and what L1 does."""
    for data in ("mnist", "fashion"):
        means = [
            float(np.mean([m.ncut for m in _measured(setting, name, pruned=state)]))
            for state in (True, False)
            for name in (f"{data}-dropout", data)
        ]
        yield Finding(
            f"{data}: n-cut of pruned + dropout, pruned, unpruned + dropout, unpruned",
            "rising",
            ", ".join(f"{mean:.2f}" for mean in means),
            means[0] < means[1] < means[2] <= means[3] + 0.02,
        )
    for state in (False, True):
        found = measure(setting, "mnist-l1", 0, pruned=state, nulls=("layer",))
        test = found.nulls["layer"]
        yield Finding(
            f"mnist, L1, {_state(state)}, 1 network: n-cut; of shuffles",
            "10.06; 2.72 (far above)" if state else "9.06; 6.50 (far above)",
            f"{found.ncut:.2f}; {test.mean:.2f} (z {test.z:+.0f})",
            test.z > 3,
        )


def accuracies(setting: CheckSetting) -> Iterator[Finding]:
    """Check 12: accuracies on the test images."""
    figures = {
        "mnist": (0.980, 0.984),
        "mnist-dropout": (0.980, 0.979),
        "fashion": (0.891, 0.894),
        "fashion-dropout": (0.872, 0.867),
    }
    for name, expected in figures.items():
        histories = [train_condition(setting, name, s).history for s in range(setting.networks)]
        for phase, value in zip(("train", "prune"), expected, strict=True):
            found = [h.loc[h["phase"] == phase, "test_accuracy"].iloc[-1] for h in histories]
            yield Finding(
                f"{name}, {_state(phase == 'prune')}, accuracy",
                f"{value:.3f}",
                _spread(found, digits=4),
                abs(float(np.mean(found)) - value) < 0.006,
            )


def lesions(setting: CheckSetting) -> Iterator[Finding]:
    """Check 13: ten clusters, 100 random sets a module, two networks."""
    figures = {
        "mnist": ("24 modules, 10 important, of which 7 of 7 in the last hidden layer", "1 to 26"),
        "mnist-dropout": ("23 modules, 7 important, of which 2 in the last hidden layer", "to 13"),
    }
    for name, (expected, drops) in figures.items():
        trained = train_condition(setting, name, 0)
        out = setting.out / f"{name}-s0-lesions"
        weights = str(trained.pruned)
        model = CONDITIONS[name].model
        lesion_neurons(out, model=model, weights=weights, dataset="mnist", data=setting.data)
        table = read_frame(out / "metrics" / "lesions.parquet", "lesions")
        important = table[table["kind"] == "important"]
        last = int((important["layer"] == table["layer"].iloc[-1]).sum())
        kinds = ", ".join(f"{n} {kind}" for kind, n in summarize_lesions(table).items())
        yield Finding(
            f"{name}, pruned",
            expected,
            f"{len(table)} modules: {kinds}; {last} of the important in the last hidden layer",
        )
        lost = 100 * important["lost"]
        yield Finding(
            f"{name}: points lost with important modules",
            drops,
            f"{lost.min():.1f} to {lost.max():.1f}" if len(lost) else "none",
        )
        pairs = read_frame(out / "metrics" / "dependencies.parquet", "dependencies")
        published = {
            "mnist": "23 pairs: 3 one-path, 11 earlier-through-later, 1 later-on-earlier, 8 none",
            "mnist-dropout": "14 pairs: 7 earlier-through-later, 7 none",
        }
        counts = pairs["kind"].value_counts(sort=False).sort_index()
        yield Finding(
            f"{name}: pairs of important modules",
            published[name],
            f"{len(pairs)} pairs: " + ", ".join(f"{n} {kind}" for kind, n in counts.items()),
        )


def regularized(setting: CheckSetting) -> Iterator[Finding]:
    """Check 15: 7x7 MNIST with a penalty on the eigenvalues; a rate of .05 is the published one."""
    published = {
        "small": ("10.02 (10.03), .957", "7.11 (7.43), .934"),
        "small-rescale": ("-", "-"),
        "small-gradient": ("-", "-"),
        "small-halfgradient": ("8.93 (8.14), .959", "5.51 (6.31), .896"),
    }
    what = {
        "small": "no penalty",
        "small-rescale": "no penalty, neurons rescaled",
        "small-gradient": "rate .1",
        "small-halfgradient": "rate .05",
    }
    for name, expected in published.items():
        history = train_condition(setting, name, 0).history
        for state, words in zip((False, True), expected, strict=True):
            found = measure(setting, name, 0, pruned=state, nulls=("layer",))
            phase = "prune" if state else "train"
            accuracy = history.loc[history["phase"] == phase, "test_accuracy"].iloc[-1]
            yield Finding(
                f"7x7, {what[name]}, {_state(state)}: n-cut (shuffles), accuracy",
                words,
                f"{found.ncut:.2f} ({found.nulls['layer'].mean:.2f}), {accuracy:.3f}",
            )


def clusterable_trained(setting: CheckSetting) -> Iterator[Finding]:
    """Check 16: clusterable initial weights, after training."""
    for state, own, layer in ((False, 8.72, 10.06), (True, 5.75, 9.20)):
        expected = {"": own, "layer": layer}
        yield _condition(
            setting, "mnist-init", pruned=state, nulls=("layer",), expected=expected, networks=1
        )


def halves(setting: CheckSetting) -> Iterator[Finding]:
    """Check 17: two images of any classes against two of one class."""
    for name, own, layer in (("mnist-halves-same", 8.92, 9.04), ("mnist-halves-diff", 8.46, 9.18)):
        expected = {"": own, "layer": layer}
        yield _condition(
            setting, name, pruned=True, nulls=("layer",), expected=expected, networks=1
        )


def _measured(setting: CheckSetting, name: str, *, pruned: bool) -> list[Measured]:
    return [measure(setting, name, seed, pruned=pruned) for seed in range(setting.networks)]


def _condition(
    setting: CheckSetting,
    name: str,
    *,
    pruned: bool,
    nulls: Sequence[NullName],
    expected: Mapping[str, float],
    clusters: int = CLUSTERS,
    networks: int | None = None,
) -> Finding:
    """Measure a few networks and put their n-cut and nulls into one line."""
    count = networks or setting.networks
    found = [
        measure(setting, name, seed, pruned=pruned, nulls=nulls, clusters=clusters)
        for seed in range(count)
    ]
    own = [one.ncut for one in found]
    words = [_spread(own)]
    for null in nulls:
        tests = [one.nulls[null] for one in found]
        below = sum(test.at_most == 0 for test in tests)
        mean = float(np.mean([test.mean for test in tests]))
        z = _spread([test.z for test in tests], digits=1)
        words.append(f"{null} {mean:.2f} (z {z}; {below} of {count} below all)")
    near = abs(float(np.mean(own)) - expected[""]) < 0.02 * expected[""]
    said = [f"{expected['']:.2f}"]
    said += [f"{null} {expected[null]:.2f}" for null in nulls if null in expected]
    networks_word = "1 network" if count == 1 else f"{count} networks"
    return Finding(
        f"{name}, {_state(pruned)}, K = {clusters}, {networks_word}",
        "; ".join(said),
        "; ".join(words),
        near,
    )


def _state(pruned: object) -> str:
    return "pruned" if pruned else "unpruned"


def _spread(values: Sequence[float], *, digits: int = 2) -> str:
    low, high = f"{min(values):.{digits}f}", f"{max(values):.{digits}f}"
    return low if low == high else f"{low} to {high}"
