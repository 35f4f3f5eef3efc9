package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// answering is a service that gives these answers one after the other, then the last of them again.
func answering(t *testing.T, answers ...string) (*Offsets, *[]string) {
	t.Helper()
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		asked = append(asked, r.Method+" "+r.URL.EscapedPath()+" "+string(body))
		var status int
		var text string
		if _, err := fmt.Sscanf(answers[min(len(asked), len(answers))-1], "%d %q", &status, &text); err != nil {
			t.Error(err)
		}
		w.WriteHeader(status)
		io.WriteString(w, text)
	}))
	t.Cleanup(server.Close)
	return NewOffsets(server.URL, "billing"), &asked
}

func answer(status int, body string) string { return fmt.Sprintf("%d %q", status, body) }

func TestClaimTriesUntilTheServiceAnswers(t *testing.T) {
	offsets, asked := answering(t,
		answer(503, `{"status":503,"code":"unavailable"}`),
		answer(502, `<html>a proxy</html>`),
		answer(200, `{}`),
		answer(200, `{"claims":[{"partition":1,"epoch":5,"offset":null,"position":null,"reset":0}]}`))
	claims, err := offsets.Claim(t.Context(), "a.b", "", "me", []int32{1})
	if err != nil || len(claims) != 1 || claims[0].Epoch != 5 || claims[0].Offset != nil {
		t.Errorf("%+v %v", claims, err)
	}
	want := `POST /v1/consumers/billing/claims {"member":"me","partitions":[1],"topic":"a.b"}`
	if len(*asked) != 4 || (*asked)[3] != want {
		t.Errorf("%q", *asked)
	}
}

func TestClaimOfATopicMadeAnewIsRefusedForGood(t *testing.T) {
	offsets, asked := answering(t, answer(409, `{"status":409,"code":"topic-changed","detail":"made anew"}`))
	_, err := offsets.Claim(t.Context(), "t", "0198f4a2-7c1e-7d7b-9b0e-2f5f3c1d2e4f", "me", []int32{1})
	if problem, ok := err.(*Problem); !ok || problem.Code != "topic-changed" || len(*asked) != 1 {
		t.Errorf("%v, asked %q", err, *asked)
	}
}

func TestCommitTellsEachPartitionsOutcome(t *testing.T) {
	offsets, asked := answering(t, answer(200, `{"results":[
		{"status":200,"topic":"t","partition":0,"offset":3,"position":9,"epoch":1},
		{"status":409,"topic":"t","partition":1,"code":"fenced","detail":"epoch 4","epoch":4}]}`))
	position := int64(9)
	refusals, err := offsets.Commit(t.Context(), []Commit{
		{Topic: "t", Partition: 0, Offset: 3, Position: &position, Epoch: 1},
		{Topic: "t", Partition: 1, Offset: 2, Epoch: 2},
	})
	if err != nil || len(refusals) != 2 || refusals[0] != nil || refusals[1].Code != "fenced" {
		t.Errorf("%+v %v", refusals, err)
	}
	want := `PUT /v1/consumers/billing/offsets {"offsets":[` +
		`{"topic":"t","partition":0,"offset":3,"position":9,"epoch":1},{"topic":"t","partition":1,"offset":2,"epoch":2}]}`
	if (*asked)[0] != want {
		t.Errorf("%q", *asked)
	}
}

func TestACallToNobodyEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err := NewOffsets("http://127.0.0.1:1", "billing").Release(ctx, "t", []Claim{{Partition: 1, Epoch: 2}})
	if _, refused := err.(*Problem); err == nil || refused {
		t.Errorf("%v", err)
	}
}
