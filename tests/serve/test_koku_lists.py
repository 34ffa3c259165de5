"""Koku's other routes: tags, sources and forecasts, with their parameters and what they refuse."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from cost_lakehouse.ask.rates import NoRate, rates_of
from cost_lakehouse.ask.tags import added_up
from cost_lakehouse.config import load_settings
from cost_lakehouse.config.serve import RoleSettings, ServeSettings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.tables import ACCOUNT_NAMES, ACCOUNT_NAMES_COLUMNS
from cost_lakehouse.outlook.forecast import Backtest, Forecast
from cost_lakehouse.outlook.history import Key
from cost_lakehouse.outlook.looking import Outlook, today_of
from cost_lakehouse.serve.application import application
from cost_lakehouse.serve.koku.forecasts import Ahead, ahead_of, converted, forecast_rows
from cost_lakehouse.serve.koku.organizations import units_of
from tests.ask.marts import Line
from tests.serve.conftest import small_lake

BASE = "/api/cost-management/v1"
OCTOBER = "start_date=2026-10-01&end_date=2026-10-31"


def get(client: TestClient, path: str) -> Any:
    answer = client.get(f"{BASE}{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_tags_are_listed_with_their_values(client: TestClient) -> None:
    document = get(client, f"/tags/aws/?{OCTOBER}&filter[key]=TEAM")

    assert document["data"] == [{"key": "team", "values": ["blue", "red"], "enabled": True}]
    assert document["meta"]["count"] == 1
    assert get(client, f"/tags/aws/?{OCTOBER}&key_only=true")["data"] == ["a/b~c", "team"]
    assert get(client, f"/tags/aws/?{OCTOBER}&filter[value]=blu")["data"][0]["values"] == ["blue"]
    assert get(client, f"/tags/aws/?{OCTOBER}&filter[account]=2&filter[key]=team")["data"][0]["values"] == ["blue"]
    assert get(client, f"/tags/aws/?{OCTOBER}&filter[enabled]=false")["data"] == []
    assert get(client, f"/tags/aws/team/?{OCTOBER}&limit=1&offset=1")["data"] == ["red"]
    assert get(client, f"/tags/oci/?{OCTOBER}")["data"] == []


def test_units_have_their_accounts_and_those_below(client: TestClient) -> None:
    found = units_of([("r-1/ou-a/ou-b", "Root/A/B", "one"), ("r-1/ou-a", "Root/A", "two"), ("r-2/ou-c", "Root/C/D", "three")])

    assert [unit.row for unit in found if unit.ids[0] == "r-1"] == [
        {
            "org_unit_id": "r-1",
            "org_unit_name": "Root",
            "org_unit_path": "r-1",
            "level": 0,
            "accounts": [],
            "sub_orgs": ["ou-a"],
        },
        {
            "org_unit_id": "ou-a",
            "org_unit_name": "A",
            "org_unit_path": "r-1&ou-a",
            "level": 1,
            "accounts": ["two"],
            "sub_orgs": ["ou-b"],
        },
        {
            "org_unit_id": "ou-b",
            "org_unit_name": "B",
            "org_unit_path": "r-1&ou-a&ou-b",
            "level": 2,
            "accounts": ["one"],
            "sub_orgs": [],
        },
    ]
    assert [unit.name for unit in found if unit.ids[-1] == "ou-c"] == ["ou-c"]  # a name that may hold a slash
    assert get(client, "/organizations/aws/")["data"] == []  # no account names are published
    assert get(client, "/resource-types/aws-categories/")["data"] == []


def test_units_of_an_organisation_are_listed_to_who_sees_their_accounts(tmp_path: Path) -> None:
    lake = small_lake(tmp_path)
    blank = dict.fromkeys(ACCOUNT_NAMES_COLUMNS.names)
    rows = [
        {**blank, "aws_accounts_id": number, "account_id": number, "account_name": name, "organizational_unit_path": names,
         "organizational_unit_id_path": ids, "origin": "acme", "valid_from": date(1970, 1, 1), "valid_to": date(9999, 12, 31),
         "is_current": True}
        for number, name, names, ids in (("1", "one", "Root/A", "r-1/ou-a"), ("2", "two", "Root/B", "r-1/ou-b"))
    ]  # fmt: skip
    lake.create_table(ACCOUNT_NAMES, ACCOUNT_NAMES_COLUMNS)
    lake.table(ACCOUNT_NAMES).append(pa.Table.from_pylist(rows, ACCOUNT_NAMES_COLUMNS))
    everything, one = "token-of-all-of-it-0123456789", "token-of-one-team-0123456789"
    role = RoleSettings(name="team", accounts=("2",), token=SecretStr(one))
    settings = ServeSettings(token=SecretStr(everything), roles=(role,))

    with TestClient(
        application(Lake(lake.settings.model_copy(update={"serve": settings}))), base_url="http://localhost"
    ) as client:

        def asked(path: str, token: str) -> Any:
            return client.get(f"{BASE}{path}", headers={"Authorization": f"Bearer {token}"}).json()["data"]

        everybody = asked("/organizations/aws/?key_only=true", everything)
        team = asked("/resource-types/aws-organizational-units/?search=ou", one)
        tags = asked(f"/tags/aws/?{OCTOBER}&filter[org_unit_id]=OU-A&key_only=true", everything)
        others = asked(f"/tags/aws/?{OCTOBER}&filter[org_unit_id]=ou-b&filter[key]=team", everything)
        grouped = asked(f"/reports/aws/costs/?{OCTOBER}&filter[resolution]=monthly&group_by[org_unit_id]=r-1", everything)

    assert (tags, others) == (["a/b~c", "team"], [{"key": "team", "values": ["blue"], "enabled": True}])
    assert everybody == ["r-1", "ou-a", "ou-b"]
    assert team == [{"value": "ou-b"}]
    assert {one["id"]: one["values"][0]["cost"]["total"]["value"] for one in grouped[0]["org_entities"]} == {
        "ou-a": 20.25,
        "ou-b": 5.25,
    }


def test_a_tag_that_no_line_has_is_not_found(client: TestClient) -> None:
    answer = client.get(f"{BASE}/tags/aws/colour/?{OCTOBER}")

    assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."})


def test_values_are_cut_unless_the_key_is_asked_for() -> None:
    sets = added_up([f'{{"a": "{number}"}}' for number in range(60)] + ['{"b": ""}'])

    assert (list(sets), len(sets["a"])) == (["a"], 60)


def test_sources_say_how_they_do(client: TestClient) -> None:
    (source,) = get(client, "/sources/?type=AWS")["data"]

    assert (source["name"], source["source_type"], source["active"], source["paused"]) == ("acme", "AWS", True, False)
    assert (source["has_data"], source["status"]["download"]["state"]) == (True, "complete")
    assert source["last_payload_received_at"].endswith("Z")
    assert get(client, f"/sources/{source['uuid']}/") == source
    stats = get(client, f"/sources/{source['uuid']}/stats/")
    assert [(month, [load["files_processed"] for load in loads]) for month, loads in stats.items()] == [("2026-10-01", ["1/1"])]
    assert get(client, "/sources/?type=OCI")["data"] == []
    assert get(client, "/sources/?name=acm")["data"] == [source]
    assert client.get(f"{BASE}/sources/unknown/").status_code == 404
    assert client.get(f"{BASE}/sources/unknown/stats/").status_code == 404


def test_a_forecast_is_told_day_by_day_within_its_range() -> None:
    found = Forecast(
        date(2026, 10, 1), date(2026, 11, 1), date(2026, 10, 30), Decimal(100), Decimal(0), (Decimal(3), Decimal(1)),
        Decimal(96), Decimal(112), Backtest((), None, None),
    )  # fmt: skip

    rows = forecast_rows(ahead_of(found), "USD")

    assert [
        (row["date"], *(row["values"][0]["cost"][name]["value"] for name in ("total", "confidence_min", "confidence_max")))
        for row in rows
    ] == [("2026-10-30", 3.0, -3.0, 9.0), ("2026-10-31", 1.0, -1.0, 3.0)]
    assert rows[0]["values"][0]["infrastructure"] == rows[0]["values"][0]["cost"]


def test_forecasts_of_all_currencies_are_told_in_one_at_the_month_s_rates() -> None:
    def outlook(currency: str, days: tuple[int, ...], total: int, low: int | None) -> Outlook:
        one = Forecast(
            date(2026, 10, 1), date(2026, 11, 1), date(2026, 10, 30), Decimal(0), Decimal(total - sum(days)),
            tuple(map(Decimal, days)), None if low is None else Decimal(low), None, Backtest((), None, None),
        )  # fmt: skip
        return Outlook(Key((), currency), Decimal(0), one)

    month = date(2026, 10, 1)
    rates = rates_of("month,from,to,rate,source\n2026-10,EUR,USD,1.25,ECB\n", "rates.csv")
    found = [outlook("USD", (3, 1), 100, 96), outlook("EUR", (4, 8), 20, None), outlook("JPY", (0, 0), 0, None)]

    whole, used = converted(found, month, "USD", rates)

    assert whole == Ahead(date(2026, 11, 1), (Decimal(8), Decimal(11)), Decimal(125), Decimal(121), Decimal(125))
    assert [(rate.base, rate.rate) for rate in used] == [("EUR", Decimal("1.25"))]
    assert converted([*found, Outlook(Key((), "GBP"), Decimal(1), None)], month, "USD", rates) == (None, ())
    assert converted([], month, "USD", rates) == (None, ())
    with pytest.raises(NoRate, match="There is no rate of 2026-11 from EUR to USD"):
        converted(found, date(2026, 11, 1), "USD", rates)


def test_a_forecast_is_converted_where_there_are_rates(tmp_path: Path) -> None:
    days = (date(2026, 9, 1) + timedelta(days=number) for number in range(60))
    lines = tuple(
        Line(day, day.replace(day=1), "1", "AmazonEC2", currency, Decimal(1)) for day in days for currency in ("USD", "EUR")
    )
    config = small_lake(tmp_path, lines).settings.file
    config.write_text(f"{config.read_text(encoding='utf-8')}\ncurrency_rates: rates.csv\n", encoding="utf-8")
    rates = "month,from,to,rate,source\n{},EUR,USD,1.25,ECB\n"
    config.with_name("rates.csv").write_text(rates.format("2026-10"), encoding="utf-8")
    lake = Lake(load_settings(config))
    month = f"{today_of(lake):%Y-%m}"
    config.with_name("rates.csv").write_text(rates.format(month), encoding="utf-8")
    with TestClient(application(lake), base_url="http://localhost") as client:
        own, dollars = (get(client, f"/forecasts/aws/costs/{asked}") for asked in ("", "?currency=USD"))
        euros = client.get(f"{BASE}/forecasts/aws/costs/?currency=EUR")

    assert {row["values"][0]["cost"]["total"]["value"] for row in own["data"]} == {1.0}
    assert {row["values"][0]["cost"]["total"]["value"] for row in dollars["data"]} == {2.25}
    assert "exchange_rates" not in own["meta"]
    assert [rate["rate"] for rate in dollars["meta"]["exchange_rates"]] == ["1.25"]
    assert euros.json()["currency"][0].startswith(f"There is no rate of {month} from USD to EUR.")


def test_a_forecast_ends_with_its_month(client: TestClient) -> None:
    days = [date.fromisoformat(row["date"]) for row in get(client, "/forecasts/aws/costs/")["data"]]

    assert days == [days[0] + timedelta(days=number) for number in range(len(days))]
    assert (days[-1] + timedelta(days=1)).day == 1


def test_nothing_is_forecast_of_no_usage(client: TestClient) -> None:
    assert get(client, "/forecasts/aws/costs/?filter[account]=nobody")["data"] == []
    assert get(client, "/forecasts/oci/costs/?currency=USD")["data"] == []


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/tags/aws/?nope=1", "nope"),
        ("/tags/aws/?filter[nope]=1", "filter[nope]"),
        ("/tags/aws/?key_only=perhaps", "key_only"),
        ("/tags/aws/?filter[time_scope_value]=-11", "time_scope_value"),
        ("/tags/aws/?limit=x", "limit"),
        ("/sources/?nope=1", "nope"),
        ("/forecasts/aws/costs/?cost_type=guessed", "cost_type"),
        ("/forecasts/aws/costs/?currency=usd", "currency"),
        ("/forecasts/aws/costs/?limit=1001", "limit"),
    ],
)
def test_what_is_not_taken_is_refused_as_koku_does(client: TestClient, path: str, field: str) -> None:
    answer = client.get(f"{BASE}{path}")

    assert answer.status_code == 400
    assert list(answer.json()) == [field]
