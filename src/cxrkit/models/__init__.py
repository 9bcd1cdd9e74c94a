"""Networks: backbones, text encoder, scene graph, scene-embedded interaction, heads, losses."""
