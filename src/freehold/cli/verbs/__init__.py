"""The commands, by subject; each module holds a typer application of one or a few of them."""
