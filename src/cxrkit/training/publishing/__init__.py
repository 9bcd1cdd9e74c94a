"""A finished model for others: the folder `hub_upload/`, its model card, its way to the Hugging Face Hub."""
