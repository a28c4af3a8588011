from hakobu.daemon.rootless.subid import Maps, plan_maps, ranges

LINES = ["# comment", "alice:100000:65536", "bob:200000:65536", "1000:300000:10", "alice:x:1", "alice:5:0", ""]


def test_a_user_is_named_by_name_or_number() -> None:
    assert ranges(LINES, "alice", 1000) == ((100000, 65536), (300000, 10))
    assert ranges(LINES, "carol", 7) == ()


def test_root_inside_is_the_user_and_ranges_follow() -> None:
    maps = plan_maps(1000, 100, [(100000, 65536), (300000, 10)], [(100000, 65536)], helpers=True)
    assert maps == Maps(
        ((0, 1000, 1), (1, 100000, 65536), (65537, 300000, 10)), ((0, 100, 1), (1, 100000, 65536)), subordinate=True
    )


def test_without_ranges_or_helpers_there_is_one_id() -> None:
    one = Maps(((0, 1000, 1),), ((0, 100, 1),), subordinate=False)
    assert plan_maps(1000, 100, [(1, 2)], [(1, 2)], helpers=False) == one
    assert plan_maps(1000, 100, [], [(1, 2)], helpers=True) == one
    assert plan_maps(1000, 100, [(1, 2)], [], helpers=True) == one
