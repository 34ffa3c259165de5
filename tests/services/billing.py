"""AWS's billing APIs on this machine: DescribeReportDefinitions, and ListExports and GetExport, page by page."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tests.services.sts import StsServer

# What AWS gives at most at a time of the first; of the second, few enough that two pages are needed.
PAGE = 2
# The variables by which boto3 finds another endpoint of each.
VARIABLES = ("AWS_ENDPOINT_URL_COST_AND_USAGE_REPORT_SERVICE", "AWS_ENDPOINT_URL_BCM_DATA_EXPORTS")


@dataclass
class Account:
    """What one account is delivered. ``refuses`` are actions that its policies do not allow."""

    reports: list[dict[str, Any]] = field(default_factory=list)
    exports: list[dict[str, Any]] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)

    def add_report(self, bucket: str, prefix: str, name: str, **other: Any) -> None:
        self.reports.append({"ReportName": name, "S3Bucket": bucket, "S3Prefix": prefix, "S3Region": "eu-west-1", **other})

    def add_export(self, bucket: str, prefix: str, name: str, query: str, status: dict[str, str] | None = None) -> None:
        place = {"S3Bucket": bucket, "S3Prefix": prefix, "S3Region": "eu-west-1"}
        export = {"Name": name, "DataQuery": {"QueryStatement": query}, "DestinationConfigurations": {"S3Destination": place}}
        arn = f"arn:aws:bcm-data-exports:us-east-1:1:export/{name}-{len(self.exports)}"
        self.exports.append({"arn": arn, "Export": export, "ExportStatus": status or {"StatusCode": "HEALTHY"}})


class BillingServer(ThreadingHTTPServer):
    """The APIs for whoever asks: by the account of ``sts``'s session where there is one, else ``account``."""

    daemon_threads = True

    def __init__(self, sts: StsServer | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.account = Account()
        self.accounts: dict[str, Account] = {}
        self.sts = sts
        self.asked: list[str] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def account_of(self, key: str) -> Account:
        caller = self.sts.caller(key) if self.sts else None
        return self.accounts.get(caller.split(":")[4], self.account) if caller else self.account

    def answer(self, action: str, request: dict[str, Any], account: Account) -> dict[str, Any]:
        if action == "DescribeReportDefinitions":
            return _page("ReportDefinitions", account.reports, request)
        if action == "ListExports":
            listed = [{"ExportArn": export["arn"], "ExportName": export["Export"]["Name"]} for export in account.exports]
            return _page("Exports", listed, request)
        (found,) = (export for export in account.exports if export["arn"] == request["ExportArn"])
        return {name: found[name] for name in ("Export", "ExportStatus")}

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.shutdown()
        self.server_close()


def _page(name: str, items: list[dict[str, Any]], request: dict[str, Any]) -> dict[str, Any]:
    begin = int(request.get("NextToken", "0"))
    more = {"NextToken": str(begin + PAGE)} if begin + PAGE < len(items) else {}
    return {name: items[begin : begin + PAGE], **more}


class _Handler(BaseHTTPRequestHandler):
    server: BillingServer

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        action = self.headers["X-Amz-Target"].rpartition(".")[2]
        key, _, rest = self.headers["Authorization"].partition("Credential=")[2].partition("/")
        self.server.asked.append(f"{rest.split('/')[1]} {action}")
        account = self.server.account_of(key)
        if action in account.refuses:
            self._send(400, {"__type": "AccessDeniedException", "message": f"not authorized to perform: {action}"})
        else:
            self._send(200, self.server.answer(action, request, account))

    def _send(self, status: int, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing on the terminal."""
