"""Where bills lie: S3 and folders, their clients and sessions, and what their errors mean."""
