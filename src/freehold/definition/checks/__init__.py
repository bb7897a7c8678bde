"""What lint asks of a well-shaped definition: one module per concern, each yields into a report."""
