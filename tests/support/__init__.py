"""What several tests share: studies, recordings, clusters, references."""
