"""OpenCost's cloud costs, as its clients ask for them: ``/model/cloudCost``. What differs stands in docs/opencost-api.md."""
