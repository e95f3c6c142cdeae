"""A woman's record as the doctor's and the mother's pages show it: what to show is data (`chart.yaml`)."""
