"""Oracle Cloud on this machine, over real HTTP: Object Storage, Vault, Notifications, invoices, and what gives out tokens.

Built from the published API. The ``oci`` SDK talks to it unchanged; every request's signature is verified.
"""

from __future__ import annotations

import base64
import ssl
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from tests.services.oci_buckets import Bucket, CloudObject
from tests.services.oci_http import OciHttp
from tests.services.oci_identity import ApiKey, Directory, Principal
from tests.services.oci_machine import Machine, Pod, make_machine

REPORTS_NAMESPACE = "bling"
HOME_REGION = "eu-frankfurt-1"


@dataclass(frozen=True)
class Seen:
    """One request as it arrived; ``principal`` is None where it was nobody's."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    principal: str | None


@dataclass
class Fault:
    """What goes wrong with the next ``times`` requests that ``matches``.

    ``cut_after``: the connection breaks after so many bytes of an object's content. ``damage`` changes that content.
    ``waits``: it is answered as usual, but only when that is set. Otherwise it is answered with ``status``.
    """

    status: int = 503
    code: str = "ServiceUnavailable"
    message: str = "The service is unavailable."
    retry_after: int | None = None
    cut_after: int | None = None
    damage: bool = False
    waits: threading.Event | None = None
    times: int = 1
    matches: Callable[[Seen], bool] = lambda seen: True
    happened: int = 0

    @property
    def refuses(self) -> bool:
        """Whether the request is answered with an error."""
        return self.cut_after is None and not self.damage and self.waits is None


@dataclass(frozen=True)
class Published:
    """One message that was published to a topic."""

    topic: str
    title: str | None
    body: str
    message_type: str | None


@dataclass(frozen=True)
class _Secret:
    content: bytes
    tenancy: str


@dataclass
class OciServer:
    """One region of Oracle Cloud. ``tls`` makes it speak HTTPS.

    A tenancy's principals may read the buckets, secrets and topics of that tenancy, unless ``rights`` were taken from them.
    """

    tls: ssl.SSLContext | None = None
    region: str = HOME_REGION
    tenancy: str = field(default_factory=lambda: f"ocid1.tenancy.oc1..{uuid.uuid4().hex}")
    directory: Directory = field(default_factory=Directory)
    buckets: dict[tuple[str, str], Bucket] = field(default_factory=dict)
    secrets: dict[str, _Secret] = field(default_factory=dict)
    topics: dict[str, str] = field(default_factory=dict)
    published: list[Published] = field(default_factory=list)
    invoices: list[dict[str, Any]] = field(default_factory=list)  # of any tenancy, as the billing gateway has them
    invoices_a_page: int = 100
    faults: list[Fault] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    records: bool = True  # whether requests are written down
    machine: Machine | None = None  # this server's metadata service is that of this instance
    pod: Pod | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    _http: OciHttp | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        if self._http is None:
            raise RuntimeError("The server was not started.")
        return int(self._http.server_address[1])

    @property
    def endpoint(self) -> str:
        """The address of each of its services."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Listen, in threads of this process."""
        self._http = OciHttp(self)
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop listening."""
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()
            self._http = None

    def new_tenancy(self) -> str:
        """The OCID of one more tenancy."""
        return f"ocid1.tenancy.oc1..{uuid.uuid4().hex}"

    def add_user(
        self, folder: Path, *, tenancy: str | None = None, profile: str = "DEFAULT", region: str | None = None
    ) -> ApiKey:
        """A user with an API key and its ``~/.oci/config`` in ``folder``, with the profile of that name."""
        return self.directory.add_user(folder, tenancy or self.tenancy, self.region, profile=profile)

    def add_principal(self, kind: str = "instance", tenancy: str | None = None) -> Principal:
        """An instance, function or pod, for which tokens are issued."""
        return Principal(f"ocid1.{kind}.oc1.{self.region}.{uuid.uuid4().hex}", tenancy or self.tenancy)

    def become_instance(self) -> Principal:
        """Be the metadata service (``{endpoint}/opc/v2``) of an instance of the tenancy, too."""
        self.machine = make_machine(self.add_principal("instance"), self.region)
        return self.machine.principal

    def become_cluster(self, service_account_token: str) -> Principal:
        """Give tokens to a pod, too."""
        self.pod = Pod(self.add_principal("workload"), service_account_token)
        return self.pod.principal

    def make_bucket(self, name: str | None = None, *, tenancy: str | None = None, namespace: str = REPORTS_NAMESPACE) -> Bucket:
        """A bucket; by default that of the tenancy's reports, named by its OCID."""
        owner = tenancy or self.tenancy
        made = Bucket(namespace, name or owner, owner)
        self.buckets[namespace, made.name] = made
        return made

    def add_object(
        self,
        bucket: Bucket,
        name: str,
        content: bytes | Path,
        *,
        part_size: int | None = None,
        modified: datetime | None = None,
    ) -> CloudObject:
        """Add or replace an object of a bucket."""
        return bucket.put(name, content, part_size=part_size, modified=modified)

    def add_secret(self, content: bytes, *, tenancy: str | None = None) -> str:
        """A secret of the vault; its OCID."""
        ocid = f"ocid1.vaultsecret.oc1.{self.region}.{uuid.uuid4().hex}"
        self.secrets[ocid] = _Secret(content, tenancy or self.tenancy)
        return ocid

    def secret_content(self, ocid: str) -> str:
        """As the service sends it."""
        return base64.b64encode(self.secrets[ocid].content).decode()

    def make_topic(self, *, tenancy: str | None = None) -> str:
        """A topic of Notifications; its OCID."""
        ocid = f"ocid1.onstopic.oc1.{self.region}.{uuid.uuid4().hex}"
        self.topics[ocid] = tenancy or self.tenancy
        return ocid

    def messages(self, topic: str) -> list[Published]:
        """What was published to a topic, oldest first."""
        with self.lock:
            return [item for item in self.published if item.topic == topic]

    def fail(self, fault: Fault) -> Fault:
        """Have something go wrong from now on."""
        with self.lock:
            self.faults.append(fault)
        return fault

    def next_fault(self, seen: Seen) -> Fault | None:
        """The fault that this request meets, which is then used up by one."""
        with self.lock:
            for fault in self.faults:
                if fault.times > 0 and fault.matches(seen):
                    fault.times -= 1
                    fault.happened += 1
                    return fault
        return None

    def requests(self, method: str, part: str = "") -> list[Seen]:
        """The requests of that method whose path holds ``part``."""
        with self.lock:
            return [item for item in self.seen if item.method == method and part in item.path]

    def record(self, seen: Seen) -> None:
        """Write a request down."""
        if self.records:
            with self.lock:
                self.seen.append(seen)
