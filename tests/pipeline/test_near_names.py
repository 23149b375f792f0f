from pipeline.near_names import near_names, suggest


def test_the_nearest_comes_first():
    assert near_names("layer1.3", ["layer2.0", "layer1.2", "fc"])[0] == "layer1.2"


def test_case_does_not_matter_and_names_that_differ_by_case_are_both_kept():
    assert near_names("nim", ["NIN", "nin", "other"]) == ["NIN", "nin"]


def test_of_equals_the_one_that_begins_alike_comes_first():
    names = ["resnet14", "resnet32", "resnet20"]
    assert near_names("resnet21", names)[0] == "resnet20"
    assert near_names("resnett", names) == names


def test_what_is_not_near_is_not_called_near():
    assert suggest("nope*", ["relu", "fc"]) == "no name is near; there are relu, fc"


def test_a_few_names_when_nothing_is_near():
    assert near_names("zzzzzz", ["a", "b", "c"], limit=2) == ["a", "b"]


def test_nothing_to_choose_from():
    assert near_names("a", []) == []
