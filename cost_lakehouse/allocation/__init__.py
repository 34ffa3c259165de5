"""WHO bears it: costs of bills shared out among teams and products, by rules, with nothing lost."""
