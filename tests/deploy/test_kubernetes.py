"""The example manifests are valid for Kubernetes, keep no secret, and fit the image and the settings."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from cost_lakehouse.config import load_settings
from tests.deploy.compose import DEPLOY, ROOT, written

NAMES = ("cost-lakehouse", "cost-lakehouse-ui", "cost-lakehouse-serve")
FILES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))


def resources() -> list[dict[str, Any]]:
    return [item for file in FILES for item in yaml.safe_load_all(file.read_text(encoding="utf-8"))]


def named(kind: str) -> dict[str, dict[str, Any]]:
    return {resource["metadata"]["name"]: resource for resource in resources() if resource["kind"] == kind}


def pods() -> dict[str, dict[str, Any]]:
    return {
        name.removeprefix("cost-lakehouse-"): item["spec"]["template"]["spec"] for name, item in named("Deployment").items()
    }


def containers() -> dict[str, dict[str, Any]]:
    return {
        initcontainer["name"]: initcontainer
        for pod in pods().values()
        for initcontainer in [*pod["containers"], *pod.get("initContainers", ())]
    }


@pytest.mark.parametrize("resource", resources(), ids=lambda one: f"{one['kind']}-{one['metadata']['name']}")
def test_a_resource_is_one_that_kubernetes_takes(resource: dict[str, Any]) -> None:
    importlib.import_module("kubernetes_validate").validate(resource, "1.37", strict=True)


def test_what_writes_the_lake_has_a_role_and_no_key() -> None:
    accounts = named("ServiceAccount")
    roles = {name: account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"] for name, account in accounts.items()}
    # The UI's role is another one: it reads what runs printed, and no bill.
    assert roles == {name: f"arn:aws:iam::111122223333:role/{name}" for name in NAMES}
    assert {name: pod["serviceAccountName"] for name, pod in pods().items()} == {
        "code": "cost-lakehouse",
        "serve": "cost-lakehouse-serve",
        "webserver": "cost-lakehouse-ui",
        "daemon": "cost-lakehouse-ui",
    }
    assert not any(resource["kind"] == "Secret" for resource in resources())
    text = "\n".join(file.read_text(encoding="utf-8") for file in FILES)
    assert "access_key" not in text
    assert "AWS_" not in text


def test_every_secret_comes_from_a_secret() -> None:
    for name, container in containers().items():
        given = {item["name"]: item for item in container["env"]}
        reference = given.pop("LAKEHOUSE_DB_PASSWORD")["valueFrom"]["secretKeyRef"]
        assert reference == {"name": "cost-lakehouse", "key": "LAKEHOUSE_DB_PASSWORD"}, name
        token = given.pop("LAKEHOUSE_SERVE_TOKEN", None)
        assert (token is not None) == (name in ("code", "init", "serve")), name  # whoever reads lakehouse.yaml
        if token is not None:
            assert token["valueFrom"]["secretKeyRef"] == {"name": "cost-lakehouse", "key": "LAKEHOUSE_SERVE_TOKEN"}, name
        assert set(given) <= {"COST_LAKEHOUSE_CODE_HOST", "COST_LAKEHOUSE_CODE_PORT", "COST_LAKEHOUSE_LOGS"}
        # Pods share no files: all of them keep and read what runs print in one place.
        if name != "serve":  # it runs nothing
            assert given["COST_LAKEHOUSE_LOGS"]["value"] == "s3://acme-lakehouse-logs/runs"


def test_pods_run_as_the_images_user_without_rights() -> None:
    assert "USER 10001:10001" in (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    for name, pod in pods().items():
        assert pod["automountServiceAccountToken"] is False, name
        # Kubernetes would give a variable of the same name as ours, COST_LAKEHOUSE_CODE_PORT, to every pod.
        assert pod["enableServiceLinks"] is False, name
        context = pod["securityContext"]
        assert (context["runAsNonRoot"], context["runAsUser"], context["fsGroup"]) == (True, 10001, 10001)
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    for name, container in containers().items():
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name


def test_mounts_probes_and_ports_agree() -> None:
    for pod in pods().values():
        volumes = {item["name"] for item in pod["volumes"]}
        for container in [*pod["containers"], *pod.get("initContainers", ())]:
            assert {item["name"] for item in container["volumeMounts"]} <= volumes
        assert {item["name"] for item in pod["containers"][0]["volumeMounts"]} == volumes
        assert pod["containers"][0]["livenessProbe"]
    assert set(named("ConfigMap")["cost-lakehouse"]["data"]) == {"lakehouse.yaml", "workspace.yaml"}
    services = named("Service")
    for name in ("code", "webserver", "serve"):
        service = services[f"cost-lakehouse-{name}"]["spec"]
        deployment = named("Deployment")[f"cost-lakehouse-{name}"]["spec"]
        labels = deployment["template"]["metadata"]["labels"]
        assert service["selector"] == deployment["selector"]["matchLabels"] == labels
        (port,) = service["ports"]
        (given,) = containers()[name]["ports"]
        assert (port["targetPort"], port["port"]) == (given["name"], given["containerPort"])
    for name in ("webserver", "daemon"):
        environment = {candidate["name"]: candidate.get("value") for candidate in containers()[name]["env"]}
        assert environment["COST_LAKEHOUSE_CODE_HOST"] in services
        assert environment["COST_LAKEHOUSE_CODE_PORT"] == "4000"


def test_the_processes_are_those_of_docker_compose() -> None:
    for name, container in containers().items():
        service = written()["services"][name]
        assert container["args"] == service["command"]
        assert container["image"] == service["image"]


def test_the_configuration_is_valid_and_the_workspace_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = named("ConfigMap")["cost-lakehouse"]["data"]
    monkeypatch.setenv("LAKEHOUSE_DB_PASSWORD", "any")
    monkeypatch.setenv("LAKEHOUSE_SERVE_TOKEN", "0123456789abcdef")
    file = tmp_path / "lakehouse.yaml"
    file.write_text(data["lakehouse.yaml"], encoding="utf-8")

    settings = load_settings(file)

    assert settings.lake.engine == "trino"
    assert settings.store.access_key is None
    ours = yaml.safe_load((DEPLOY / "workspace.yaml").read_text(encoding="utf-8"))
    assert yaml.safe_load(data["workspace.yaml"]) == ours


def test_the_manifests_are_named_in_the_docs() -> None:
    page = (ROOT / "docs" / "production.md").read_text(encoding="utf-8")
    assert "deploy/kubernetes" in page
