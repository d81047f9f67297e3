"""The shells around the pure rules: one actor a file; they tell each other and never wait."""
