"""What databases of every kind need of their engines."""
