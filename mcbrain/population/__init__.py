"""What data is drawn from and tested on: models, input distributions, geometry and shifts."""
