"""``cost-lakehouse doctor``: what it checks, by the kind of place."""
