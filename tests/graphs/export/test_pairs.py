from graphs.export.pairs import pair_table


def test_links_by_pair_and_depth(dynamic):
    table = pair_table(dynamic)
    assert table.pairs.tolist() == [[0, 1], [0, 2], [1, 3], [2, 3]]
    assert table.starts.tolist() == [0, 3, 4, 5, 7]
    assert table.positions.tolist() == [0, 1, 2, 0, 2, 1, 2]
    assert table.weights.tolist() == [0.5, 0.75, 0.125, 0.25, 0.5, 1.0, 0.25]


def test_layers_are_taken_in_depth_order(make_dynamic):
    table = pair_table(make_dynamic(indices=[9, 4, 6]))
    assert table.positions.tolist() == [1, 2, 0, 0, 2, 1, 2]


def test_no_edges(make_dynamic):
    table = pair_table(make_dynamic([{}, {}]))
    assert table.pairs.shape == (0, 2)
    assert table.starts.tolist() == [0]
