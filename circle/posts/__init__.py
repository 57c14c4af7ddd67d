"""What is written in a circle: posts, questions, comments, reactions, reading state, reports."""
