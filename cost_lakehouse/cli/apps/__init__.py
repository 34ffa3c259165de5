"""The commands and their options, a module for each concern; each hands over to ``commands``, imported only then."""
