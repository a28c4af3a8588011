"""One module a topic; each has `measure(world)`, which gives its lines of the table."""
