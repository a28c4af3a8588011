"""Text for people: tables, sizes, times and JSON as the docker command prints them. Pure."""
