"""The tables flows and events of three layers made by hand."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_mutual_info_score

from graphs.communities import number_by_size
from graphs.matching import match_series
from graphs.temporal_rows import agreement_columns, event_rows, flow_rows

# 0 and 1 merge, then all stays as it is
LAYERS = [[0] * 4 + [1] * 3 + [2] * 2, [0] * 7 + [1] * 2, [1] * 7 + [0] * 2]


@pytest.fixture
def nodes():
    frames = []
    for index, (plain, matched) in enumerate(zip(LAYERS, match_series(LAYERS), strict=True)):
        frames.append(
            pd.DataFrame(
                {
                    "variant": "pgd",
                    "repeat": np.int32(3),
                    "layer_index": np.int32(2 * index),
                    "layer": "abc"[index],
                    "node": np.arange(9),
                    "community": number_by_size(plain),
                    "matched": matched,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def test_flows(nodes):
    flows = flow_rows(nodes)
    assert (flows["variant"] == "pgd").all()
    assert (flows["repeat"] == 3).all()
    columns = ["layer_index", "next_layer_index", "matched", "next_matched", "count", "jaccard"]
    assert flows[columns].to_numpy().tolist() == [
        [0, 2, 0, 0, 4, 4 / 7],
        [0, 2, 1, 0, 3, 3 / 7],
        [0, 2, 2, 2, 2, 1],
        [2, 4, 0, 0, 7, 1],
        [2, 4, 2, 2, 2, 1],
    ]
    assert flows["layer"].tolist() == [*"aaabb"]
    assert flows["next_layer"].tolist() == [*"bbbcc"]
    # numbers in the layers: by size
    assert flows["community"].tolist() == [0, 1, 2, 0, 1]
    assert flows["next_community"].tolist() == [0, 0, 1, 0, 1]


def test_events(nodes):
    (event,) = event_rows(nodes).to_dict("records")
    assert event == {
        "variant": "pgd",
        "repeat": 3,
        "layer_index": 2,
        "layer": "b",
        "event": "merge",
        "matched": 0,
        "size": 7,
        "others": "0,1",
        "jaccard": 4 / 7,
    }
    # 3 of 7 is not half: the smaller one dies
    (death,) = event_rows(nodes, threshold=0.5).to_dict("records")
    assert (death["event"], death["matched"], death["others"]) == ("death", 1, "0")


def test_agreement_with_the_layer_before(nodes):
    found = agreement_columns(nodes)
    assert found.iloc[0].isna().all()
    expected = adjusted_mutual_info_score(LAYERS[0], LAYERS[1])
    assert found["ami_previous"].tolist()[1:] == pytest.approx([expected, 1])
    assert found["ari_previous"].tolist()[2] == 1


def test_one_layer_has_tables_without_rows(nodes):
    single = nodes.loc[nodes["layer_index"] == 0]
    for whole, part in [(flow_rows(nodes), flow_rows(single)),
                        (event_rows(nodes), event_rows(single))]:  # fmt: skip
        assert part.empty
        assert part.dtypes.equals(whole.dtypes)
    assert len(agreement_columns(single)) == 1
