"""What a mart's materialization shows: the whole month, whatever was rebuilt of it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import dagster as dg

from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.orchestration.assets.mart_metadata import Models, built_months, unchanged_months
from cost_lakehouse.summaries.mart_months import SourceTotal
from cost_lakehouse.summaries.publish import PublishedSlice

SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)
TABLE = "marts.daily_costs"
MART, STAGED = dg.AssetKey(["marts", "daily_costs"]), dg.AssetKey(["staging", "stg_aws__line_items"])
MODELS = Models({"daily_costs": MART, "stg_aws__line_items": STAGED}, {"daily_costs": TABLE})
ACME, GLOBEX = Slice("acme", SEPTEMBER), Slice("globex", SEPTEMBER)
HELD = {
    (TABLE, SEPTEMBER): [
        SourceTotal("acme", "USD", 30, Decimal("2.50")),
        SourceTotal("globex", "USD", 12, Decimal("0.25000000000000000001")),
        SourceTotal("initech", "EUR", 1, Decimal(7)),
    ]
}
PUBLISHED = [PublishedSlice(TABLE, "acme", SEPTEMBER, 30, {"USD": Decimal(1)}, {"USD": Decimal("2.50")})]
VERSIONS = {ACME: "d2", GLOBEX: "d7", Slice("acme", OCTOBER): "d9"}


def table(value: Any) -> list[dict[str, Any]]:
    assert isinstance(value, dg.TableMetadataValue)
    return [dict(record.data) for record in value.records]


def test_row_count_and_totals_are_the_whole_months_though_one_source_was_rebuilt() -> None:
    (mart, staged) = built_months(MODELS, [ACME], PUBLISHED, VERSIONS, HELD)
    facts = mart.metadata
    assert (mart.asset_key, mart.partition) == (MART, "2026-09-01")
    assert facts["dagster/row_count"].value == 43
    assert facts["cost"].value == "7.00 EUR, 2.75000000000000000001 USD"
    assert (facts["cost_USD"].value, facts["cost_EUR"].value) == (2.75, 7.0)
    assert table(facts["totals"]) == [
        {"source": "acme", "currency": "USD", "rows": 30, "total": "2.50"},
        {"source": "globex", "currency": "USD", "rows": 12, "total": "0.25000000000000000001"},
        {"source": "initech", "currency": "EUR", "rows": 1, "total": "7.00"},
    ]
    assert isinstance(facts["chart"], dg.MarkdownMetadataValue)
    drawn = str(facts["chart"].value).splitlines()
    assert drawn[drawn.index("**USD**") + 2 :][:2] == [f"acme    2.50  {'█' * 40}", f"globex  0.25  {'█' * 4}"]
    assert table(facts["rebuilt"]) == [{"source": "acme", "currency": "USD", "before": "1.00", "after": "2.50"}]
    assert facts["changes"].value == [{"source": "acme", "month": "2026-09", "currency": "USD", "old": "1", "new": "2.50"}]
    assert facts["delivery_ids"].value == {"acme": "d2"}
    assert staged.asset_key == STAGED
    assert "dagster/row_count" not in staged.metadata


def test_a_slice_that_was_not_published_before_says_so() -> None:
    first = PublishedSlice(TABLE, "acme", SEPTEMBER, 30, None, {"USD": Decimal("2.50")})
    (mart, _) = built_months(MODELS, [ACME], [first], VERSIONS, HELD)
    assert table(mart.metadata["rebuilt"])[0]["before"] == "(none)"


def test_an_unchanged_month_shows_what_it_holds_and_has_the_data_version_of_its_build() -> None:
    (built, _) = built_months(MODELS, [ACME], PUBLISHED, VERSIONS, HELD)
    (unchanged,) = unchanged_months(MODELS, [MART], [SEPTEMBER], VERSIONS, HELD)
    assert unchanged.metadata["dagster/row_count"].value == 43
    assert unchanged.metadata["unchanged"].value is True
    assert "force: true" in str(unchanged.metadata["reason"].value)
    assert "changes" not in unchanged.metadata
    assert unchanged.tags == built.tags
