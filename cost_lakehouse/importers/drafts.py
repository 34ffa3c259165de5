"""Entries of another tool, and the reports found for them, as sources of ``lakehouse.yaml``: names, twins, comments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from cost_lakehouse.config.source import SOURCE_KINDS, SOURCE_NAME_MAX, SourceSettings, source_settings
from cost_lakehouse.config.yaml_file import explain
from cost_lakehouse.importers.entries import Entry
from cost_lakehouse.sources.aws.reports import FoundReport

# One payer's month comes from one source only. Of several reports of one account, the first of this order is read.
_ORDER = ("aws_data_export", "aws_cur", "focus")
_STAND_IN = "an-external-id"


@dataclass(frozen=True)
class Draft:
    """A source to be. ``values`` are its keys in lakehouse.yaml without ``name``; ``comments`` stand above it there.

    ``variables`` are those of the environment that it needs: name -> where in the payload the value stands.
    """

    name: str
    place: str
    values: Mapping[str, Any]
    comments: tuple[str, ...]
    variables: Mapping[str, str]
    settings: SourceSettings


@dataclass(frozen=True)
class Sorted:
    """What becomes of drafts: new sources, and of the others why not."""

    new: tuple[Draft, ...]
    notes: tuple[str, ...]  # what a reader should know
    wrong: tuple[str, ...]  # what would be no valid source


def slug(text: str) -> str:
    """A text as a source's name: lower-case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:SOURCE_NAME_MAX].strip("-") or "aws"


def drafts_of(entry: Entry, reports: Sequence[FoundReport], same_payer: bool) -> list[tuple[str, Mapping[str, Any], list[str]]]:
    """Name, values and comments of each source that an entry makes: its table, or the reports that were found for it.

    ``same_payer`` says that the reports are one account's: all but one are paused then.
    """
    if entry.bucket is None:
        return [(slug(entry.label), dict(entry.values), [])]
    made: list[tuple[str, Mapping[str, Any], list[str]]] = []
    for number, report in enumerate(sorted(reports, key=lambda one: (_ORDER.index(one.kind), one.location))):
        name = slug(entry.label) if len(reports) == 1 else _joined(entry.label, report.name)
        region = {"region": report.region} if report.region else {}
        values = {"kind": report.kind, "location": report.location, **entry.values, **region}
        if report.is_guess:
            comment = "Paused: without AWS credentials its report could not be looked for."
            made.append((name, {**values, "paused": True}, [comment, "Correct kind and location, then remove `paused`."]))
            continue
        comments = [f"Found by {report.how}.", *([f"{report.trouble}."] if report.trouble else [])]
        if same_payer and number > 0:
            values["paused"] = True
            comments.append("Paused: one payer's months are read from one source only.")
        made.append((name, values, comments))
    return made


def sort_drafts(
    found: Iterable[tuple[Entry, Sequence[FoundReport], bool]], existing: Sequence[SourceSettings], file: str
) -> Sorted:
    """The new sources among what was found: valid, named unlike any other, and not there already.

    ``file`` is the payload's name, for comments. Secrets are only ever pointed to.
    """
    names = {source.name for source in existing}
    known = {source.identity: source.name for source in existing}
    new: list[Draft] = []
    notes: list[str] = []
    wrong: list[str] = []
    for entry, reports, same_payer in found:
        for wanted, values, comments in drafts_of(entry, reports, same_payer):
            name = _free(wanted, names)
            if "${" in str(values):  # lakehouse.yaml would take it from the environment
                wrong.append(f"{entry.place}: it holds ${{...}}, which another tool was to fill in.")
                continue
            try:
                draft = _draft(name, entry, values, comments, file)
            except ValidationError as error:
                reasons = "; ".join(explain(candidate, SOURCE_KINDS) for candidate in error.errors())
                wrong.append(f"{entry.place}: it makes no valid source: {reasons}.")
                continue
            twin = known.get(draft.settings.identity)
            if twin is not None:
                notes.append(f"{entry.place}: {draft.settings.place} is there already, as {twin}.")
                continue
            if name != wanted:
                notes.append(f"{entry.place}: the name {wanted} is taken; this one is called {name}.")
            names.add(name)
            known[draft.settings.identity] = name
            new.append(draft)
    return Sorted(tuple(new), tuple(notes), tuple(wrong))


def _draft(name: str, entry: Entry, values: Mapping[str, Any], comments: Sequence[str], file: str) -> Draft:
    stem = re.sub(r"[^A-Z0-9]", "_", name.upper())
    variables: dict[str, str] = {}
    given = dict(values)
    checked = dict(values)
    if entry.external_id is not None:
        variables[f"{stem}_EXTERNAL_ID"] = entry.external_id_field
        given["external_id"] = f"${{{stem}_EXTERNAL_ID}}"
        checked["external_id"] = _STAND_IN
    notes = [f"From {file}, {entry.place}.", *comments, *entry.hints]
    if entry.key_fields:
        notes += [
            f"Its access key ({' and '.join(entry.key_fields)} of {file}) was not copied: give `profile`, or set these:",
            f"access_key: ${{{stem}_ACCESS_KEY}}",
            f"secret_key: ${{{stem}_SECRET_KEY}}",
        ]
    # An ARN in a list is a tuple for the settings.
    settings = source_settings({"name": name, **checked})
    return Draft(name, entry.place, given, tuple(notes), variables, settings)


def _free(name: str, taken: set[str]) -> str:
    number, free = 2, name
    while free in taken:
        end = f"-{number}"
        free = name[: SOURCE_NAME_MAX - len(end)].rstrip("-") + end
        number += 1
    return free


def _joined(label: str, report: str) -> str:
    end = slug(report)[: SOURCE_NAME_MAX // 2].strip("-")
    return f"{slug(label)[: SOURCE_NAME_MAX - len(end) - 1].rstrip('-')}-{end}"
