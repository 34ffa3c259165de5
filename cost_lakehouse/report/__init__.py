"""A month's costs as one HTML file that anybody can open: no script, no request, numbers as text."""
