"""Koku's cost reports, as its clients ask for them: ``/api/cost-management/v1``. What differs stands in docs/koku-api.md."""
