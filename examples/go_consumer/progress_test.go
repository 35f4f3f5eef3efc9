package main

import "testing"

func TestProgress(t *testing.T) {
	offset, position := int64(10), int64(40)
	p := newProgress(Claim{Partition: 3, Epoch: 7, Offset: &offset, Position: &position})
	if _, news := p.commit("t", false); news {
		t.Error("what was claimed is no news")
	}
	if again, _ := p.commit("t", true); again.Offset != 10 || *again.Position != 40 || again.Epoch != 7 {
		t.Errorf("again: %+v", again)
	}
	if !p.seen(40) || p.seen(41) {
		t.Error("seen is what is not above the last position")
	}
	p.done(10, 44)
	p.done(11, 40) // the topic has it twice
	commit, news := p.commit("t", false)
	if !news || commit.Offset != 12 || *commit.Position != 44 || commit.Partition != 3 || commit.Topic != "t" {
		t.Errorf("%t %+v", news, commit)
	}
	p.stored = &commit.Offset
	if _, news := p.commit("t", false); news {
		t.Error("what is stored is no news")
	}
}

func TestProgressOfAPartitionThatNobodyHasRead(t *testing.T) {
	p := newProgress(Claim{Partition: 0, Epoch: 1})
	if _, news := p.commit("t", true); news {
		t.Error("nothing is done, nothing to commit")
	}
	p.done(0, 1)
	if commit, news := p.commit("t", false); !news || commit.Offset != 1 || *commit.Position != 1 {
		t.Errorf("%t %+v", news, commit)
	}
}
