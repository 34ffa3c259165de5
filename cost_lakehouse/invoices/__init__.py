"""Invoices: what their issuers say of a month, recorded beside the bill that they are compared with."""
