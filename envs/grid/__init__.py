"""Grid worlds: the twins of MiniGrid, and mazes."""
