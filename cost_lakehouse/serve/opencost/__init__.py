"""OpenCost's cloud costs and clusters' costs, as its clients ask for them. What differs stands in docs/opencost-api.md."""
