-- Nobody else gives a type its count until we have committed: the bound holds for all instances together.
LOCK TABLE types IN SHARE ROW EXCLUSIVE MODE
