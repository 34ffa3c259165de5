"""``cost-lakehouse accounts`` as a user calls it: two organisations and a seed become names that can be asked for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cost_lakehouse.config import load_settings
from cost_lakehouse.lake.catalog import Lake
from tests.dbt.building import PROJECT
from tests.demo import command
from tests.services.organizations import KEYS, Fault, OrganizationsServer

HEADER = "account_id,account_name,organizational_unit,organizational_unit_path,tags,valid_from,valid_to\n"
NAMES = "select account_id, account_name, origin, valid_from, valid_to from marts.aws_accounts order by account_name"


class Office:
    """Two payers' organisations, a lakehouse that reads them, and a dbt project of its own."""

    def __init__(self, folder: Path, acme: OrganizationsServer, globex: OrganizationsServer) -> None:
        self.acme, self.globex = acme, globex
        self.config = folder / "lakehouse.yaml"
        made = [{"name": name, "endpoint": item.endpoint, **KEYS} for name, item in (("acme", acme), ("globex", globex))]
        self.config.write_text(yaml.safe_dump({"organizations": made}), encoding="utf-8")
        self.seed = folder / "dbt_project" / "seeds" / "aws_account_names.csv"
        shutil.copytree(PROJECT, folder / "dbt_project", ignore=shutil.ignore_patterns("target", "logs"))

    def accounts(self, *options: str) -> tuple[int, str, str]:
        done = command("accounts", *options, "--config", str(self.config))
        return done.exit_code, " ".join(done.stdout.split()), " ".join(done.stderr.split())

    def names(self) -> list[dict[str, Any]]:
        asked = command("query", NAMES, "--format", "json", "--config", str(self.config))
        assert asked.exit_code == 0, asked.stderr
        rows: list[dict[str, Any]] = json.loads(asked.stdout)
        return rows

    def snapshots(self) -> list[int | None]:
        lake = Lake(load_settings(self.config))
        tables = [lake.table(name) for name in ("raw.aws_accounts", "marts.aws_accounts")]
        return [candidate.metadata.current_snapshot_id for candidate in tables]


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    for name in ("DAGSTER_HOME", "COST_LAKEHOUSE_DAGSTER_DB"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("COST_LAKEHOUSE_DBT_DIR", str(tmp_path / "dbt_project"))
    with OrganizationsServer("111122223333") as acme, OrganizationsServer("444455556666") as globex:
        yield Office(tmp_path, acme, globex)


def test_names_are_read_published_kept_and_asked_for(office: Office) -> None:
    shop = office.acme.add_account("shop", office.acme.add_unit("Production"))
    office.seed.write_text(HEADER + f"000000000005,of the seed,,,,,\n{shop},not this,,,,,\n", encoding="utf-8")

    code, out, err = office.accounts()

    assert code == 0, err
    assert f"acme {office.acme.id} 2 2 0 0 globex {office.globex.id} 1 1 0 0" in out
    assert "marts.aws_accounts is up to date: 4 rows." in out
    always = ("1970-01-01", "9999-12-31")
    assert sorted(tuple(name.values()) for name in office.names()) == sorted(
        [
            ("000000000005", "of the seed", "seed", *always),
            ("111122223333", "master", "acme", *always),
            ("444455556666", "master", "globex", *always),
            (shop, "shop", "acme", *always),
        ]
    )

    # Nothing new, and one payer that refuses: the other one's names and those of before stay.
    before = office.snapshots()
    office.globex.faults.append(Fault("ListRoots", "AccessDeniedException", 99))
    code, out, err = office.accounts()
    assert (code, office.snapshots()) == (1, before)
    assert f"acme {office.acme.id} 2 0 0 0" in out
    assert "marts.aws_accounts stays as it is: every name is known." in out
    assert "globex: AWS Organizations refuses: access is denied." in err
    assert office.accounts("--name", "acme")[0] == 0

    # A rename, and a seed that would multiply rows: the log has the one, and nothing is published of either.
    office.acme.rename(shop, "web shop")
    office.seed.write_text(HEADER + "000000000005,a,,,,,2026-10-10\n000000000005,b,,,,2026-10-10,\n", encoding="utf-8")
    code, out, err = office.accounts("--name", "acme")
    assert code == 1
    assert f"acme: {shop} web shop: changed (name; it was shop)" in out
    assert "The account names were not published: names_of_an_account_do_not_overlap" in err
    after = office.snapshots()
    assert after[1] == before[1]
    assert after[0] != before[0]
    assert KEYS["secret_key"] not in out + err


def test_there_has_to_be_something_to_name(office: Office) -> None:
    office.config.write_text("lake: {}\n", encoding="utf-8")
    code, _, err = office.accounts()
    assert code == 2
    assert "There is no organisation in" in err
    assert "fill dbt_project/seeds/aws_account_names.csv" in err


def test_one_that_is_paused_is_not_read(office: Office) -> None:
    document = yaml.safe_load(office.config.read_text())
    document["organizations"][0]["paused"] = True
    office.config.write_text(yaml.safe_dump(document), encoding="utf-8")
    code, _, err = office.accounts("--name", "acme")
    assert (code, office.acme.asked) == (2, [])
    assert "Organisation 'acme' is paused" in err
    assert office.accounts("--name", "nobody")[0] == 2
