"""Other tools' configurations are imported: printed as YAML, added to lakehouse.yaml, and what they name can then be read."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from cost_lakehouse.cli.app import app
from cost_lakehouse.config import load_settings
from tests.docs.pages import ROOT
from tests.importers.test_kubecost import OLD
from tests.services.billing import VARIABLES, Account, BillingServer
from tests.services.s3 import S3Server
from tests.services.sts import StsServer
from tests.sources.exports import Export
from tests.sources.places import Report, S3Place

ME = "arn:aws:iam::444455556666:role/machine"
READERS = {name: f"arn:aws:iam::{number * 12}:role/read-the-bill" for name, number in (("acme", "1"), ("globex", "2"))}
IDS = {"acme": "acme:4711-external", "globex": "globex:0815-external"}

pytestmark = pytest.mark.usefixtures("no_own_credentials")


def invoke(*arguments: object, stdin: str | None = None) -> Any:
    return CliRunner().invoke(app, ["import", *map(str, arguments)], input=stdin)


def write_json(folder: Path, document: Any, name: str = "payload.json") -> Path:
    file = folder / name
    file.write_text(json.dumps(document))
    return file


def kubecost(count: int = 1, **other: Any) -> dict[str, Any]:
    role = "arn:aws:iam::{:012d}:role/kubecost"
    return {"aws": [{**OLD, "masterPayerARN": role.format(number + 1), **other} for number in range(count)]}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The example configuration as a user has it."""
    file = tmp_path / "lakehouse.yaml"
    file.write_text((ROOT / "lakehouse.example.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    return file


def test_fifty_payers_are_printed_and_added_and_everything_else_stays(tmp_path: Path, config: Path) -> None:
    before = config.read_text()
    config.chmod(0o640)
    file = write_json(tmp_path, kubecost(50))
    printed = invoke("kubecost", file)
    assert printed.exit_code == 0, printed.output
    assert config.read_text() == before, "nothing is written without --write"

    written = invoke("kubecost", file, "--write")
    assert written.exit_code == 0, written.output
    assert written.stdout == printed.stdout
    assert "Added 50 sources" in written.stderr
    after = config.read_text()
    items = printed.stdout.removeprefix("sources:\n")
    assert after.replace(items, "") == before
    assert config.stat().st_mode & 0o777 == 0o640
    assert not list(tmp_path.glob(".lakehouse*"))
    sources = load_settings(config).sources
    assert [source.name for source in sources] == ["acme-payer", *(f"aws-{number:012d}" for number in range(1, 51))]
    assert len({source.role_arns for source in sources[1:]}) == 50

    again = invoke("kubecost", file, "--write")
    assert (again.exit_code, again.stdout) == (0, "")
    assert again.stderr.count("is there already, as aws-") == 50
    assert config.read_text() == after


def test_keys_in_the_payload_are_never_shown_nor_written(tmp_path: Path, config: Path) -> None:
    file = write_json(tmp_path, kubecost(serviceKeyName="AKIAOWNKEY", serviceKeySecret="s3cret-key"))
    result = invoke("kubecost", file, "--write")
    assert result.exit_code == 0, result.output
    for text in (result.output, config.read_text()):
        assert "AKIAOWNKEY" not in text
        assert "s3cret-key" not in text
    assert "aws[0].serviceKeySecret of payload.json) was not copied" in config.read_text()
    assert "# secret_key: ${AWS_000000000001_SECRET_KEY}" in config.read_text()


def test_a_name_that_is_taken_is_told_and_another_one_used(tmp_path: Path, config: Path) -> None:
    invoke("kubecost", write_json(tmp_path, kubecost()), "--write")
    other = write_json(tmp_path, kubecost(athenaTable="another"))
    result = invoke("kubecost", other, "--write")
    assert "the name aws-000000000001 is taken; this one is called aws-000000000001-2." in result.stderr
    assert [source.name for source in load_settings(config).sources][-2:] == ["aws-000000000001", "aws-000000000001-2"]


def test_what_is_printed_is_a_configuration_by_itself(tmp_path: Path) -> None:
    result = invoke("kubecost", "-", stdin=json.dumps(kubecost(2)))
    file = tmp_path / "other.yaml"
    file.write_text(result.stdout)
    assert [source.kind for source in load_settings(file).sources] == ["aws_athena", "aws_athena"]
    assert "# From stdin, aws[1]." in result.stdout


def test_a_wrong_entry_is_told_and_the_others_are_imported(tmp_path: Path, config: Path) -> None:
    document = kubecost(3)
    document["aws"][0]["masterPayerARN"] = "arn:aws:iam::ACCOUNT:role/r"
    document["aws"][1]["athenaTable"] = "${TABLE}"
    result = invoke("kubecost", write_json(tmp_path, document), "--write")
    assert result.exit_code == 1
    assert "aws[0]: it makes no valid source: role_arn: write a role's ARN" in result.stderr
    assert "aws[1]: it holds ${...}, which another tool was to fill in." in result.stderr
    assert [source.name for source in load_settings(config).sources] == ["acme-payer", "aws-000000000003"]


def test_a_file_that_is_not_json_is_told_without_what_stands_in_it(tmp_path: Path) -> None:
    file = tmp_path / "secret.json"
    file.write_text('{"secret": "s3cret"')
    for path, says in ((file, "is not JSON"), (tmp_path / "none", "cannot be read")):
        result = invoke("kubecost", path)
        assert result.exit_code == 2
        assert says in result.stderr
        assert "s3cret" not in result.output


def test_where_there_is_no_configuration_it_is_made(tmp_path: Path) -> None:
    file = write_json(tmp_path, kubecost())
    printed = invoke("kubecost", file)
    assert not (tmp_path / "lakehouse.yaml").exists()
    written = invoke("kubecost", file, "--write")
    assert written.exit_code == 0, written.output
    assert [source.name for source in load_settings(tmp_path / "lakehouse.yaml").sources] == ["aws-000000000001"]
    assert printed.stdout in (tmp_path / "lakehouse.yaml").read_text()
    elsewhere = invoke("kubecost", file, "--write", "--config", str(tmp_path / "no" / "lakehouse.yaml"))
    assert elsewhere.exit_code == 2
    assert "There is no configuration file" in elsewhere.stderr


def test_kokus_sources_are_drafts_where_there_are_no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    data_source = {"bucket": "acme-bills", "report_name": "hourly", "report_prefix": "cur", "bucket_region": "eu-west-1"}
    credentials = {"role_arn": "arn:aws:iam::111122223333:role/reader"}
    payload = {"name": "Acme", "authentication": {"credentials": credentials}, "billing_source": {"data_source": data_source}}
    written = invoke("koku", write_json(tmp_path, payload), "--write")
    assert written.exit_code == 0, written.output
    (source,) = load_settings(tmp_path / "lakehouse.yaml").sources
    assert (source.name, source.kind, source.address) == ("acme", "aws_cur", "s3://acme-bills/cur/hourly")
    assert (source.paused, source.role_arns) == (True, ("arn:aws:iam::111122223333:role/reader",))
    assert "# Paused: without AWS credentials its report could not be looked for." in written.stdout


def test_a_configuration_that_cannot_take_them_stays_as_it_is(tmp_path: Path) -> None:
    file = write_json(tmp_path, kubecost())
    config = tmp_path / "lakehouse.yaml"
    text = "sources: [{name: a, kind: aws_cur, location: b}]\n"
    config.write_text(text)
    result = invoke("kubecost", file, "--write")
    assert result.exit_code == 2
    assert "is not written as a list with a line for each key" in result.stderr
    assert "name: aws-000000000001" in result.stdout, "printed, so that it can be added by hand"
    assert config.read_text() == text


class Payers:
    """Two payers at AWS: buckets with reports, a role each with an external id, and the billing APIs."""

    def __init__(self, s3: S3Server, bucket: str, sts: StsServer, billing: BillingServer, folder: Path) -> None:
        self.bucket = bucket
        self.base = uuid.uuid4().hex[:12]
        self.place = S3Place(s3, bucket, f"{self.base}/", folder)
        self.billing = billing
        for name, arn in READERS.items():
            sts.add_role(arn, trusts={ME}, external_id=IDS[name])
            billing.accounts[arn.split(":")[4]] = Account()
            Report(self.place, prefix=name, name="hourly").deliver(f"assembly-of-{name}")

    def account(self, name: str) -> Account:
        return self.billing.accounts[READERS[name].split(":")[4]]

    def koku(self, *names: str, **data_source: Any) -> dict[str, Any]:
        """The payload of these payers; each has the bucket and the beginning of the keys."""
        listed = []
        for name in names:
            source = {"bucket": self.bucket, "report_prefix": f"{self.base}/{name}", **data_source}
            credentials = {"role_arn": READERS[name], "external_id": IDS[name]}
            listed.append(
                {
                    "name": name.title(),
                    "source_type": "AWS",
                    "authentication": {"credentials": credentials},
                    "billing_source": {"data_source": source},
                }
            )
        return {"data": listed}


@pytest.fixture
def payers(s3_server: S3Server, s3_shared_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Payers]:
    with StsServer(s3_server) as sts, BillingServer(sts) as billing:
        me = sts.add_user(ME)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", me["access_key"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", me["secret_key"])
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.endpoint)
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_server.endpoint)
        for name in VARIABLES:
            monkeypatch.setenv(name, billing.endpoint)
        yield Payers(s3_server, s3_shared_bucket, sts, billing, tmp_path)


def test_reports_of_two_payers_are_found_written_and_then_discovered(
    payers: Payers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One payer's role may ask AWS which reports there are; the other's may read the bucket and nothing else.
    payers.account("acme").add_report(payers.bucket, f"{payers.base}/acme", "hourly", S3Region="us-east-1")
    payers.account("acme").add_report("another-bucket", "cur", "other")
    payers.account("globex").refuses = {"DescribeReportDefinitions", "ListExports"}
    config = tmp_path / "lakehouse.yaml"
    config.write_text("lake: {first_month: 2026-01}\nsources: []\n")
    file = write_json(tmp_path, payers.koku("acme", "globex"))

    unset = invoke("koku", file, "--write")
    assert unset.exit_code == 2
    assert "Nothing was written: without ACME_EXTERNAL_ID (data[0].authentication.credentials.external_id" in unset.stderr
    assert "sources: []" in config.read_text()

    monkeypatch.setenv("ACME_EXTERNAL_ID", IDS["acme"])
    monkeypatch.setenv("GLOBEX_EXTERNAL_ID", IDS["globex"])
    result = invoke("koku", file, "--write")
    assert result.exit_code == 0, result.output
    assert not any(value in f"{result.output}{config.read_text()}" for value in IDS.values())
    acme, globex = yaml.safe_load(result.stdout)["sources"]
    assert acme == {
        "name": "acme",
        "kind": "aws_cur",
        "location": f"s3://{payers.bucket}/{payers.base}/acme/hourly",
        "role_arn": READERS["acme"],
        "region": "us-east-1",
        "external_id": "${ACME_EXTERNAL_ID}",
    }
    assert (globex["location"], globex["role_arn"]) == (
        f"s3://{payers.bucket}/{payers.base}/globex/hourly",
        READERS["globex"],
    )
    assert "# Found by DescribeReportDefinitions." in result.stdout
    assert "# Found by its manifests in the bucket." in result.stdout

    found = CliRunner().invoke(app, ["discover", "--json"])
    assert [(load["source"], load["delivery_id"]) for load in json.loads(found.stdout)] == [
        ("acme", "assembly-of-acme"),
        ("globex", "assembly-of-globex"),
    ]


def test_of_several_reports_of_one_payer_one_is_read_and_the_others_are_paused(payers: Payers, tmp_path: Path) -> None:
    account = payers.account("acme")
    account.add_report(payers.bucket, f"{payers.base}/acme", "hourly")
    account.add_export(payers.bucket, f"{payers.base}/acme", "costs", "SELECT a FROM COST_AND_USAGE_REPORT")
    account.add_export(payers.bucket, f"{payers.base}/acme", "focus", "SELECT a FROM FOCUS_1_2_AWS")
    result = invoke("koku", write_json(tmp_path, payers.koku("acme")))
    assert result.exit_code == 0, result.output
    assert [(item["name"], item["kind"], item.get("paused", False)) for item in yaml.safe_load(result.stdout)["sources"]] == [
        ("acme-costs", "aws_data_export", False),
        ("acme-hourly", "aws_cur", True),
        ("acme-focus", "focus", True),
    ]
    assert "# Paused: one payer's months are read from one source only." in result.stdout
    named = invoke("koku", write_json(tmp_path, payers.koku("acme", report_name="hourly")))
    assert [item["name"] for item in yaml.safe_load(named.stdout)["sources"]] == ["acme"]


def test_an_export_and_a_report_in_one_bucket_are_told_apart_by_their_manifests(payers: Payers, tmp_path: Path) -> None:
    Export(payers.place, prefix="acme", name="costs").create_new("e1")
    result = invoke("koku", write_json(tmp_path, payers.koku("acme")))
    assert [(item["name"], item["kind"]) for item in yaml.safe_load(result.stdout)["sources"]] == [
        ("acme-costs", "aws_data_export"),
        ("acme-hourly", "aws_cur"),
    ]


def test_a_payer_whose_reports_are_not_found_is_told_with_the_reason(payers: Payers, tmp_path: Path) -> None:
    payload = payers.koku("acme", "globex")
    payload["data"][0]["authentication"]["credentials"]["external_id"] = "another-id"
    payload["data"][1]["billing_source"]["data_source"]["report_prefix"] = "nowhere"
    result = invoke("koku", write_json(tmp_path, payload))
    assert result.exit_code == 1
    assert f"data[0]: The role {READERS['acme']} cannot be assumed by {ME}." in result.stderr
    assert "data[1]: AWS announces no report for" in result.stderr
    assert f"In s3://{payers.bucket}/nowhere lies no manifest of a report." in result.stderr
    assert "another-id" not in result.output
    assert result.stdout == ""
