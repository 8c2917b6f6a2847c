"""From selected events to the arrays that networks are trained on."""
