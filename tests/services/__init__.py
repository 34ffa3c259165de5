"""Real services that tests run against: each is started on free ports of this machine and stopped by its process id."""
