-- Store a batch of appends; the arguments (in this order) and the answer are described where the function is made.
SELECT failed, positions, versions FROM append_batch($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
