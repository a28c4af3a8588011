"""`make soak`: the faults of a long life, injected into a real engine; bounded in count and in time."""
