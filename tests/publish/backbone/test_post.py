"""Pushes to an HTTP server of this machine: signed, again where it is busy, each month counted once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cost_lakehouse.errors import PushFailed
from cost_lakehouse.publish.backbone import push as push_module
from cost_lakehouse.publish.backbone.push import push, pushes_due
from tests.publish.backbone.lakes import OCTOBER, PushingLake
from tests.publish.backbone.receiver import SECRET, Receiver
from tests.services.forward_proxy import ForwardProxy


def lake_that_posts(folder: Path, receiver: Receiver, **options: Any) -> PushingLake:
    target = {"name": "backbone", "to": receiver.address, "secret": SECRET, "writer": "acme-eu", **options}
    made = PushingLake(folder, [target])
    made.publish(OCTOBER, ["1.25", "2.5"])
    return made


def test_files_come_first_and_the_manifest_last_all_signed(tmp_path: Path) -> None:
    with Receiver() as receiver:
        made = lake_that_posts(tmp_path, receiver)
        report = push(made.lake, made.target("backbone"))

    (month,) = receiver.months.values()
    assert month["id"] == report.months[0].id
    assert month["totals"]["daily_costs"] == [
        {"currency": "USD", "rows": 2, "billed_cost": "3.75000000000000000000", "effective_cost": "1.87500000000000000000"}
    ]
    assert [path.split("-")[0] for path in receiver.files] == ["acme"]
    assert receiver.headers[-1]["content-type"] == "application/json"


def test_a_busy_server_is_asked_again_with_growing_pauses(tmp_path: Path) -> None:
    pauses: list[float] = []
    with Receiver(503, 429, 500) as receiver:
        made = lake_that_posts(tmp_path, receiver)
        push(made.lake, made.target("backbone"), sleep=pauses.append)

    assert pauses == [1.0, 2.0, 4.0]
    assert len(receiver.months) == 1


def test_a_server_that_stays_busy_fails_the_push_and_the_next_one_sends_it(tmp_path: Path) -> None:
    with Receiver(*[503] * 5) as receiver:
        made = lake_that_posts(tmp_path, receiver)
        with pytest.raises(PushFailed, match="the server answered 503") as caught:
            push(made.lake, made.target("backbone"), sleep=lambda seconds: None)
        assert "next run" in caught.value.fix
        assert pushes_due(made.lake, made.target("backbone"))

        push(made.lake, made.target("backbone"))

    assert len(receiver.months) == 1
    assert not pushes_due(made.lake, made.target("backbone"))


def test_killed_before_the_ledger_says_so_a_month_comes_twice_under_the_same_ids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with Receiver() as receiver:
        made = lake_that_posts(tmp_path, receiver)
        with monkeypatch.context() as patched:
            patched.setattr(push_module, "append_rows", killed)
            with pytest.raises(KeyboardInterrupt):
                push(made.lake, made.target("backbone"))
        push(made.lake, made.target("backbone"))

    assert len(receiver.ids) == 4
    assert len({*receiver.ids}) == 2
    assert len(receiver.months) == 1


def test_a_wrong_secret_is_told_at_once_and_never_shown(tmp_path: Path) -> None:
    with Receiver() as receiver:
        made = lake_that_posts(tmp_path, receiver, secret="another secret of 32 characters!")
        with pytest.raises(PushFailed, match="answered 401") as caught:
            push(made.lake, made.target("backbone"))

    assert len(receiver.headers) == 1
    assert "another secret" not in str(caught.value)


def test_it_goes_through_the_proxy_and_from_the_address_that_are_given(tmp_path: Path) -> None:
    with Receiver() as receiver, ForwardProxy() as proxy:
        made = lake_that_posts(tmp_path / "proxy", receiver, proxy=proxy.url)
        push(made.lake, made.target("backbone"))
        assert len(proxy.passed) == 2
        made = lake_that_posts(tmp_path / "address", receiver, source_address="127.0.0.9")
        push(made.lake, made.target("backbone"))

    assert receiver.came_from == {"127.0.0.1", "127.0.0.9"}


def test_nobody_there_is_told_without_the_address_path(tmp_path: Path) -> None:
    with Receiver() as receiver:
        made = lake_that_posts(tmp_path, receiver)
    pauses: list[float] = []

    with pytest.raises(PushFailed, match="cannot be reached") as caught:
        push(made.lake, made.target("backbone"), sleep=pauses.append)

    assert len(pauses) == 4
    assert "/costs" not in str(caught.value)
