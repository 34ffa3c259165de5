"""``cost-lakehouse import``: other tools' configurations as sources, printed as YAML, or added to ``lakehouse.yaml``."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from cost_lakehouse.cli.output import EXIT_FAILED, console, print_problem
from cost_lakehouse.cli.progress import working
from cost_lakehouse.config import CONFIG_VARIABLE, DEFAULT_CONFIG, Settings, SourceSettings, find_config, load_settings
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.importers.drafts import Draft, sort_drafts
from cost_lakehouse.importers.entries import Entry, Payload
from cost_lakehouse.importers.finding import Found, find_reports
from cost_lakehouse.importers.koku import parse_koku
from cost_lakehouse.importers.kubecost import parse_kubecost
from cost_lakehouse.importers.yaml_text import as_yaml, with_sources

PARSERS: dict[str, Callable[[Any], Payload]] = {"kubecost": parse_kubecost, "koku": parse_koku}
STDIN = Path("-")
_AT_ONCE = 8
_NEW_FILE = "# Made by `cost-lakehouse import`; lakehouse.example.yaml shows what else can be set.\n"


def import_sources(tool: str, file: Path, config: Path | None, write: bool) -> int:
    """Print the sources of a tool's file; with ``write``, add them to lakehouse.yaml; the exit code: 1 where one is not found.

    Raises ConfigurationError where the file is not the tool's, or lakehouse.yaml cannot take them.
    """
    payload = PARSERS[tool](_read(file))
    existing = _existing(config, write)
    name = "stdin" if file == STDIN else file.name
    with working("Looking for reports", console(stderr=True)), ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(find_reports, payload.entries))
    made = sort_drafts(
        [(entry, item.reports, item.same_payer) for entry, item in zip(payload.entries, found, strict=True)],
        existing.sources if existing else (),
        name,
    )
    wrong = [*payload.wrong, *_not_found(payload.entries, found), *made.wrong]
    if made.new:
        print(f"sources:\n{as_yaml(made.new)}", end="")  # noqa: T201  # the result
    _tell([*payload.left_out, *(text for element in found for text in element.notes), *made.notes], made.new, name)
    for problem in wrong:
        print_problem(problem)
    if write and existing and made.new:
        _add(existing, made.new, name)
    return EXIT_FAILED if wrong else 0


def _read(file: Path) -> Any:
    try:
        text = sys.stdin.read() if file == STDIN else file.read_text(encoding="utf-8-sig")
        return json.loads(text)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}.", "Correct the path, or its rights.") from None
    except (ValueError, RecursionError):
        # Nothing of what was read: it may hold keys.
        raise ConfigurationError(f"{file} is not JSON.", "Give the file as the other tool has it.") from None


def _existing(config: Path | None, write: bool) -> Settings | None:
    """The settings that are there; without ``write`` there may be none, with it those of a file that is to be made."""
    try:
        find_config(config)
    except ConfigurationError:
        if not write:
            if config is not None:
                raise
            return None
        file = (config or Path(os.environ.get(CONFIG_VARIABLE) or DEFAULT_CONFIG)).expanduser().resolve()
        if file.exists() or not file.parent.is_dir():
            raise
        return Settings(base=file.parent, file=file)  # made by _replace
    return load_settings(config)


def _not_found(entries: Sequence[Entry], found: Sequence[Found]) -> list[str]:
    return [f"{entry.place}: {item.why}" for entry, item in zip(entries, found, strict=True) if item.why]


def _tell(notes: Sequence[str], new: Sequence[Draft], name: str) -> None:
    terminal = console(stderr=True)
    for line in notes:
        terminal.print(line, soft_wrap=True)
    for draft in new:
        for variable, place in draft.variables.items():
            terminal.print(f"{draft.name}: set {variable} to what {place} of {name} holds.", soft_wrap=True)
        if any("was not copied" in comment for comment in draft.comments):
            terminal.print(f"{draft.name}: its access key stays where it is; see the comment above the source.", soft_wrap=True)


def _add(existing: Settings, new: Sequence[Draft], name: str) -> None:
    """Add the sources in one step, once the new file has been loaded and says what the old one did, and they."""
    unset = [
        f"{variable} ({place} of {name})"
        for draft in new
        for variable, place in draft.variables.items()
        if variable not in os.environ
    ]
    if unset:
        raise ConfigurationError(
            f"Nothing was written: without {', '.join(unset)} no command could read {existing.file}.",
            "Set these environment variables to what stands there, here and where loads run; then import again.",
        )
    try:
        _replace(existing, new)
    except OSError as error:
        raise ConfigurationError(
            f"{existing.file} cannot be written: {error.strerror}.", "Give this user write access to it and to its folder."
        ) from None
    count = f"{len(new)} source{'' if len(new) == 1 else 's'}"
    console(stderr=True).print(
        f"Added {count} to {existing.file}. `cost-lakehouse doctor` checks whether they can be read.", soft_wrap=True
    )


def _replace(existing: Settings, new: Sequence[Draft]) -> None:
    is_there = existing.file.exists()
    text = existing.file.read_bytes().decode("utf-8") if is_there else _NEW_FILE
    added = with_sources(text, new)
    handle, candidate = tempfile.mkstemp(dir=existing.base, prefix=f".{existing.file.name}.", suffix=".yaml")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(added.encode("utf-8"))
            stream.flush()
            os.fsync(stream.fileno())
        _prove(existing, Path(candidate), [draft.settings for draft in new])
        if is_there:
            shutil.copymode(existing.file, candidate)
        else:
            Path(candidate).chmod(0o644)  # as an editor makes it: no secret is ever written in it
        if existing.file.exists() != is_there or (is_there and existing.file.read_bytes().decode("utf-8") != text):
            raise ConfigurationError(f"{existing.file} was changed meanwhile; nothing was written.", "Import again.")
        Path(candidate).replace(existing.file)
    finally:
        Path(candidate).unlink(missing_ok=True)


def _prove(before: Settings, candidate: Path, new: Sequence[SourceSettings]) -> None:
    """Load the new file: it has to say what the old one did, and the sources.

    Raises ConfigurationError where it does not.
    """
    try:
        after = load_settings(candidate)
    except ConfigurationError as error:
        raise _cannot_be_added(before, error.problem.replace(str(candidate), "The new file") + f" {error.fix}") from None
    same = before.model_dump(exclude={"sources"}) == after.model_dump(exclude={"sources"})
    kept, more = after.sources[: len(before.sources)], after.sources[len(before.sources) :]
    if (
        not same
        or kept != before.sources
        or [_plain(item) for item in more] != [_plain(source_settings) for source_settings in new]
    ):
        raise _cannot_be_added(before, "The new file would say something else.")


def _plain(source: SourceSettings) -> SourceSettings:
    """Without what only the environment knows."""
    return source.model_copy(update={"external_id": None})


def _cannot_be_added(before: Settings, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"The sources cannot be added to {before.file}; nothing was written. {why}", "Add the printed sources by hand."
    )
