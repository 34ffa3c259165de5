"""The lakehouse for cloud bills that people can trust to the cent."""
