"""Reader of MIMIC-CXR-JPG 2.x: films, splits and labels."""
