"""What README and docs tell people to type is typed here."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from cost_lakehouse.config import load_settings
from tests.demo import Told, command
from tests.docs.pages import ROOT, Example, blocks, commands

OURS = "uv run cost-lakehouse "
# Commands that are not run here, each with the reason.
ELSEWHERE = {
    "uv run pytest": "it is what runs this",
    "uv run cost-lakehouse demo": "the session's demo is this very command, told once for all tests",
    "uv run cost-lakehouse run --force": "the same with --month is run",
    "uv run cost-lakehouse serve --config demo/lakehouse.yaml --port 8080": "tests/serve starts it",
    "uv run cost-lakehouse report --config demo/lakehouse.yaml --to costs.html": "tests/report runs it",
    "uv run dagster dev": "serves until it is stopped; docs/take_screenshots.py starts it",
    "COST_LAKEHOUSE_CONFIG=demo/lakehouse.yaml uv run dagster dev": "as above",
    "uv run dagster dev -w my_workspace.yaml": "as above; tests/docs runs what it loads",
    "curl --silent --header 'Content-Type: application/json' --data @load.json http://localhost:3000/graphql": (
        "needs the UI; tests/docs makes the call"
    ),
    'DOWNLOAD_SCHEDULE="0 6 * * *" uv run dagster dev': "as above; tests of the schedule set the variable",
    "cp .env.example .env": "a file to fill in; tests/deploy does",
    "uv run cost-lakehouse mirror --dry-run": "needs a tenancy; tests/cli runs it on one that is played",
    "uv run cost-lakehouse mirror": "as above",
    "cd deploy/terraform/aws": "belongs to the Terraform commands",
    "cd deploy/terraform/oci": "as above",
    "cp terraform.tfvars.example terraform.tfvars": "a file to fill in; tests/deploy reads it",
    "export TF_VAR_external_id=$(openssl rand -hex 16)": "belongs to the Terraform commands",
    "terraform init": "downloads providers; tests/deploy reads the modules and works their policies out",
    "terraform apply": "as above, and needs a cloud",
    "git pull": "brings another version",
    "uv run cost-lakehouse export focus --month 2026-10 --source acme-payer --to s3://acme-finops/focus --format csv": (
        "needs a bucket; the same into a folder is run"
    ),
    "uv run cost-lakehouse clusters --month 2026-10": "needs clusters; tests/clusters runs it",
    "uv run cost-lakehouse costs --month 2026-10 --by cluster,namespace": "as above",
    "uv run cost-lakehouse costs --last 30d --by namespace,controller --where cluster=prod --daily": "as above",
    "uv sync --extra mcp": "installs packages; this environment has them",
    "uv run cost-lakehouse mcp": "answers until stdin ends; tests/mcp asks it",
    "uv run cost-lakehouse accounts": "needs an organisation; tests/cli runs it on one that is played",
    "uv run cost-lakehouse alerts test": "needs servers that take messages; tests/alerts runs it",
    "uv run cost-lakehouse policy aws": "needs sources at AWS; tests/cli runs it",
    "uv run cost-lakehouse policy aws --source acme-payer --part reader": "as above",
    "uv run cost-lakehouse policy aws --source acme-payer --table-location s3://acme-billing/cur/hourly-cur/data": "as above",
    "uv run cost-lakehouse import kubecost cloud-integration.json": "needs another tool's file; tests/cli runs it",
    "uv run cost-lakehouse import koku source.json --write": "as above",
    "cp -r prod trial": "tests/lake copies lakes",
    "uv run cost-lakehouse lake move --config trial/lakehouse.yaml": "as above, and moves them",
    "uv run cost-lakehouse lake move": "as above",
    "uv run cost-lakehouse lake adopt": "as above, and robs them of their catalog",
    "aws s3 sync s3://acme-old/warehouse s3://acme-new/warehouse": "as above, from bucket to bucket",
    "uv run cost-lakehouse policy store": "needs a warehouse on S3; tests/cli runs it",
    "export COST_LAKEHOUSE_CODE_HOST=localhost COST_LAKEHOUSE_CODE_PORT=4000": "belongs to the three commands below it",
    "uv run dagster code-server start --port 4000 --module-name cost_lakehouse.definitions": "tests/deploy starts it",
    "uv run dagster-webserver --workspace deploy/workspace.yaml": "as above",
    "uv run dagster-daemon run --workspace deploy/workspace.yaml": "as above",
    "uv run python -m tests.services try-it": "tests/services runs it",
    "uv run python -m benchmarks.load_csv": "tests/benchmarks runs it on a small bill",
    "uv run python -m benchmarks.load_csv --rows 1000000 5000000 --only lakehouse --rounds 3": "as above",
    "uv run python -m benchmarks.history": "as above",
    "uv run python -m benchmarks.everything": "as above",
    "uv run python -m benchmarks.models CONFIG": "tests/benchmarks runs it on a small lake",
    "uv run python -m benchmarks.latency": "tests/benchmarks runs it without Dagster, whose daemon tests of production run",
    "uv run python -m benchmarks.proof": "tests/benchmarks tells what it prints",
    "uv run python -m benchmarks.fleet": "tests/benchmarks runs it with two writers",
    "uv run python -m benchmarks.load_s3": "tests/benchmarks runs it on a small bill",
    "uv run python -m benchmarks.load_oci": "as above",
    "uv run python -m benchmarks.load_parquet": "as above",
    "uv run python -m benchmarks.mirror": "as above",
    "uv run python -m benchmarks.small_loads --loads 2000": "as above",
    "uv run python -m benchmarks.scale": "as above",
    "uv run python -m benchmarks.scale --rows 1000000 3000000": "as above",
    "uv run python -m benchmarks.soak": "as above",
    "uv run python -m benchmarks.anomalies": "tests/outlook runs what it scores with",
    "uv run python -m benchmarks.history --engine trino --history 1 10 --rounds 3": "tests/end_to_end runs on the same servers",
}
# What needs a Docker engine, a cluster, a cloud or a machine's own services; tests/deploy reads the files, and starts their
# processes without either; tests/docs/test_operations.py tries what such commands are given.
NO_ENGINE = ("docker ", "kubectl ", "aws ", "oci ", "ssh ", "systemctl ")
PAGES_OF_THEIR_OWN = (
    "write-a-model.md", "close-a-month.md", "compare-deliveries.md", "serve.md", "koku-api.md", "opencost-api.md",
)  # fmt: skip
# What several pages show is typed once: by command, where it is shown first.
COMMANDS = {
    candidate.text: candidate
    for candidate in reversed(commands())
    # A page whose commands build on each other has a test of its own.
    if candidate.text not in ELSEWHERE
    and candidate.page.name not in PAGES_OF_THEIR_OWN
    and not candidate.text.startswith(NO_ENGINE)
}
SECRETS = {
    "ACME_EXTERNAL_ID": "an-id",
    "BACKBONE_SECRET": "0123456789abcdef0123456789abcdef",
    "BACKBONE_TOKEN": "Bearer a-token",
    "LAKEHOUSE_DB_PASSWORD": "a-password",
    "MINIO_ACCESS_KEY": "a-key",
    "PROMETHEUS_TOKEN": "a-token",
    "MINIO_SECRET_KEY": "a-secret",
    "PROXY_PASSWORD": "pass%20word",
    "PUBLISH_PASSWORD": "a-password",
    "SERVE_TOKEN": "0123456789abcdef",
    "SLACK_WEBHOOK": "https://hooks.example.com/services/T0/B0/x",
    "SMTP_PASSWORD": "a-password",
    "TEAMS_WEBHOOK": "https://flows.example.com/x",
    "TICKET_TOKEN": "Bearer a-token",
    "TICKET_WEBHOOK": "https://tickets.example.com/x",
    "TRINO_PASSWORD": "a-password",
    "WEB_TOKEN": "fedcba9876543210",
}


def test_the_two_commands_of_the_readme_stand_in_it() -> None:
    readme = {candidate.text for candidate in commands() if candidate.page.name == "README.md"}
    assert {"uv run cost-lakehouse demo", "uv run pytest"} <= readme


def test_nothing_is_excused_that_no_page_shows() -> None:
    assert set(ELSEWHERE) <= {candidate.text for candidate in commands()}


@pytest.mark.parametrize("example", [*COMMANDS.values()][::-1], ids=str)
def test_a_command_of_the_docs_works(
    example: Example, demo: Told, small_lakehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert example.text.startswith(OURS), f"{example}: run it here, or excuse it in ELSEWHERE"
    arguments = shlex.split(example.text.removeprefix(OURS))
    # What only looks does so on the demo, which other tests share; what changes something has a lakehouse of its own.
    monkeypatch.chdir(small_lakehouse if arguments[0] == "run" or "acme-oci" in arguments else demo.folder)

    result = command(*arguments)

    assert result.exit_code == 0, f"{example}: {example.text}\n{result.output}"


# Tables of PostgreSQL are not in the lake.
@pytest.mark.parametrize("example", [block for block in blocks("sql") if block.page.name != "postgres.md"], ids=str)
def test_a_query_of_the_docs_has_an_answer(example: Example, demo: Told) -> None:
    rows = demo.query(example.text)

    if "delivered <> stored" in example.text:
        assert rows == []  # the page says so
    else:
        assert rows, f"{example}: no rows"
    if "as difference" in example.text:
        assert {row["difference"] for row in rows} == {"0"}


@pytest.mark.parametrize("example", blocks("yaml"), ids=str)
def test_a_configuration_of_the_docs_is_valid(example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "lakehouse.yaml"
    file.write_text(example.text, encoding="utf-8")

    settings = load_settings(file)

    assert settings.sources or "sources:" not in example.text


def test_the_example_configuration_is_valid_with_everything_that_it_offers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    text = (ROOT / "lakehouse.example.yaml").read_text(encoding="utf-8")
    lake, sources = text.split("sources:\n")
    # What is commented out is a key, an entry, or stands deeper than the sentences do.
    offered = re.sub(r"^( *)# (?=[a-z_]+:|- name:|  +\S)", r"\1", sources, flags=re.MULTILINE)
    file = tmp_path / "lakehouse.yaml"
    file.write_text(f"{lake}sources:\n{offered}", encoding="utf-8")

    settings = load_settings(file)

    assert len(load_settings(ROOT / "lakehouse.example.yaml").sources) == 1
    assert [source.name for source in settings.sources] == re.findall(r"- name: (\S+)", text.split("mirrors:")[0])
    assert [mirror.name for mirror in settings.mirrors] == ["acme-oci-mirror"]
    assert [organization.name for organization in settings.organizations] == ["acme-organization"]
    assert settings.alerts.email
    assert settings.alerts.notifications
    assert len(settings.alerts.webhooks) == 3


@pytest.mark.parametrize("example", blocks("json"), ids=str)
def test_json_of_the_docs_is_json(example: Example) -> None:
    json.loads(example.text)


def test_what_the_readme_shows_of_the_demo_is_what_it_prints(demo: Told) -> None:
    (shown,) = [block for block in blocks("text") if block.page.name == "README.md"]
    printed = [" ".join(line.split()) for line in (demo.stdout + demo.stderr).splitlines()]

    for line in shown.text.splitlines():
        if line != "...":
            assert any(element.startswith(" ".join(line.split())) for element in printed), line


@pytest.mark.parametrize(("name", "at_least"), [("troubleshooting", 15), ("configure-oci", 8), ("account-names", 6)])
def test_every_message_of_a_troubleshooting_table_is_one_that_the_code_says(name: str, at_least: int) -> None:
    page = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"^\| message \| cause \| fix \|\n((?:\|.*\n)+)", page, re.MULTILINE)
    said = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "cost_lakehouse").rglob("*.py"))
    # A message that is parted over two lines of code is one message.
    said = re.sub(r'"\s*\n\s*f?"', "", said)
    messages = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)

    assert len(messages) >= at_least
    # What differs from message to message is written as … on the page.
    parts = {message: [part.strip() for part in message.split("…")] for message in messages}
    assert [message for message, said_parts in parts.items() if not all(part in said for part in said_parts)] == []
