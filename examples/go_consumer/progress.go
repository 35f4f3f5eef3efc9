package main

// progress is how far we have come in one partition since its claim. It does no I/O.
type progress struct {
	partition int32
	epoch     int64
	next      *int64 // the next record to read, as Kafka counts; nil while nothing is done and nothing was committed
	position  int64  // of the last event done
	stored    *int64 // the offset that the offsets service has
}

func newProgress(claim Claim) *progress {
	p := &progress{partition: claim.Partition, epoch: claim.Epoch, next: claim.Offset, stored: claim.Offset}
	if claim.Position != nil {
		p.position = *claim.Position
	}
	return p
}

// seen tells duplicates: positions rise within a partition.
func (p *progress) seen(position int64) bool { return position <= p.position }

// done notes that a record's effect is complete, or that it has none. Nothing else moves what is committed.
func (p *progress) done(offset, position int64) {
	next := offset + 1
	p.next = &next
	p.position = max(p.position, position)
}

// commit is what the offsets service does not know yet; with again, what it knows too, as a sign of life.
func (p *progress) commit(topic string, again bool) (Commit, bool) {
	if p.next == nil || !again && p.stored != nil && *p.next <= *p.stored {
		return Commit{}, false
	}
	commit := Commit{Topic: topic, Partition: p.partition, Offset: *p.next, Epoch: p.epoch}
	if p.position > 0 {
		commit.Position = &p.position
	}
	return commit, true
}
