"""Runs as jobs of Kubernetes: the launcher takes its configuration, and makes jobs that fit the pods beside them."""

from __future__ import annotations

import importlib
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._config import process_config
from dagster_k8s import K8sRunLauncher
from dagster_k8s.container_context import K8sContainerContext
from dagster_k8s.job import construct_dagster_k8s_job
from kubernetes.client import ApiClient  # type: ignore[import-untyped]  # it has no stubs

from tests.deploy.compose import DEPLOY, ROOT
from tests.deploy.test_kubernetes import named

RUNS = DEPLOY / "kubernetes-runs" / "runs.yaml"


def resources() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(RUNS.read_text(encoding="utf-8")))


@pytest.fixture
def instance_rules() -> dict[str, Any]:
    """The instance's dagster.yaml."""
    found: dict[str, Any] = yaml.safe_load(resources()[0]["data"]["dagster.yaml"])
    return found


@pytest.mark.parametrize("resource", resources(), ids=lambda one: one["kind"])
def test_a_resource_is_one_that_kubernetes_takes(resource: dict[str, Any]) -> None:
    importlib.import_module("kubernetes_validate").validate(resource, "1.37", strict=True)


def test_the_instance_is_the_project_s_own_with_another_launcher(instance_rules: dict[str, Any]) -> None:
    launcher = instance_rules.pop("run_launcher")
    ours = yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    assert (launcher["module"], launcher["class"]) == ("dagster_k8s", "K8sRunLauncher")
    assert instance_rules.pop("concurrency")["pools"] == ours.pop("concurrency")["pools"]
    assert instance_rules == ours


def test_the_launcher_makes_jobs_that_fit_the_pods_beside_them(
    instance_rules: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kubernetes.config.load_incluster_config", lambda: None)
    config_type = K8sRunLauncher.config_type()  # type: ignore[no-untyped-call]
    config = process_config(config_type, instance_rules["run_launcher"]["config"])
    assert config.success, config.errors
    launcher = K8sRunLauncher.from_config_value(None, config.value)  # type: ignore[no-untyped-call]
    context = K8sContainerContext.create_for_run(dg.DagsterRun(job_name="read_shards"), launcher, include_run_tags=False)
    job_config = context.get_k8s_job_config(launcher.job_image, launcher)
    job = construct_dagster_k8s_job(job_config, ["dagster", "api"], "run-1", user_defined_k8s_config=context.run_k8s_config)

    made = ApiClient().sanitize_for_serialization(job)

    importlib.import_module("kubernetes_validate").validate(made, "1.37", strict=True)
    pod = made["spec"]["template"]["spec"]
    code = named("Deployment")["cost-lakehouse-code"]["spec"]["template"]["spec"]
    (container,), beside = pod["containers"], code["containers"][0]
    for name in ("serviceAccountName", "securityContext", "automountServiceAccountToken", "enableServiceLinks"):
        assert pod[name] == code[name], name
    for name in ("securityContext", "image"):
        assert container[name] == beside[name], name
    assert {item["mountPath"] for item in beside["volumeMounts"]} <= {item["mountPath"] for item in container["volumeMounts"]}
    assert {"secretRef": {"name": "cost-lakehouse"}} in container["envFrom"]
    assert {"name": "COST_LAKEHOUSE_LOGS", "value": "s3://acme-lakehouse-logs/runs"} in container["env"]
