"""The bodies of webhooks: JSON for programs, blocks for Slack, an Adaptive Card for Teams; and HTML for e-mail."""

from __future__ import annotations

from html import escape
from typing import Any

from cost_lakehouse.alerts.messages import Item, Message

JSON_VERSION = 1
# What Slack and Teams take at most, with room to spare.
_SLACK_SECTION, _SLACK_HEADER, _SLACK_ITEMS = 2900, 150, 20
_TEAMS_ITEMS, _TEAMS_VALUE = 15, 1500


def json_body(message: Message) -> dict[str, Any]:
    """For programs: every incident with all that is known of it."""
    return {
        "version": JSON_VERSION,
        "id": message.id,
        "title": message.title,
        "incidents": [item.row() for item in message.items],
    }


def slack_body(message: Message) -> dict[str, Any]:
    """For an incoming webhook of Slack: text for the notification, blocks for the channel."""
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": f"{_mark(message)} {message.title}"[:_SLACK_HEADER]}}
    ]
    many = len(message.items) > 1
    for item in message.items[:_SLACK_ITEMS]:
        heading = [f"*{_slack(item.title)}*"] if many else []
        lines = [f"*{name}*: {_slack_value(item, name, value)}" for name, value in item.facts(brief=many)]
        text = "\n".join([*heading, *lines])
        # Where something must go, whole lines go: half a link is none.
        while len(text) > _SLACK_SECTION and "\n" in text:
            text = text.rpartition("\n")[0]
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": text[:_SLACK_SECTION]}})
    if len(message.items) > _SLACK_ITEMS:
        more = f"and {len(message.items) - _SLACK_ITEMS} more: `cost-lakehouse alerts` lists them"
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": more}]})
    return {"text": _slack(message.title), "blocks": blocks}


def teams_body(message: Message) -> dict[str, Any]:
    """For a workflow of Teams: a message with one Adaptive Card."""
    body: list[dict[str, Any]] = [
        {
            "type": "TextBlock",
            "size": "Medium",
            "weight": "Bolder",
            "wrap": True,
            "color": "Attention" if message.is_bad else "Good",
            "text": message.title,
        }
    ]
    many = len(message.items) > 1
    for item in message.items[:_TEAMS_ITEMS]:
        if many:
            body.append({"type": "TextBlock", "weight": "Bolder", "wrap": True, "separator": True, "text": item.title})
        limit = _TEAMS_VALUE // 5 if many else _TEAMS_VALUE
        facts = [{"title": name, "value": value[:limit]} for name, value in item.facts(brief=many)]
        body.append({"type": "FactSet", "facts": facts})
    if len(message.items) > _TEAMS_ITEMS:
        more = f"and {len(message.items) - _TEAMS_ITEMS} more: `cost-lakehouse alerts` lists them"
        body.append({"type": "TextBlock", "wrap": True, "text": more})
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
    }
    links = [item.url for item in message.items if item.url]
    if links:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open in Dagster", "url": links[0]}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


BODIES = {"json": json_body, "slack": slack_body, "teams": teams_body}


def html_body(message: Message) -> str:
    """For e-mail: the same as the text, as tables."""
    parts = [f"<h3>{escape(message.title)}</h3>"]
    many = len(message.items) > 1
    for item in message.items:
        if many:
            parts.append(f"<h4>{escape(item.title)}</h4>")
        rows = "".join(
            f'<tr><td style="vertical-align:top;padding-right:1em"><b>{escape(name)}</b></td>'
            f"<td>{_html_value(item, value)}</td></tr>"
            for name, value in item.facts(brief=many)
        )
        parts.append(f"<table>{rows}</table>")
    return f'<!DOCTYPE html>\n<html><body style="font-family:sans-serif">{"".join(parts)}</body></html>\n'


def _mark(message: Message) -> str:
    return "\N{LARGE RED CIRCLE}" if message.is_bad else "\N{WHITE HEAVY CHECK MARK}"


def _slack(text: str) -> str:
    """Text as Slack shows it unchanged."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _slack_value(item: Item, name: str, value: str) -> str:
    return f"<{item.url}|{item.run_id or 'open in Dagster'}>" if name == "Run" and item.url else _slack(value)


def _html_value(item: Item, value: str) -> str:
    text = escape(value).replace("\n", "<br>")
    return f'<a href="{text}">{text}</a>' if item.url and value == item.url else text
