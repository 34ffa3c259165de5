"""A look at an organisation puts on record what differs, whole or not at all, and changes nothing that is on record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from cost_lakehouse.accounts.changes import AccountsRead, changes_of, read_accounts
from cost_lakehouse.accounts.log import append_rows, last_rows
from cost_lakehouse.config import load_settings
from cost_lakehouse.errors import CostLakehouseError, LakeError, SourceError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.manifests import data_files
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.maintenance.maintain import maintain
from cost_lakehouse.sources.aws.organizations import READS, Account, Organization
from tests.services.organizations import KEYS, Fault, OrganizationsServer

PAYER, OTHER_PAYER = "111122223333", "444455556666"
LOG = "raw.aws_accounts"


@pytest.fixture
def aws() -> Iterator[OrganizationsServer]:
    with OrganizationsServer(PAYER) as server:
        yield server


class Office:
    """A lake, and the organisations that are configured for it."""

    def __init__(self, folder: Path, **organizations: Any) -> None:
        file = folder / "lakehouse.yaml"
        made = [
            {"name": name, **(given if isinstance(given, dict) else {"endpoint": given.endpoint, **KEYS})}
            for name, given in organizations.items()
        ]
        file.write_text(yaml.safe_dump({"organizations": made}), encoding="utf-8")
        self.settings = load_settings(file)
        self.lake = Lake(self.settings)

    def read(self, name: str = "acme") -> AccountsRead:
        return read_accounts(self.lake, self.settings, self.settings.organization(name))

    def told(self, name: str = "acme") -> set[tuple[str, str, str]]:
        return {(change.account_name, change.what, change.detail) for change in self.read(name).changes}

    def rows(self, columns: str = "account_name, is_gone") -> list[tuple[Any, ...]]:
        with connect(self.lake, [LOG]) as connection:
            return connection.execute(f"select {columns} from {LOG} order by seen_at, account_name").fetchall()

    @property
    def snapshot(self) -> int | None:
        current = self.lake.table(LOG).current_snapshot()
        return current.snapshot_id if current else None


def test_names_units_and_tags_are_read_over_several_pages(aws: OrganizationsServer, tmp_path: Path) -> None:
    engineering = aws.add_unit("Engineering")
    production = aws.add_unit("Production", engineering)
    shop = aws.add_account("shop", production, {"team": "shop", "cost-center": "7 🌍"})
    for number in range(21):  # AWS gives 20 a page
        aws.add_account(f"sandbox-{number:02d}", engineering)

    read = Office(tmp_path, acme=aws)
    found = read.read()

    assert (found.organization_id, found.accounts, len(found.changes)) == (aws.id, 23, 23)
    columns = "account_id, account_name, account_state, unit_name, unit_path, tags, management_account_id, source"
    (row,) = [entry for entry in read.rows(columns) if entry[1] == "shop"]
    tags = {"team": "shop", "cost-center": "7 🌍"}
    assert row == (shop, "shop", "ACTIVE", "Production", "Root/Engineering/Production", tags, PAYER, "acme")
    assert aws.asked.count("ListAccounts") == 2
    (ids,) = {entry[0] for entry in read.rows("unit_id_path, account_name") if entry[1] == "shop"}
    assert ids == f"{aws.root}/{engineering}/{production}"


def test_a_second_look_with_the_same_answer_changes_nothing(aws: OrganizationsServer, tmp_path: Path) -> None:
    aws.add_account("shop", tags={"team": "shop"})
    office = Office(tmp_path, acme=aws)
    assert len(office.read().changes) == 2
    before, rows = office.snapshot, office.rows("*")

    assert office.read().changes == ()

    assert office.snapshot == before
    assert office.rows("*") == rows


def test_what_becomes_of_accounts_is_added_and_nothing_on_record_changes(aws: OrganizationsServer, tmp_path: Path) -> None:
    unit = aws.add_unit("Production")
    shop, old, tagged = (aws.add_account(name) for name in ("shop", "old", "tagged"))
    office = Office(tmp_path, acme=aws)
    office.read()
    first = office.rows("*")
    aws.rename(shop, "web shop")
    aws.remove(old)
    aws.backend.tag_resource(ResourceId=tagged, Tags=[{"Key": "team", "Value": "data"}])
    aws.add_account("fresh", unit)

    assert office.told() == {
        ("web shop", "changed", "name; it was shop"),
        ("old", "gone", ""),
        ("tagged", "changed", "tags"),
        ("fresh", "new", ""),
    }
    second = office.rows("*")
    assert second[: len(first)] == first
    assert len(second) == len(first) + 4
    aws.move(tagged, unit)
    assert office.told() == {("tagged", "changed", "organisational unit, name of the unit, path")}
    assert office.told() == set()
    assert office.rows("*")[: len(second)] == second


FAULTS = {
    "Only the organisation's management account": Fault("ListRoots", "AccessDeniedException", 99),
    "ListTagsForResource (not with `tags: false`)": Fault("ListTagsForResource", "AccessDeniedException", 1, after=2),
    "AWS Organizations refuses: access is denied": Fault("ListAccountsForParent", "AccessDeniedException", 1, after=1),
    "the account that asks is in no organisation": Fault("DescribeOrganization", "AWSOrganizationsNotInUseException"),
    "AWS does not know the access key": Fault("ListAccounts", "UnrecognizedClientException", 1, after=1),
}


def test_a_look_that_fails_half_way_changes_nothing(aws: OrganizationsServer, tmp_path: Path) -> None:
    for number in range(21):
        aws.add_account(f"sandbox-{number:02d}")
    office = Office(tmp_path, acme=aws)
    office.read()
    before = office.snapshot
    aws.add_account("fresh")
    for says, fault in FAULTS.items():
        aws.asked.clear()
        aws.faults[:] = [fault]

        with pytest.raises(SourceError) as told:
            office.read()

        assert says in str(told.value)
        assert KEYS["secret_key"] not in str(told.value)
        assert office.snapshot == before
    aws.faults.clear()
    assert office.told() == {("fresh", "new", "")}


def test_throttling_is_waited_for(aws: OrganizationsServer, tmp_path: Path) -> None:
    aws.faults.append(Fault("ListAccountsForParent", "TooManyRequestsException", 1))
    assert Office(tmp_path, acme=aws).read().accounts == 1
    assert aws.asked.count("ListAccountsForParent") == 2


def test_tags_are_left_alone_where_nobody_wants_them(aws: OrganizationsServer, tmp_path: Path) -> None:
    aws.add_account("shop", tags={"team": "shop"})
    office = Office(tmp_path, acme={"endpoint": aws.endpoint, "tags": False, **KEYS})
    office.read()
    assert {row[0] for row in office.rows("tags")} == {None}
    assert "ListTagsForResource" not in aws.asked


def test_an_organisation_that_changes_while_it_is_read_is_read_again(
    aws: OrganizationsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = aws.add_unit("Production")
    shop = aws.add_account("shop", unit)
    office = Office(tmp_path, acme=aws)
    office.read()
    before = office.snapshot
    moves: list[Callable[[], object]] = []
    plain = aws.backend.list_accounts_for_parent

    def moving(**asked: Any) -> Any:
        found = plain(**asked)
        if moves:
            moves.pop(0)()
        return found

    monkeypatch.setattr(aws.backend, "list_accounts_for_parent", moving)
    # It leaves the unit after the root was listed, and before the unit is: nobody lists it.
    moves.append(lambda: aws.move(shop, aws.root))
    assert office.told() == {("shop", "changed", "organisational unit, name of the unit, path")}
    assert aws.asked.count("ListRoots") == 3

    def stay() -> None:
        return None

    settled = office.snapshot
    assert settled != before
    # Down after the root was listed: seen twice. Up before the unit is listed: never seen. And down again.
    moves += [lambda: aws.move(shop, unit), stay, lambda: aws.move(shop, aws.root), stay, lambda: aws.move(shop, unit)]
    with pytest.raises(SourceError, match=f"each of the {READS} times"):
        office.read()
    assert office.snapshot == settled


def test_two_organisations_close_only_accounts_of_their_own(aws: OrganizationsServer, tmp_path: Path) -> None:
    with OrganizationsServer(OTHER_PAYER) as other:
        shop = aws.add_account("shop")
        farm = other.add_account("farm")
        office = Office(tmp_path, acme=aws, globex=other)
        office.read("acme")
        office.read("globex")
        other.remove(farm)

        assert office.told("acme") == set()
        assert office.told("globex") == {("farm", "gone", "")}

        gone = {last_row["account_id"] for last_row in last_rows(office.lake) if last_row["is_gone"]}
        assert gone == {farm}
        assert shop not in gone


def test_the_credentials_of_another_organisation_close_nothing(aws: OrganizationsServer, tmp_path: Path) -> None:
    with OrganizationsServer(OTHER_PAYER) as other:
        Office(tmp_path, acme=aws).read()
        wrong = Office(tmp_path, acme=other)
        before = wrong.snapshot
        with pytest.raises(SourceError, match=f"are of the organisation {other.id}, and the name is that of {aws.id}"):
            wrong.read()
        assert wrong.snapshot == before


def test_one_organisation_has_one_name_at_a_time(aws: OrganizationsServer, tmp_path: Path) -> None:
    office = Office(tmp_path, acme=aws, acme_again={"endpoint": aws.endpoint, **KEYS, "name": "acme-again"})
    office.read("acme")
    with pytest.raises(SourceError, match=f"the organisation {aws.id} is read as acme already"):
        office.read("acme-again")
    renamed = Office(tmp_path, renamed=aws)
    assert renamed.read("renamed").changes == ()


def test_an_answer_without_its_management_account_is_not_whole(aws: OrganizationsServer, tmp_path: Path) -> None:
    office = Office(tmp_path, acme=aws)
    office.read()
    before = office.snapshot
    aws.backend.accounts[:] = [candidate for candidate in aws.backend.accounts if candidate.id != PAYER]
    with pytest.raises(SourceError, match="its management account 111122223333 is not one"):
        office.read()
    assert office.snapshot == before


def test_an_account_of_another_organisation_is_nobodys_business() -> None:
    held = {"1": row_of("1", "one"), "2": {**row_of("2", "two"), "is_gone": True}}
    changes, rows = changes_of(Organization("o-a", "9", (account("9", "payer"),)), held)
    assert [(change.account_id, change.what) for change in changes] == [("9", "new"), ("1", "gone")]
    assert [row["is_gone"] for row in rows] == [False, True]
    back, rows = changes_of(Organization("o-a", "9", (account("2", "two"),)), {"2": held["2"]})
    assert [(item.account_id, item.what) for item in back] == [("2", "new")]


def account(account_id: str, name: str) -> Account:
    return Account(account_id, name, "ACTIVE", None, "r-1", "Root", "Root", "r-1", {})


def row_of(account_id: str, name: str) -> dict[str, Any]:
    return {**account(account_id, name).__dict__, "is_gone": False}


def test_a_clock_that_went_back_is_told_before_it_muddles_the_history(aws: OrganizationsServer, tmp_path: Path) -> None:
    office = Office(tmp_path, acme=aws)
    later = datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=2)
    slice_ = Slice("acme", date(2026, 11, 1))
    row = {**row_of(PAYER, "master"), "source": "acme", "billing_period": slice_.billing_period, "delivery_id": "x"}
    row |= {"organization_id": aws.id, "management_account_id": PAYER, "seen_at": later}
    append_rows(office.lake, slice_, [row], lambda: None)
    with pytest.raises(LakeError, match="which is still to come"):
        office.read()
    assert len(office.rows()) == 1


def test_nothing_is_committed_once_the_lock_is_lost(aws: OrganizationsServer, tmp_path: Path) -> None:
    office = Office(tmp_path, acme=aws)
    row = {**row_of(PAYER, "master"), "source": "acme", "billing_period": date(2026, 11, 1), "delivery_id": "x"}
    row |= {"organization_id": aws.id, "management_account_id": PAYER, "seen_at": datetime(2026, 11, 1)}

    def lost() -> None:
        raise CostLakehouseError("the lock is gone")

    with pytest.raises(CostLakehouseError, match="the lock is gone"):
        append_rows(office.lake, Slice("acme", date(2026, 11, 1)), [row], lost)
    assert office.snapshot is None


def test_maintenance_merges_the_log_and_keeps_every_row(aws: OrganizationsServer, tmp_path: Path) -> None:
    office = Office(tmp_path, acme=aws)
    shop = aws.add_account("shop")
    for name in ("a", "b", "c", "d"):
        aws.rename(shop, name)
        office.read()
    before = office.rows("* exclude (tags)")
    assert len(data_files(office.lake.table(LOG))) == 4

    report = {element.table: element for element in maintain(office.lake).tables}

    assert [value.failed for value in report.values() if value.failed] == []
    assert len(data_files(office.lake.table(LOG))) == 1
    assert office.rows("* exclude (tags)") == before
    assert office.told() == set()


def test_a_lake_of_before_gets_its_tables_by_itself(aws: OrganizationsServer, tmp_path: Path) -> None:
    office = Office(tmp_path, acme=aws)
    for name in (LOG, "marts.aws_accounts"):
        office.lake._catalog.drop_table(name)
    assert office.lake.table_or_none(LOG) is None
    again = Office(tmp_path, acme=aws)
    assert again.read().accounts == 1
    with connect(again.lake) as connection:
        assert connection.execute("select count(*) from marts.aws_accounts").fetchall() == [(0,)]
