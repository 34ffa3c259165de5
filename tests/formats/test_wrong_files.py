"""Files that are no CSV of a bill are told for what they are, with what to do; what is a bill is never taken for one."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma

import pytest

from cost_lakehouse.errors import DeliveryFailed
from cost_lakehouse.formats.csv_chunks import read_chunks, unpacked
from cost_lakehouse.formats.table_format import FORMATS

CSV = "lineItem/UsageAccountId,lineItem/UnblendedCost,lineItem/CurrencyCode\n111111111111,1.25,USD\n"
TEXT = CSV.encode()


FOCUS = ["BilledCost", "EffectiveCost", "BillingCurrency", "BillingAccountId", "ChargePeriodStart", "ProviderName"]


def packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


WRONG = {
    "gzip-twice": (packed(packed(TEXT)), "is packed twice: unpacked once, it is a gzip file still"),
    "zip-in-gzip": (packed(b"PK\x03\x04" + TEXT), "is packed twice: unpacked once, it is a zip file still"),
    "bzip2": (bz2.compress(TEXT), "is packed with bzip2"),
    "xz": (lzma.compress(TEXT), "is packed with xz"),
    "zstd": (packed(b"\x28\xb5\x2f\xfd" + TEXT), "is packed with zstd"),
    "utf-16": (CSV.encode("utf-16"), "is UTF-16 or UTF-32 text"),
    "utf-16-be": (packed(CSV.encode("utf-16-be")), "is UTF-16 or UTF-32 text"),
    "utf-16-le": (CSV.encode("utf-16-le"), "is UTF-16 or UTF-32 text"),
    "utf-32": (CSV.encode("utf-32"), "is UTF-16 or UTF-32 text"),
    "latin-1": ("Größe,Preis\n1,2\n".encode("latin-1"), "the header is not UTF-8 text"),
    "semicolons": (CSV.replace(",", ";").encode(), "parts its columns by semicolons, not by commas"),
    "tabs": (CSV.replace(",", "\t").encode(), "parts its columns by tabs"),
    "bars": (CSV.replace(",", "|").encode(), "parts its columns by vertical bars"),
    "quoted": (b'"a,b";"c"\n1;2\n', "parts its columns by semicolons"),
    "parquet": (packed(b"PAR1" + TEXT), "is a Parquet file"),
    "page": (b"<!DOCTYPE html><html>Sign in\n</html>", "holds HTML or XML"),
    "store": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "holds HTML or XML"),
    "json": (b'{"a": 1}\n', "holds JSON"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_csv_is_told_for_what_it_is(name: str) -> None:
    content, says = WRONG[name]
    with pytest.raises(DeliveryFailed) as told, unpacked(io.BytesIO(content), "costs-00001.csv.gz") as plain:
        read_chunks(plain, "costs-00001.csv.gz")
    assert told.value.problem.startswith("costs-00001.csv.gz")
    assert says in told.value.problem
    assert told.value.fix


@pytest.mark.parametrize(
    "text", [CSV, "\ufeff" + CSV, "cost\n1\n", '"a;b",c\n1,2\n', '"x;y"\n1\n', "{x},y\n"[1:], "世界,x\n1,2\n"], ids=range(7)
)
def test_what_is_csv_stays_csv(text: str) -> None:
    with unpacked(io.BytesIO(packed(text.encode())), "x.csv.gz") as plain:
        header, _ = read_chunks(plain, "x.csv.gz")
    assert header == text.removeprefix("\ufeff").split("\n")[0]


@pytest.mark.parametrize(
    ("header", "says", "fix"),
    [
        (["recommendation_id", "account_id", "estimated_monthly_savings_after_discount"], "Cost Optimization Hub", "no bill"),
        (["payer_account_id", "total_mbm_emissions_value"], "carbon emissions", "no bill"),
        (["InvoiceID", "PayerAccountId", "LinkedAccountId", "RateId", "UnBlendedCost"], "Detailed Billing Report", "no bill"),
        (FOCUS, "FOCUS report", "of kind focus"),
        (
            ["lineItem/referenceNo", "lineItem/tenantId", "lineItem/intervalUsageStart", "cost/myCost", "cost/currencyCode"],
            "OCI cost report",
            "of kind oci_cost_reports",
        ),
        (["a", "b"], "", "location and kind fit"),
    ],
    ids=["optimization", "carbon", "dbr", "focus", "oci", "unknown"],
)
def test_a_file_of_another_kind_is_told_by_its_header(header: list[str], says: str, fix: str) -> None:
    with pytest.raises(DeliveryFailed) as told:
        FORMATS["raw.aws_cur"].targets_of(header, "costs.csv")
    assert ("It looks like another kind of file" in told.value.problem) == bool(says)
    assert says in told.value.problem
    assert fix in told.value.fix
