"""What happens to the records of a partition: from its inbox, through the handlers, to what may be committed."""
