"""What the engines are held against; each computes the same risks on the same model."""
