"""The first page, for people: plain HTML without script, all of its state in the address."""
