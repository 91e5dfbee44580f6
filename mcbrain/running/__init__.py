"""A study from its start to its end: processes, clusters, shards merged, replicates replayed."""
