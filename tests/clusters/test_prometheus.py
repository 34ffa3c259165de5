"""A day of a small cluster out of Prometheus, worked out by hand; who asks, how it is signed, and what is refused.

``prometheus_answers.json`` is what Prometheus's own engine (3.16) answered to these queries: of two nodes, whose metrics two
replicas scrape; of ``shop``, which reserves 1 CPU and 4 GiB and uses half a CPU and 6 GiB; of ``nightly``, which reserves 2
CPUs and is done after two hours; of ``cache-0``, which uses 1 GiB and moves from one node to the other after half an hour.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import threading
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr, ValidationError

from cost_lakehouse.clusters.inputs import fetch_days, usage_of
from cost_lakehouse.clusters.prometheus import hours_of, kept, prometheus_usage, queries
from cost_lakehouse.clusters.split import Cost, ResourceDay, split
from cost_lakehouse.clusters.usage import Usage, Workload
from cost_lakehouse.config import Settings, load_settings
from cost_lakehouse.config.clusters import ClusterSettings, PrometheusSettings
from cost_lakehouse.errors import ConfigurationError, SourceError

DAY = date(2026, 10, 1)
MATCH, LABELS = 'cluster="blue"', ("app.kubernetes.io/team",)
RECORDED: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("prometheus_answers.json").read_text(encoding="utf-8")
)
ANSWERS = {name: one["result"] for name, one in RECORDED.items()}
N1, N2 = "i-0a", "i-0b"


def usages(answers: dict[str, Any], day: date = DAY) -> list[Usage]:
    return list(prometheus_usage(kept(day, answers), "a.prometheus.json", "prod", lambda _: True, LABELS))


def parts(found: list[Usage], node: str, cost: str) -> dict[str, Decimal]:
    on_it = [one for one in found if one.resource == node]
    rows = split({ResourceDay(DAY, node, "1", "USD"): Cost(Decimal(cost), 1)}, on_it, {}, {})
    return {row.workload.controller or row.workload.namespace: row.cost for row in rows}


def test_what_is_asked_is_what_was_recorded() -> None:
    assert {name: query.promql for name, query in queries(MATCH, LABELS).items()} == {
        name: one["query"] for name, one in RECORDED.items()
    }
    assert {name: query.by_hour for name, query in queries(MATCH, LABELS).items()} == {
        name: one["resultType"] == "matrix" for name, one in RECORDED.items()
    }


def test_a_day_is_split_by_what_pods_reserved_or_used_hour_by_hour() -> None:
    """In hours: the first node has 24 * (9 * 4 + 16) = 1248 parts; shop takes 24 * (9 + 6), nightly 2 * 9 * 2, cache 0.5."""
    found = usages(ANSWERS)

    assert parts(found, N1, "1248") == {
        "shop": Decimal(360), "nightly": Decimal(36), "cache": Decimal("0.5"), "(idle)": Decimal("851.5"),
    }  # fmt: skip
    assert parts(found, N2, "480") == {"cache": Decimal("23.5"), "(idle)": Decimal("456.5")}
    assert {(one.day, one.said.label) for one in found} == {(DAY, "prometheus")}


def test_a_volume_is_its_pods_who_mounted_it_and_one_that_none_did_is_unmounted() -> None:
    found = [one for one in usages(ANSWERS) if (one.resource or "").startswith("vol-")]

    # Nightly is done after two hours: its volume is nobody else's.
    assert [(one.resource, one.workload.controller or one.workload.namespace, one.weight) for one in found] == [
        ("vol-0c", "nightly", Decimal(120)),
        ("vol-0d", "(unmounted)", Decimal(1)),
    ]


def test_pods_are_told_by_who_made_them_and_the_labels_that_are_wanted() -> None:
    workloads = {one.workload.controller: one.workload for one in usages(ANSWERS) if one.resource == N1}

    assert workloads["shop"] == Workload(
        "prod", "web", "Deployment", "shop", "shop-7d9f-a", '{"app.kubernetes.io/team": "red"}'
    )
    assert workloads["nightly"] == Workload("prod", "data", "Job", "nightly", "nightly-1")


def test_a_value_that_is_no_number_and_a_file_that_is_none_are_refused() -> None:
    wrong = {**ANSWERS, "capacity": [{"metric": {"node": "n1", "resource": "cpu"}, "values": [[hours_of(DAY)[0], "NaN"]]}]}
    with pytest.raises(SourceError, match=r"a\.prometheus\.json: 'NaN' is no number"):
        usages(wrong)
    for content in (b"", b"[]", b'{"day": "soon", "answers": {}}', b'{"day": "2026-10-01", "answers": {"nodes": [1]}}'):
        with pytest.raises(SourceError, match=r"b\.json holds no answers of Prometheus"):
            list(prometheus_usage(content, "b.json", "prod", lambda _: True, ()))


def signature(secret: str, headers: Any, path: str, body: bytes) -> str:
    """Signature Version 4 of a POST, by AWS's own description."""
    given = dict(re.findall(r"(\w+)=([^, ]+)", headers["Authorization"]))
    day, region, service, end = given["Credential"].split("/")[1:]
    names = given["SignedHeaders"].split(";")
    lines = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in names)
    canonical = f"POST\n{path}\n\n{lines}\n{';'.join(names)}\n{hashlib.sha256(body).hexdigest()}"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{headers['X-Amz-Date']}\n{day}/{region}/{service}/{end}\n{hashed}"
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, end):
        key = hmac.digest(key, part.encode(), "sha256")
    assert (service, end) == ("aps", "aws4_request")
    assert {"host", "x-amz-date"} <= set(names)
    return hmac.digest(key, text.encode(), "sha256").hex()


class Server(ThreadingHTTPServer):
    """Answers recorded queries of any day as Prometheus does; ``secret`` or ``authorization`` is what it asks for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self.secret: str | None = None
        self.authorization: str | None = None
        self.empty_before: date | None = None
        self.says: tuple[int, Any] | None = None
        self.lacks: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/workspaces/ws-1"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        server = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        server.asked.append((self.path, dict(self.headers.items()), form))
        path = urlsplit(self.path).path
        sent = self.headers.get("Authorization", "")
        if server.secret is not None and not sent.endswith(f"Signature={signature(server.secret, self.headers, path, body)}"):
            self._answer(403, {"message": "The request signature we calculated does not match"})
        elif server.authorization is not None and sent != server.authorization:
            self._answer(401, {"status": "error", "error": "no"})
        elif server.says is not None:
            self._answer(*server.says)
        else:
            self._answer(200, self._data(form))

    def _data(self, form: dict[str, str]) -> Any:
        (name,) = [name for name, one in RECORDED.items() if one["query"] == form["query"]]
        result = json.loads(json.dumps(RECORDED[name]["result"]))
        moved = int(form.get("time") or form["end"]) - hours_of(DAY)[1]
        if self.path.endswith("query_range"):
            assert (int(form["end"]) - int(form["start"]), form["step"]) == (23 * 3600, "3600")
        day = DAY + timedelta(seconds=moved)
        if name in self.server.lacks or (self.server.empty_before is not None and day < self.server.empty_before):
            result = []
        for series in result:
            for pair in series.get("values", [series.get("value")]):
                pair[0] += moved
        return {"status": "success", "data": {"resultType": RECORDED[name]["resultType"], "result": result}}

    def _answer(self, status: int, document: Any) -> None:
        text = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "lakehouse.yaml").write_text("sources: []\n", encoding="utf-8")
    return load_settings(tmp_path / "lakehouse.yaml")


def cluster(url: str, **more: Any) -> ClusterSettings:
    return ClusterSettings(
        name="prod", source="acme", location="kept", labels=LABELS,
        prometheus=PrometheusSettings(url=url, match=MATCH, **more),
    )  # fmt: skip


def test_each_closed_day_is_asked_for_once_and_kept(server: Server, settings: Settings, tmp_path: Path) -> None:
    server.empty_before = DAY
    asked, today = cluster(server.url), DAY + timedelta(days=2)

    assert fetch_days(settings, asked, today, 3) == [DAY, DAY + timedelta(days=1)]
    requests = len(server.asked)
    assert fetch_days(settings, asked, today, 2) == []

    assert requests == 1 + 2 * len(RECORDED) == len(server.asked)  # one of the day that has nothing
    assert {path.rpartition("/")[0] for path, _, _ in server.asked} == {"/workspaces/ws-1/api/v1"}
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == [f"2026-10-0{day}.prometheus.json" for day in (1, 2)]
    found = list(usage_of(settings, asked, DAY))
    assert {one.day.day for one in found} == {1, 2}
    assert parts([one for one in found if one.day == DAY], N1, "1248")["shop"] == Decimal(360)


def test_amazon_s_is_asked_with_requests_that_are_signed(server: Server, settings: Settings) -> None:
    server.secret = "a-secret-key"
    keys = {"sigv4": True, "region": "eu-west-1", "access_key": SecretStr("AKIA1")}

    assert fetch_days(settings, cluster(server.url, **keys, secret_key=SecretStr("a-secret-key")), DAY + timedelta(days=1), 1)
    sent = server.asked[0][1]["Authorization"]
    assert re.match(r"AWS4-HMAC-SHA256 Credential=AKIA1/\d{8}/eu-west-1/aps/aws4_request, ", sent)
    wrong = cluster(server.url, **keys, secret_key=SecretStr("another-key"))
    with pytest.raises(SourceError, match=r"refuses who asks \(HTTP 403\)") as caught:
        fetch_days(settings, wrong, DAY + timedelta(days=2), 1)
    assert "another-key" not in f"{caught.value.problem}{caught.value.fix}"


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"token": SecretStr("a-token")}, "Bearer a-token"),
        ({"username": "reader", "password": SecretStr("pass")}, "Basic cmVhZGVyOnBhc3M="),
        ({"headers": {"Authorization": SecretStr("Custom x"), "X-Scope-OrgID": SecretStr("blue")}}, "Custom x"),
    ],
)
def test_a_token_a_password_or_headers_say_who_asks(
    server: Server, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], sent: str
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login other password other\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    server.authorization = sent

    assert fetch_days(settings, cluster(server.url, **given), DAY + timedelta(days=1), 1) == [DAY]
    with pytest.raises(SourceError, match=r"refuses who asks \(HTTP 401\)"):
        fetch_days(settings, cluster(server.url), DAY + timedelta(days=2), 1)


def test_a_proxy_takes_the_requests(server: Server, settings: Settings) -> None:
    proxied = cluster("http://prometheus.invalid", proxy=SecretStr(f"http://127.0.0.1:{server.server_port}"))

    assert fetch_days(settings, proxied, DAY + timedelta(days=1), 1) == [DAY]
    assert server.asked[0][0] == "http://prometheus.invalid/api/v1/query"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((200, b"<html>"), "answers HTTP 200"),
        ((302, b""), "answers HTTP 302"),
        ((503, {"status": "error", "error": "query timed out, a-token"}), r"answers HTTP 503 .*: query timed out, …\."),
        ((200, {"status": "success", "data": {"resultType": "scalar", "result": [1, "1"]}}), "answers no vector"),
        ((200, {"status": "success", "data": None}), "answers no vector"),
        ((200, {"status": "success", "data": {"resultType": "vector", "result": []}}), "has no kube_node_info of 2026-10-01"),
        (
            (200, {"status": "success", "warnings": ["one store is down"], "data": {"resultType": "vector", "result": []}}),
            "does not know all of 2026-10-01: one store is down",
        ),
    ],
)
def test_an_answer_that_is_none_is_said_and_nothing_is_kept(
    server: Server, settings: Settings, tmp_path: Path, answer: tuple[int, Any], says: str
) -> None:
    server.says = answer
    with pytest.raises(SourceError, match=says):
        fetch_days(settings, cluster(server.url, token=SecretStr("a-token")), DAY + timedelta(days=1), 1)
    assert list((tmp_path / "kept").iterdir()) == []


@pytest.mark.parametrize(
    ("lacks", "metric"),
    [
        (("pods",), "kube_pod_info"),
        (("capacity",), "kube_node_status_capacity"),
        (("cpu_used", "reserved"), "container_cpu_usage_seconds_total"),
    ],
)
def test_a_day_whose_pods_nobody_scraped_is_not_taken_for_an_idle_one(
    server: Server, settings: Settings, lacks: tuple[str, ...], metric: str
) -> None:
    server.lacks = lacks
    with pytest.raises(SourceError, match=f"knows nodes on 2026-10-01, and nothing of {metric}"):
        fetch_days(settings, cluster(server.url), DAY + timedelta(days=1), 1)


def test_a_prometheus_that_is_not_there_is_said(settings: Settings) -> None:
    with pytest.raises(SourceError, match=r"http://127\.0\.0\.1:9 does not answer: ConnectionError"):
        fetch_days(settings, cluster("http://127.0.0.1:9"), DAY + timedelta(days=1), 1)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"url": "ftp://x"}, "write https://HOST"),
        ({"url": "http://me:secret@x"}, "write no user or password into the address"),
        ({"url": "http://x", "match": 'a="b"} or vector(1) #'}, "write label matchers"),
        ({"url": "http://x", "username": "me"}, "username and password go together"),
        ({"url": "http://x", "sigv4": True, "token": "t"}, "different credentials"),
        ({"url": "http://x", "region": "eu-west-1"}, "region goes with sigv4"),
        ({"url": "http://x", "endpoint": "http://y", "sigv4": True}, "endpoint is what `url` is here"),
        ({"url": "http://x", "headers": {"a b": "c"}}, "write each header"),
    ],
)
def test_wrong_settings_are_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says) as caught:
        PrometheusSettings(**given)
    assert "me:secret" not in " ".join(one["msg"] for one in caught.value.errors())


def test_secrets_come_from_the_environment_and_answers_need_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_TOKEN", "a-token")
    file = tmp_path / "lakehouse.yaml"
    source = "sources: [{name: acme, kind: aws_cur, location: bills}]"
    text = "{name: a, source: acme, location: LOCATION, prometheus: {url: 'http://x/', token: '${PROMETHEUS_TOKEN}'}}"
    file.write_text(f"{source}\nclusters: [{text.replace('LOCATION', 'kept')}]\n", encoding="utf-8")
    (found,) = load_settings(file).clusters
    assert found.prometheus is not None
    assert (found.prometheus.url, found.prometheus.secrets) == ("http://x", ("a-token",))
    assert "a-token" not in repr(found)
    for location, says in (("s3://b/p", "prometheus needs a folder"), ("kept, url: 'http://y'", "keep one of them")):
        file.write_text(f"{source}\nclusters: [{text.replace('LOCATION', location)}]\n", encoding="utf-8")
        with pytest.raises(ConfigurationError, match=says):
            load_settings(file)
