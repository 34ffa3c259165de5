"""A deterministic generator of AWS's bills (reports, CUR 2.0, FOCUS exports) and of OCI's reports, with faults on request.

It is the source of golden values for tests, demo and benchmarks, so it imports nothing of the rest of the package.
``write_delivery(root, Bill(...), BillDelivery(...))`` writes one delivery and returns what a right reader must find in it;
``write_oci(root, OciBill(...))`` does so for the increments of an Oracle Cloud tenancy's reports.
"""

from sample_bills.bills import (
    Bill,
    BillDelivery,
    FileFormat,
    Headers,
    Report,
    Versioning,
    months_from,
    usual_deliveries,
)
from sample_bills.expected import Expected, Group
from sample_bills.faults import Fault
from sample_bills.focus_export import FocusExport, write_focus_export
from sample_bills.oci_bills import Increment, OciBill, OciReport
from sample_bills.oci_expected import OciExpected, OciGroup, OciTotals
from sample_bills.oci_faults import OciFault
from sample_bills.oci_writing import OciFile, OciWritten, write_oci
from sample_bills.writing import Written, write_bill, write_delivery

__all__ = [
    "Bill",
    "BillDelivery",
    "Expected",
    "Fault",
    "FileFormat",
    "FocusExport",
    "Group",
    "Headers",
    "Increment",
    "OciBill",
    "OciExpected",
    "OciFault",
    "OciFile",
    "OciGroup",
    "OciReport",
    "OciTotals",
    "OciWritten",
    "Report",
    "Versioning",
    "Written",
    "months_from",
    "usual_deliveries",
    "write_bill",
    "write_delivery",
    "write_focus_export",
    "write_oci",
]
