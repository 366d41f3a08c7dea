"""Other ways to the same output, each a program of its own, written as a user who knows the tool would."""
