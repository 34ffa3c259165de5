"""The lake over HTTP, to read: ``/v1``, and what other tools' clients ask for. Over ``ask`` and ``proof``."""
