"""Tables for the small rooms: identity, guard, cursor, log, errors."""

import hashlib
import inspect
from itertools import permutations
from typing import Any

from kernel_modules import Kernel


def test_identity_pairs_one_and_one_and_holds_the_rest(kernel: Kernel) -> None:
    one, paired, ambiguous = kernel.identity.Candidate, kernel.identity.Paired, kernel.identity.Ambiguous
    crm, marketing = one("crm", "c"), one("marketing", "m")
    owned = {side: one(side, f"{side}!", 7) for side in ("crm", "marketing")}
    whole = {side: one(side, f"{side}!", 7, partner=True) for side in ("crm", "marketing")}
    table: list[tuple[tuple[Any, ...], Any]] = [
        ((), None), ((crm,), None), ((marketing,), None), ((whole["crm"], whole["marketing"]), None), ((owned["crm"],), None),
        ((crm, marketing), paired("c", "m")),
        ((owned["crm"], marketing), paired("crm!", "m", 7)), ((crm, owned["marketing"]), paired("c", "marketing!", 7)),
        ((crm, one("crm", "d")), "wait"), ((crm, one("crm", "d"), marketing), "wait"), ((marketing, one("marketing", "n"), crm), "wait"),
        ((whole["crm"], marketing), "wait"), ((crm, whole["marketing"]), "wait"), ((owned["crm"], crm), "wait"),
        ((owned["crm"], crm, marketing), "wait"), ((whole["crm"], whole["marketing"], crm), "wait"),
        ((owned["crm"], one("crm", "x", 8), marketing), "wait"),
    ]  # fmt: skip
    for group, expected in table:
        for order in permutations(group):
            answer = kernel.identity.match(order)
            if expected != "wait":
                assert answer == expected, group
            else:
                assert isinstance(answer, ambiguous) and answer.reason, group
                assert set(answer.refs) == {(c.side, c.ref) for c in group if c.contact_id is None}, group
    unborn = {side: one(side, f"{side}?", 9, unborn=True) for side in ("crm", "marketing")}
    for group, loose in (
        ((whole["crm"], crm, unborn["marketing"]), {("crm", "c"), ("marketing", "marketing?")}),
        ((crm, one("crm", "d"), unborn["marketing"]), {("crm", "c"), ("crm", "d"), ("marketing", "marketing?")}),
        ((unborn["marketing"], marketing), {("marketing", "m")}),
    ):
        assert set(kernel.identity.match(group).refs) == loose
    assert kernel.identity.match((crm, unborn["marketing"])) == paired("c", "marketing?", 9)


def test_A_07_addresses_compare_as_people_mean_them(kernel: Kernel) -> None:
    key = kernel.identity.address_key
    same = [
        (" Ann@People.example ", "ann@people.example"), ("re\u0301ne@people.example", "r\u00e9ne@people.example"),
        ("a@b\u00fccher.example", "a@xn--bcher-kva.example"), ("a@BU\u0308CHER.example", "a@b\u00fccher.example"),
    ]  # fmt: skip
    different = [
        ("\u0430nn@people.example", "ann@people.example"), ("a+b@people.example", "a@people.example"),
        ("gro\u00df@people.example", "gross@people.example"), ("a@stra\u00dfe.example", "a@strasse.example"),
        ("\u017fam@people.example", "sam@people.example"),
    ]  # fmt: skip
    assert all(key(one) == key(two) for one, two in same), [(key(one), key(two)) for one, two in same]
    assert all(key(one) != key(two) for one, two in different), [(key(one), key(two)) for one, two in different]
    assert [key(value) for value in (None, "", "  ", 5, kernel.records.MISSING)] == [None] * 5
    assert key("no address") == "no address" and key("a@b..example") == "a@b..example"
    assert [kernel.identity.text_key(value) for value in (None, " ", 5, " Straße ")] == [None, None, None, "strasse"]


def test_guard_stops_above_the_limit_and_never_for_a_handful(kernel: Kernel) -> None:
    limit = kernel.mapping.Limit
    table = [
        # limit, linked before, planned, allowed or None when it may go
        (limit(share=0.01), 1_000, 10, None), (limit(share=0.01), 1_000, 11, 10), (limit(share=0.01), 40, 5, None),
        (limit(share=0.01), 40, 6, 5), (limit(share=0.29), 100, 29, None), (limit(share=0.29), 100, 30, 29),
        (limit(share=0.07), 100, 7, None),
        (limit(count=0), 1_000, 1, 0), (limit(count=0), 1_000, 0, None), (limit(count=3), 10, 3, None), (limit(count=3), 10, 4, 3),
        (limit(count=3, share=0.5), 1_000, 4, 3), (limit(count=900, share=0.5), 1_000, 501, 500), (limit(), 0, 9_999, None),
        (limit(share=0.0), 1_000, 5, None), (limit(share=0.0), 1_000, 6, 5), (limit(share=1.0), 0, 100, 5),
    ]  # fmt: skip
    for one, linked, planned, allowed in table:
        for name, total in (("deletes", "archives"), ("blanks", "blanks"), ("unsubscribes", "unsubscribes"), ("overwrites", "overwrites")):
            trips = kernel.guard.weigh({total: planned}, {name: one}, linked)
            assert [(trip.limit, trip.planned, trip.allowed) for trip in trips] == ([] if allowed is None else [(name, planned, allowed)])
    first_load = {"links": 600, "creates": 400, "overwrites": 200}
    assert not kernel.guard.weigh(first_load, {"overwrites": limit(share=0.2)}, 0)
    assert str(kernel.guard.weigh({"archives": 9}, {"deletes": limit(count=1)}, 0)[0]) == "9 deletes planned, 1 allowed"


def test_H_01_a_side_that_is_suddenly_empty(kernel: Kernel) -> None:
    assert [kernel.guard.emptied(*numbers) for numbers in ((20_000, 0), (1, 0), (0, 0), (5, 1), (0, 7))] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_cursors_overlap_and_never_go_back(kernel: Kernel) -> None:
    make, second = kernel.cursor.Cursor, 1_000_000
    assert kernel.cursor.since_us(make(100 * second), 30) == 70 * second and kernel.cursor.since_us(make(5), 30) == 0
    assert kernel.cursor.within(make(10, "b"), 10, "a") == make(10, "b") and kernel.cursor.within(make(10, "b"), 9, "z") == make(10, "b")
    assert kernel.cursor.within(make(10, "b"), 10, "c") == make(10, "c") and kernel.cursor.within(make(10, "b"), 11, "a") == make(11, "a")
    assert kernel.cursor.finished(make(10, "b"), 9) == make(10, "b") and kernel.cursor.finished(make(10, "b"), 12) == make(12)
    assert kernel.cursor.finished(make(10, "b"), 10) == make(10, "b"), "an equal stamp keeps the ref"
    assert kernel.cursor.finished(make(10, "b", "page 3"), 9).token is None, "a finished listing goes on nowhere"


def _naive_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word by word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b"\x01" + _naive_root(leaves[:half]) + _naive_root(leaves[half:])).digest()


def test_the_frontier_is_the_tree_of_rfc_6962(kernel: Kernel) -> None:
    frontier, leaves = kernel.log.Frontier(), []
    for size in range(201):
        assert frontier.root() == _naive_root(leaves) and frontier.size == size and len(frontier.nodes) == size.bit_count()
        leaf = kernel.log.leaf_hash(size + 1, kernel.log.framed(("change", "x")), bytes([size]))
        leaves.append(leaf)
        frontier.append(leaf)


def test_every_change_of_the_log_shows_in_the_root(kernel: Kernel) -> None:
    log = kernel.log

    def root(rows: list[tuple[int, tuple[str, ...], bytes]]) -> bytes:
        frontier = log.Frontier()
        for seq, head, commit in rows:
            frontier.append(log.leaf_hash(seq, log.framed(head), commit))
        return frontier.root()

    rows = [(seq, ("change", f"field {seq}", "crm"), log.commitment(b"key", '"old"', f'"{seq}"', "ref")) for seq in range(1, 8)]
    whole, roots = root(rows), set()
    for index, (seq, head, commit) in enumerate(rows):
        rest = rows[:index], rows[index + 1 :]
        roots |= {root([*rest[0], *rest[1]]), root([*rest[0], rows[index], rows[index], *rest[1]]), root(rows[:index])}
        for forged in (
            (seq + 100, head, commit),
            (seq, (*head[:1], "other", *head[2:]), commit),
            (seq, head, commit[::-1]),
            (seq, head[:2], commit),
        ):
            roots.add(root([*rest[0], forged, *rest[1]]))
        roots |= {root([*rest[0], rows[(index + 1) % 7], *rest[1]]), root([*rows[index:], *rows[:index]]) if index else b""}
    assert whole not in roots and len(roots) > 40
    shifted = [("ab", "c"), ("a", "bc"), ("a", "b", "c"), ("abc",), ("a\x1fb", "c"), ("a", "b\x1fc"), ("", "abc")]
    assert len({log.leaf_hash(1, log.framed(head), b"") for head in shifted}) == len(shifted)
    assert log.leaf_hash(12, log.framed(("link",)), b"!") == hashlib.sha256(b"\x002:124:link!").digest()
    assert log.node_hash(b"l", b"r") == hashlib.sha256(b"\x01lr").digest()


def test_a_commitment_hides_and_binds(kernel: Kernel) -> None:
    commit = kernel.log.commitment
    parts = [
        (b"key", '"a"', '"b"', "r"),
        (b"yek", '"a"', '"b"', "r"),
        (b"key", '"b"', '"a"', "r"),
        (b"key", '"a"', '"b"', "s"),
        (b"key", '"ab"', '""', "r"),
    ]
    assert len({commit(*each) for each in parts}) == len(parts) and all(len(commit(*each)) == 32 for each in parts)
    assert commit(*parts[0]) != hashlib.sha256(b'"a"\x1f"b"\x1fr').digest(), "an unkeyed hash of an address can be guessed"


def test_the_log_folds_to_links_view_and_state(kernel: Kernel) -> None:
    entry = kernel.log.Entry
    created = entry("create", 1, new={"refs": {"crm": "c"}, "view": {"last": "Kelly"}})
    receipt = entry("receipt", new={"results": [[1, "ok"]], "refs": [[1, "marketing", "m"]]})
    change = entry("change", 1, "last", new="Byrne")
    table: list[tuple[list[Any], tuple[dict[str, str], dict[str, str], str]]] = [
        ([created], ({"crm": "c"}, {"last": "Kelly"}, "active")),
        ([created, receipt, change], ({"crm": "c", "marketing": "m"}, {"last": "Byrne"}, "active")),
        ([created, entry("rebind", 1, side="crm", new="d")], ({"crm": "d"}, {"last": "Kelly"}, "active")),
        ([created, entry("rebind", 1, side="crm", new=None)], ({}, {"last": "Kelly"}, "active")),
        ([created, entry("delete", 1, side="crm")], ({"crm": "c"}, {"last": "Kelly"}, "active")),
        ([created, entry("archive", 1)], ({"crm": "c"}, {"last": "Kelly"}, "deleted")),
        ([created, entry("archive", 1), entry("restore", 1)], ({"crm": "c"}, {"last": "Kelly"}, "active")),
        ([created, entry("unlink", 1), entry("revive", 1)], ({"crm": "c"}, {"last": "Kelly"}, "active")),
        ([created, entry("unlink", 1)], ({"crm": "c"}, {"last": "Kelly"}, "unlinked")),
        ([created, entry("merge", 1)], ({"crm": "c"}, {"last": "Kelly"}, "merged")),
        ([created, entry("erase", 1)], ({"crm": "c"}, {}, "erased")),
        ([created, entry("hold", 1, "last"), entry("config"), entry("change", 1, None)], ({"crm": "c"}, {"last": "Kelly"}, "active")),
    ]
    for entries, expected in table:
        one = kernel.log.fold(entries)[1]
        assert (one.refs, one.view, one.state) == expected, entries
    assert kernel.log.fold([entry("config"), entry("approval")]) == {}


def test_every_error_says_what_to_do_next(kernel: Kernel) -> None:
    errors = kernel.errors
    classes = [one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, errors.SyncError)]
    by_recovery = {kind: {one.__name__ for one in classes if one.recovery.value == kind} for kind in ("stop", "retry", "reread", "hold")}
    assert by_recovery == {
        "stop": {"SyncError", "UsageError", "MappingError", "AuthFailed", "Forbidden", "SchemaDrift", "GuardTripped", "LogBroken",
                 "CursorRegressed", "LockHeld"},
        "retry": {"Unreachable", "RateLimited", "BudgetSpent"},
        "reread": {"Stale", "Vanished", "Merged", "AlreadyExists", "OutcomeUnknown"},
        "hold": {"Rejected", "ConsentRefused", "Ambiguous", "UnknownChoice"},
    }  # fmt: skip
    codes = {one.__name__: one.exit_code for one in classes}
    assert all(1 <= code <= 5 for code in codes.values()) and {
        codes[name] for name in ("GuardTripped", "LockHeld", "Unreachable", "AuthFailed")
    } == {2, 3, 4, 5}
    assert all(one.__doc__ for one in classes)
    assert str(errors.UnknownChoice("not in the table", detail="ann@people.example")) == "not in the table"
    assert errors.MappingError(("a:1: x", "a:2: y")).problems == ("a:1: x", "a:2: y")
    assert errors.RateLimited("wait", after_s=10).after_s == 10 and errors.Merged("gone", into="7").into == "7"
    assert errors.AlreadyExists("there", ref="7").ref == "7" and errors.AlreadyExists("there").ref is None


def test_three_kinds_of_nothing(kernel: Kernel) -> None:
    blank, missing = kernel.records.is_blank, kernel.records.MISSING
    assert [blank(value) for value in (None, "", (), missing, 0, False, " ", ("a",))] == [True] * 3 + [False] * 5
    assert (
        not missing and repr(missing) == "MISSING" and [kernel.records.other(side) for side in ("crm", "marketing")] == ["marketing", "crm"]
    )


def test_lenses_compose_and_obey_their_laws(kernel: Kernel) -> None:
    lens = kernel.lens
    scale = lens.Step(get=lambda v: v * 20, put=lambda v: v // 20)
    text = lens.Step(get=int, put=str)
    both = lens.at("n", lens.compose(text, scale))
    for value in (0, 20, 100):
        native = {"n": "1", "other": "x"}
        changed = {**native, **both.put(value, native)}
        assert both.get(changed) == value and changed["other"] == "x"
        assert both.put(both.get(changed), changed) == {"n": changed["n"]}
    assert both.get({"other": 1}) is kernel.records.MISSING and both.names == ("n",)
    assert lens.compose(lens.IDENTITY, scale) is scale and lens.compose(scale, lens.IDENTITY) is scale
    short = lens.Step(get=lambda v: v, put=lambda v: v[:2], lossy=True)
    one_way = lens.Step(get=lambda v: v, put=lambda v: v, two_way=False)
    for joined in (lens.compose(short, one_way), lens.compose(one_way, short)):
        assert (joined.lossy, joined.two_way) == (True, False)
    assert lens.project(lens.at("n", short), "long", {}) == "lo" and lens.project(both, 30, {}) == 30
