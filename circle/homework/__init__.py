"""Homework: assignments, hand-ins, reviews by teachers and peers, reminders, the gradebook."""
