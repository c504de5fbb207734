"""What the app withstands, measured: spoilt inputs, kills, full disks."""
