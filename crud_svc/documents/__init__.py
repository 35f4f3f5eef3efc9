"""Documents as values: exact JSON, differences, patches, the fold. Knows no HTTP and no database."""
