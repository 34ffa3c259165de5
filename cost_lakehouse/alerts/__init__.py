"""WHO is told when something fails: e-mail, webhooks, OCI Notifications; once per cause."""
