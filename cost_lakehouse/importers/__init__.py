"""Other tools' configurations become sources of ``lakehouse.yaml``; secrets in them are pointed to, never copied."""
