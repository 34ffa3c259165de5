"""WHAT ran on it: costs of nodes and volumes out of the bill, split among namespaces by what clusters say was used."""
