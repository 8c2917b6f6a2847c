from jetlens.explanation.verdict import criteria, verdict


def content_of(matched, pt, seeds, random, labels=None, trainings=3):
    order = {"deletion": {"minus_matched": matched, "minus_pt": pt}}
    ways = {way: {"orders": {"m": order}} for way in ("masked", "replaced")}
    return {
        "tests": {"signal": ways},
        "events": {"signal": 10},
        "masked_judged_by": "itself",
        "agreement": {"between_seeds": {"m": seeds}},
        "random_weights": {"m": [{"randomised": 1.0, "rank_correlation": random}]},
        "random_labels": {"m": {"less": labels, "trainings": [0.0] * trainings}} if labels else {},
    }


GOOD = ([1.0, 0.1], [0.5, 0.1], [0.8, 0.02], [0.05, 0.05])


def test_words_follow_the_numbers():
    def word(*changed):
        return verdict(criteria("m", content_of(*changed)))

    assert word(*GOOD).startswith("can be believed")
    assert word(*GOOD).endswith("none of 7 tests, 1 of which could not be asked")
    assert word(*GOOD, [0.5, 0.1]).endswith("none of 7 tests")
    assert word(*GOOD, [0.1, 0.1]) == "believe it with care: it failed 1 of 7 tests"
    assert word(*GOOD, [0.5, float("nan")]).endswith("1 of which could not be asked")  # one training
    assert word([0.1, 0.1], *GOOD[1:]).startswith("cannot be believed")
    assert word(GOOD[0], [-0.5, 0.1], *GOOD[2:]).startswith("marks what decides, but so does a simple order")
    assert word(*GOOD[:2], [0.3, 0.1], GOOD[3]) == "believe it with care: it failed 1 of 6 tests"
    assert word(*GOOD[:3], [0.9, 0.1]) == "believe it with care: it failed 1 of 6 tests"
    assert (
        word(GOOD[0], [-0.5, 0.1], [0.3, 0.1], [0.9, 0.1])
        == "is hardly to be believed: it failed 4 of 6 tests"
    )
    assert word(*GOOD[:2], None, GOOD[3]).startswith("can be believed")
    assert word([float("nan")] * 2, *GOOD[1:]).startswith("not known")


def test_few_trainings_must_show_more():
    """3.3 standard errors of three trainings are p = 0.04, one-sided, of five p = 0.015: less likely than 2 of many."""
    passed = {n: criteria("m", content_of(*GOOD, [0.33, 0.1], n))[-1].passed for n in (1, 3, 5)}
    assert passed == {1: False, 3: False, 5: True}


def test_few_events_must_show_more():
    """Two and a half standard errors of 10 events are two of many (p = 0.017, 0.023), of four they are not (0.044)."""
    content = content_of([0.25, 0.1], *GOOD[1:])
    passed = {}
    for events in (1, 4, 10, 1000):
        content["events"]["signal"] = events
        passed[events] = criteria("m", content)[0].passed
    assert passed == {1: False, 4: False, 10: True, 1000: True}
