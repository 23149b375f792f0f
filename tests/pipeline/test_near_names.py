from pipeline.near_names import near_names


def test_the_nearest_comes_first():
    assert near_names("layer1.3", ["layer2.0", "layer1.2", "fc"])[0] == "layer1.2"


def test_case_does_not_matter_and_names_that_differ_by_case_are_both_kept():
    assert near_names("nim", ["NIN", "nin", "other"]) == ["NIN", "nin"]


def test_a_few_names_when_nothing_is_near():
    assert near_names("zzzzzz", ["a", "b", "c"], limit=2) == ["a", "b"]


def test_nothing_to_choose_from():
    assert near_names("a", []) == []
