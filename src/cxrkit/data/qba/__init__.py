"""Reader of MIMIC-Ext-CXR-QBA 1.0.0: questions, scene graphs and vocabularies."""
