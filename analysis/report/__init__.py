"""One page offline."""
