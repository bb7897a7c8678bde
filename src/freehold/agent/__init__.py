"""The small program beside each member: supervises, probes, acts, measures, tails."""
